"""What a file is by its content, whatever its name says."""

from __future__ import annotations

import io
import logging
import re
import zipfile
from typing import NamedTuple

import olefile

logging.getLogger("olefile").setLevel(logging.CRITICAL)  # it tells of every flaw in a damaged file


class Kind(NamedTuple):
    """What the content is, and the suffix such a file ought to have."""

    what: str
    suffix: str


PASSWORD = "it needs a password; save a copy without one"

_ZIP = b"PK"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEAD = 2**16

_SIGNATURES: tuple[tuple[re.Pattern[bytes], Kind], ...] = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), Kind(what, suffix))
    for pattern, what, suffix in (
        (rb"(?:\xef\xbb\xbf)?\s*%PDF-", "a PDF", ".pdf"),
        (
            rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html)\b",
            "a web page",
            ".html",
        ),
        (rb"\s*\{\\rtf", "an RTF document", ".rtf"),
        (rb"%!PS", "a PostScript file", ".ps"),
        (rb"\x89PNG\r\n\x1a\n", "a PNG picture", ".png"),
        (rb"\xff\xd8\xff", "a JPEG picture", ".jpg"),
        (rb"GIF8[79]a", "a GIF picture", ".gif"),
        (rb"II\*\x00|MM\x00\*", "a TIFF picture", ".tif"),
        (rb"RIFF....WEBP", "a WebP picture", ".webp"),
        (rb"(?:RIFF|RF64)....WAVE", "a WAV recording", ".wav"),
        (rb"OggS\x00", "an Ogg recording", ".ogg"),
        (rb"ID3[\x02-\x04]|\xff[\xfb\xfa\xf3\xf2\xe3]", "an MP3 recording", ".mp3"),
        (rb"\xff[\xf1\xf9]", "an AAC recording", ".aac"),
        (rb"fLaC\x00", "a FLAC recording", ".flac"),
        (rb"FORM....AIF[FC]", "an AIFF recording", ".aiff"),
        (rb"#!AMR", "an AMR recording", ".amr"),
        (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media file", ".wma"),
        (rb"\x00\x00\x00.ftyp(?:hei[cfx]|mif1)", "a HEIC picture", ".heic"),
        (rb"\x00\x00\x00.ftypavi[fs]", "an AVIF picture", ".avif"),
        (rb"\x00\x00\x00.ftyp", "an MP4 recording", ".mp4"),
        (rb"\x00[\x00-\xff]{3}(?:moov|mdat|wide|free|skip)", "a QuickTime video", ".mov"),
        (rb"\x1a\x45\xdf\xa3", "a Matroska or WebM video", ".mkv"),
        (rb"RIFF....AVI ", "an AVI video", ".avi"),
        (rb"\x00\x00\x01\xba", "an MPEG video", ".mpg"),
        (rb"\x1f\x8b\x08", "a gzip archive", ".gz"),
        (rb"BZh[1-9]\x31\x41\x59\x26\x53\x59", "a bzip2 archive", ".bz2"),
        (rb"\xfd7zXZ\x00", "an xz archive", ".xz"),
        (rb"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", ".7z"),
        (rb"Rar!\x1a\x07", "a RAR archive", ".rar"),
        (rb".{257}ustar", "a tar archive", ".tar"),
        (rb"SQLite format 3\x00", "an SQLite database", ".sqlite"),
        (rb"\x7fELF|MZ[^\r\n]\x00", "a program", ".exe"),
    )
)

# A part, or the declared type, that tells what a ZIP package is.
_MEMBERS = (
    (re.compile(r"^word/(?:document|glossary)", re.MULTILINE), Kind("a Word document", ".docx")),
    (re.compile(r"^xl/workbook", re.MULTILINE), Kind("an Excel workbook", ".xlsx")),
    (re.compile(r"^ppt/presentation", re.MULTILINE), Kind("a PowerPoint presentation", ".pptx")),
)
_MIMETYPES = (
    (b"application/epub", Kind("an EPUB book", ".epub")),
    (b"application/vnd.oasis.opendocument.spreadsheet", Kind("an OpenDocument spreadsheet", ".ods")),
    (b"application/vnd.oasis.opendocument.presentation", Kind("an OpenDocument presentation", ".odp")),
    (b"application/vnd.oasis.opendocument.graphics", Kind("an OpenDocument drawing", ".odg")),
    (b"application/vnd.oasis.opendocument", Kind("an OpenDocument text", ".odt")),
)
_ENTRY = re.compile(rb"PK\x03\x04.{26}([ -~]{1,99})", re.DOTALL)  # what precedes a part, and its name
_ARCHIVE = Kind("a ZIP archive", ".zip")
_BINARY_WORKBOOK = Kind("a binary Excel workbook", ".xlsb")

# A stream at the root of an OLE container that tells what it is.
_STREAMS = (
    ("encryptedpackage", Kind("an Office file with a password", ".encrypted")),
    ("worddocument", Kind("an old Word document", ".doc")),
    ("powerpoint document", Kind("an old PowerPoint presentation", ".ppt")),
    ("workbook", Kind("an old Excel workbook", ".xls")),
    ("book", Kind("an old Excel workbook", ".xls")),
    ("__properties_version1.0", Kind("an Outlook message", ".msg")),
)
_CONTAINER = Kind("an old Microsoft Office file", ".ole")


def find_kind(data: bytes) -> Kind | None:
    """The kind of content, or None where nothing but the name can tell: text of any sort, and what nobody knows."""
    if data.startswith((_ZIP + b"\x03\x04", _ZIP + b"\x05\x06")):
        return _zip_kind(data)
    if data.startswith(_OLE):
        return _ole_kind(data)
    return next((kind for pattern, kind in _SIGNATURES if pattern.match(data[:_HEAD])), None)


def _zip_kind(data: bytes) -> Kind | None:
    whole = True
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            names = "\n".join(package.namelist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):  # cut short: the names also stand in between
        names, whole = "\n".join(match[1].decode("latin-1") for match in _ENTRY.finditer(data)), False
    head = data[:_HEAD]
    # Both of these formats put the declared type first and unpacked, so that it can be found like this.
    if (begin := head.find(b"mimetypeapplication/", 0, 80)) >= 0:
        for mimetype, kind in _MIMETYPES:
            if head.startswith(mimetype, begin + len(b"mimetype")):
                return kind
    if "xl/workbook.bin" in names:
        return _BINARY_WORKBOOK
    found = [(match.start(), kind) for pattern, kind in _MEMBERS if (match := pattern.search(names))]
    if found:
        return min(found)[1]
    if "META-INF/container.xml" in names:
        return _MIMETYPES[0][1]
    return _ARCHIVE if whole else None


def _ole_kind(data: bytes) -> Kind:
    try:
        with olefile.OleFileIO(data) as container:
            names = {entry[0].lower() for entry in container.listdir(streams=True, storages=False) if len(entry) == 1}
    except (OSError, ValueError, IndexError, AttributeError, TypeError, RecursionError):
        names = set()
    # Cut short, a container has lost its list: the names then are somewhere in it, if at all.
    return next(
        (kind for name, kind in _STREAMS if name in names)
        if names
        else (kind for name, kind in _STREAMS if name.encode("utf-16-le") in data.lower()),
        _CONTAINER,
    )
