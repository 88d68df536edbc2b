"""A page of a PDF, or a picture, with rectangles over a passage of its text.

The text is the one that was indexed and the manifest keeps. Where pdfium read it, the page is read again when it is
opened, and each character of the text is led back to the characters of pdfium that it was made of, which have their
boxes. Where it was recognised in a picture, the manifest has a box for each line.
"""

from __future__ import annotations

import ctypes
import io
import threading
from collections.abc import Iterable, Iterator, Sequence

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from rag.errors import DocumentError
from rag.loaders import clean_text
from rag.loaders_embedded import IN_A_PICTURE
from rag.loaders_pdf import BROKEN, PDFIUM_LOCK, Lines, read_units
from rag.loaders_pixels import PICTURE_ERRORS, unpack
from rag.types import Mark, PageImage

_WIDTH, _HEIGHT = 1200, 2400  # pixels at most: sharp at twice the width of the panel that shows it
_PHOTO = 2**14  # more colours than this are a photograph's or a scan's, which a palette would spoil
_PALETTE = 64
_DARK = 110  # of 255
_GRID = 64  # steps to a point, in which pdfium gives positions on the page as it is seen
_UNPACKING = threading.Lock()  # one at a time: a picture may take some hundred MB until it is made smaller
_GAP = 1.5  # of a line's height: parts of a line that stand further apart are marked apart

Span = tuple[int, int]
Box = tuple[float, float, float, float]  # left, top, right, bottom; down and to the right are positive


def load_page_image(
    data: bytes, index: int, text: str, span: Span, best: Sequence[Span] = (), lines: Lines | None = None
) -> PageImage:
    """The page of a PDF at `index`, counting from 0, with marks over text[span], and on top over each text[best].

    `text` is the page's text as it was indexed, `lines` where its lines were recognised if it was made from the page's
    picture. There are no marks where it is neither that nor what pdfium reads on this page, and none over what lies
    outside of the visible page. Raises DocumentError if the page cannot be drawn.
    """
    with PDFIUM_LOCK:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            raise DocumentError("the file cannot be opened", "unreadable") from error
        try:
            document.init_forms()  # so that what was filled in is seen; before the page is loaded
            page = document[index]
            marks = _line_marks(lines, span, best) if lines else _marks(page, text, span, best)
            width, height = page.get_size()
            picture = page.render(scale=min(_WIDTH / width, _HEIGHT / height)).to_pil().convert("RGB")
        except (pypdfium2.PdfiumError, IndexError, ArithmeticError, ValueError, MemoryError) as error:
            raise DocumentError("the page cannot be drawn") from error
        finally:
            document.close()  # here, not when garbage is collected: that may be in a thread without the lock
    return _page_image(picture, marks)


def load_picture_image(data: bytes, index: int, lines: Lines, span: Span, best: Sequence[Span] = ()) -> PageImage:
    """A picture, of a TIFF its page at `index`, with marks over the lines of its text that have a part in a span.

    Raises DocumentError if it cannot be drawn.
    """
    with _UNPACKING:
        try:
            with Image.open(io.BytesIO(data)) as opened:
                opened.seek(index)
                picture = unpack(opened, _WIDTH, _HEIGHT)
        except (*PICTURE_ERRORS, MemoryError) as error:
            raise DocumentError("the picture cannot be drawn") from error
    return _page_image(picture, _line_marks(lines, span, best))


def align(units: str, text: str) -> list[range] | None:
    """For each character of a page's indexed text, the units of pdfium's that it was made of: none, in a picture's.

    None if the text was not made of these: another reader's, or another version's.
    """
    found: list[range] = []
    at = 0
    while at < len(units):
        raw = units[at : at + 2]
        if raw != "\r\n" and not ("\ud800" <= raw[0] <= "\udbff" and "\udc00" <= raw[1:] <= "\udfff"):
            raw = raw[0]
        if raw in BROKEN:  # a hyphen in the text, or nothing
            made = "-" if text.startswith("-", len(found)) else ""
        else:
            made = clean_text(raw.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore"))
        if made:
            if not text.startswith(made, len(found)):
                return None
            found.append(range(at, at + len(raw)))
        at += len(raw)
    if text.startswith(f"\n\n{IN_A_PICTURE}", len(found)):
        found += [range(0)] * (len(text) - len(found))
    return found if len(found) == len(text) else None


def merge_lines(boxes: Iterable[Box | None]) -> list[Box]:
    """The boxes of characters, in reading order, as one box a line; None stands for the end of a line."""
    lines: list[Box] = []
    growing = False
    for box in boxes:
        if box is not None and growing and _continues(lines[-1], box):
            line = lines[-1]
            lines[-1] = (min(line[0], box[0]), min(line[1], box[1]), max(line[2], box[2]), max(line[3], box[3]))
        elif box is not None:
            lines.append(box)
        growing = box is not None
    return lines


def _continues(line: Box, box: Box) -> bool:
    """Whether a character goes on with a line, be it written across the page or down or up it."""
    across = min(line[2], box[2]) - max(line[0], box[0])  # negative: the gap between them
    down = min(line[3], box[3]) - max(line[1], box[1])
    widths, heights = (line[2] - line[0], box[2] - box[0]), (line[3] - line[1], box[3] - box[1])
    if down >= min(heights) / 2:
        return -across <= _GAP * max(heights)
    # A character under the middle of a line is the next line's; down the page, all are about as wide
    return across >= 0.7 * max(widths) and -down <= _GAP * max(widths)


def _line_marks(lines: Lines, span: Span, best: Sequence[Span]) -> tuple[Mark, ...]:
    return tuple(
        Mark(left, top, right - left, bottom - top, over is not span)
        for over in (span, *best)
        for start, end, left, top, right, bottom in lines
        if start < over[1] and end > over[0]
    )


def _marks(page: pypdfium2.PdfPage, text: str, span: Span, best: Sequence[Span]) -> tuple[Mark, ...]:
    textpage = page.get_textpage()
    units = read_units(textpage)
    origins = align(units, text)
    if origins is None:
        return ()
    width, height = (max(1, round(side * _GRID)) for side in page.get_size())

    def boxes(start: int, end: int) -> Iterator[Box | None]:
        for char, origin in zip(text[start:end], origins[start:end], strict=True):
            if char == "\n":
                yield None
            elif origin and not char.isspace():
                box = _box(page, textpage, origin[0], width, height)
                if box is not None:
                    yield box

    return tuple(
        Mark(left / width, top / height, (right - left) / width, (bottom - top) / height, over is not span)
        for over in (span, *best)
        for left, top, right, bottom in merge_lines(boxes(*over))
    )


def _box(page: pypdfium2.PdfPage, textpage: pypdfium2.PdfTextPage, index: int, width: int, height: int) -> Box | None:
    """A character's box on the page as it is seen, turned and cropped; None if nothing of it is seen."""
    for loose in (True, False):  # as high as the font, so that a line's marks are even; else as high as the character
        try:
            left, bottom, right, top = textpage.get_charbox(index, loose=loose)
        except pypdfium2.PdfiumError:
            continue
        (x1, y1), (x2, y2) = (_seen(page, x, y, width, height) for x, y in ((left, top), (right, bottom)))
        x1, x2, y1, y2 = min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2)
        seen = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
        if seen[0] < seen[2] and seen[1] < seen[3]:
            return seen
    return None


def _seen(page: pypdfium2.PdfPage, x: float, y: float, width: int, height: int) -> tuple[int, int]:
    column, row = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDF_PageToDevice(page, 0, 0, width, height, 0, x, y, column, row)
    return column.value, row.value


def _page_image(picture: Image.Image, marks: tuple[Mark, ...]) -> PageImage:
    packed, media_type = _pack(picture)
    return PageImage(packed, media_type, picture.width, picture.height, marks, _is_dark(picture, marks))


def _is_dark(picture: Image.Image, marks: Sequence[Mark]) -> bool:
    """Whether most of what is under the marks is dark, so that a mark must lighten it to be seen."""
    grey, (width, height) = picture.convert("L"), picture.size
    dark = 0
    for mark in marks:
        left, top = mark.left * width, mark.top * height
        box = (left, top, min(left + mark.width * width, width), min(top + mark.height * height, height))
        dark += grey.resize((1, 1), Image.Resampling.BOX, box).tobytes()[0] < _DARK
    return dark > len(marks) / 2


def _pack(picture: Image.Image) -> tuple[bytes, str]:
    """The picture in few bytes, and what they are: a page of text is some 90 kB."""
    file = io.BytesIO()
    if picture.getcolors(_PHOTO) is None:
        picture.save(file, "JPEG", quality=80)
        return file.getvalue(), "image/jpeg"
    picture.quantize(_PALETTE, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(file, "PNG")
    return file.getvalue(), "image/png"
