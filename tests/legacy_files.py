"""Files of Word and PowerPoint 97 that tests make themselves, as small as [MS-DOC] and [MS-PPT] let them be."""

from __future__ import annotations

import struct

from office_files import ole

_TEXT_AT = 0x800  # in the stream, behind the header
_CONTAINER = 15  # the version that marks a record of records


def doc(text: str, *, encrypted: bool = False) -> bytes:
    """A Word document of that text, a paragraph a line."""
    body = text.replace("\n", "\r").encode("utf-16-le")
    length = len(body) // 2
    pieces = b"\x02" + struct.pack("<I", 16) + struct.pack("<IIHIH", 0, length, 0, _TEXT_AT, 0)
    base = struct.pack("<7HIBBHHII", 0xA5EC, 0xC1, 0, 0x409, 0, 0x100 * encrypted, 0xBF, 0, 0, 0, 0, 0, 0, 0)
    counts = [_TEXT_AT + len(body), 0, 0, length, *[0] * 18]
    places = [*[0] * 66, 0, len(pieces), *[0] * 118]  # the 33rd pair is that of the pieces
    head = struct.pack("<H28xH22IH186IH", 14, 22, *counts, 93, *places, 0)
    return ole(
        {
            "WordDocument": ((base + head).ljust(_TEXT_AT, b"\0") + body).ljust(4096, b"\0"),
            "0Table": pieces.ljust(4096, b"\0"),
        }
    )


def ppt(*slides: tuple[str, str]) -> bytes:
    """A presentation: for each slide its title and its text."""
    stream, places = b"", []
    listed = b"".join(_record(1011, struct.pack("<IIiII", 2 + n, 4, 0, 256 + n, 0)) for n in range(len(slides)))
    atom = _record(1001, struct.pack("<6i2I2H4B", 5760, 4320, 5760, 4320, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0), 1)
    document = _record(1000, atom + _record(4080, listed, _CONTAINER), _CONTAINER)
    for part in (document, *(_slide(*slide) for slide in slides)):
        places.append(len(stream))
        stream += part
    directory = len(stream)
    stream += _record(6002, struct.pack(f"<I{len(places)}I", 1 | len(places) << 20, *places))
    edit = len(stream)
    stream += _record(4085, struct.pack("<IHBBIIIIHH", 256, 0, 0, 3, 0, directory, 1, len(places) + 1, 1, 0))
    user = _record(4086, struct.pack("<IIIHHBBH", 20, 0xE391C05F, edit, 0, 1012, 3, 0, 0))
    return ole({"PowerPoint Document": stream.ljust(4096, b"\0"), "Current User": user})


def _slide(title: str, text: str) -> bytes:
    layout = _record(1007, struct.pack("<i8BIIHH", *[0] * 13), 2)
    shapes = b"".join(_shape(number, kind, said) for number, (kind, said) in enumerate(((0, title), (1, text))))
    origin = _record(0xF009, bytes(16), 1) + _record(0xF00A, struct.pack("<II", 1024, 5), 2)
    group = _record(0xF003, _record(0xF004, origin, _CONTAINER) + shapes, _CONTAINER)
    drawing = _record(0xF002, _record(0xF008, struct.pack("<II", 3, 1026), 0, 1) + group, _CONTAINER)
    return _record(1006, layout + _record(1036, drawing, _CONTAINER), _CONTAINER)


def _shape(number: int, kind: int, said: str) -> bytes:
    words = _record(3999, struct.pack("<I", kind)) + _record(4000, said.encode("utf-16-le"))
    place = _record(0xF010, struct.pack("<4h", 100 + 900 * number, 100, 5000, 900 + 900 * number))
    head = _record(0xF00A, struct.pack("<II", 1025 + number, 0xA00), 2, 202)
    return _record(0xF004, head + place + _record(0xF00D, words, _CONTAINER), _CONTAINER)


def _record(kind: int, data: bytes, version: int = 0, instance: int = 0) -> bytes:
    return struct.pack("<HHI", version | instance << 4, kind, len(data)) + data
