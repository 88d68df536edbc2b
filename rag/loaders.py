"""Files to pages of text: LOADERS names the loader of each format; load_documents reads one file.

A further format is one row of LOADERS: the module that owns its parser, imported when the first such file is read, and
a function `(data: bytes) -> list[Document]` in it that gives one Document per page, in reading order.
"""

from __future__ import annotations

import importlib
import math
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rag.errors import DocumentError

if TYPE_CHECKING:
    from langchain_core.documents import Document


class Loader(NamedTuple):
    """Where the loader of a format lives."""

    module: str
    function: str


LOADERS: dict[str, Loader] = {
    ".pdf": Loader("rag.loaders_pdf", "load_pdf"),
    ".txt": Loader("rag.loaders_text", "load_text"),
    ".log": Loader("rag.loaders_text", "load_text"),
    ".md": Loader("rag.loaders_text", "load_text"),
    ".markdown": Loader("rag.loaders_text", "load_text"),
    ".csv": Loader("rag.loaders_text", "load_csv"),
    ".html": Loader("rag.loaders_web", "load_html"),
    ".htm": Loader("rag.loaders_web", "load_html"),
}
SUFFIXES = frozenset(LOADERS)

# What the first bytes say a file is, and the suffix such a file ought to have. Content outranks the name: a PDF named
# .txt is read as a PDF, and a picture named .txt is refused as a picture.
_SIGNATURES: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), what, suffix)
    for pattern, what, suffix in (
        (rb"(?:\xef\xbb\xbf)?\s*%PDF-", "a PDF", ".pdf"),
        (
            rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html)\b",
            "a web page",
            ".html",
        ),
        (rb"PK(?:\x03\x04|\x05\x06).*word/document", "a Word document", ".docx"),
        (rb"PK\x03\x04.*xl/workbook", "an Excel workbook", ".xlsx"),
        (rb"PK\x03\x04.*ppt/presentation", "a PowerPoint presentation", ".pptx"),
        (rb"PK\x03\x04.{26}mimetypeapplication/epub", "an EPUB book", ".epub"),
        (rb"PK\x03\x04.{26}mimetypeapplication/vnd\.oasis", "an OpenDocument file", ".odt"),
        (rb"PK(?:\x03\x04|\x05\x06)", "a ZIP archive", ".zip"),
        (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Microsoft Office file", ".doc"),
        (rb"\{\\rtf", "an RTF document", ".rtf"),
        (rb"%!PS", "a PostScript file", ".ps"),
        (rb"\x89PNG\r\n\x1a\n", "a PNG picture", ".png"),
        (rb"\xff\xd8\xff", "a JPEG picture", ".jpg"),
        (rb"GIF8[79]a", "a GIF picture", ".gif"),
        (rb"II\*\x00|MM\x00\*", "a TIFF picture", ".tif"),
        (rb"RIFF....WEBP", "a WebP picture", ".webp"),
        (rb"RIFF....WAVE", "a WAV recording", ".wav"),
        (rb"OggS\x00", "an Ogg recording", ".ogg"),
        (rb"ID3[\x02-\x04]|\xff[\xfb\xf3\xf2]", "an MP3 recording", ".mp3"),
        (rb"\x00\x00\x00.ftyp", "an MP4 recording", ".mp4"),
        (rb"\x1f\x8b\x08", "a gzip archive", ".gz"),
        (rb"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", ".7z"),
        (rb"Rar!\x1a\x07", "a RAR archive", ".rar"),
        (rb"SQLite format 3\x00", "an SQLite database", ".sqlite"),
        (rb"\x7fELF|MZ[^\r\n]\x00", "a program", ".exe"),
    )
)

# Everything clean_text touches: line ends of every kind, and characters that no store, page or protocol wants:
# control characters, lone surrogates and noncharacters.
_DIRT = re.compile(r"(\r\n?|[\x0b\x0c\x85\u2028\u2029])|[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")


def load_documents(path: Path, *, max_bytes: int) -> list[Document]:
    """The pages of a file in reading order; blank pages are kept, so that the n-th Document is the n-th page.

    `page_content` is the text of the page; `metadata` is {"page": counting from 1, or None where the format has no
    pages, "page_label": what the document itself calls the page, or None}. `max_bytes` is checked before reading.

    Raises DocumentError, whose message completes "FILE was not added: ...".
    """
    suffix = path.suffix.lower()
    if suffix not in LOADERS:
        kind = f"{suffix} files" if suffix else "files without a suffix"
        raise DocumentError(f"{kind} cannot be read; these can: {', '.join(sorted(LOADERS))}")
    data = _read(path, max_bytes)
    if not data.strip():
        raise DocumentError("it is empty")
    loader = LOADERS[_true_suffix(data, suffix)]
    try:
        pages = _resolve(loader)(data)
    except OSError as error:  # of a temporary file: the data itself has been read
        raise DocumentError(f"it could not be read: {error.strerror or error}") from error
    for page in pages:
        page.page_content = clean_text(page.page_content)
    if not any(page.page_content.strip() for page in pages):
        raise DocumentError("there is no text in it")
    return pages


def clean_text(text: str) -> str:
    r"""The text with every line end as \n, and without characters that cannot be stored or shown.

    Each match becomes one line end or nothing and all else stays as it is, so an offset in the result can be carried
    back to the text that went in.
    """
    return _DIRT.sub(lambda match: "\n" if match[1] else "", text)


def _resolve(loader: Loader) -> Callable[[bytes], list[Document]]:
    function: Callable[[bytes], list[Document]] = getattr(importlib.import_module(loader.module), loader.function)
    return function


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise DocumentError("it is a folder")
        if not stat.S_ISREG(status.st_mode):
            raise DocumentError("it is not a regular file")
        if status.st_size > max_bytes:
            raise DocumentError(_too_large(status.st_size, max_bytes))
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise DocumentError("the file is not there (any more)") from None
    except PermissionError:
        raise DocumentError("there is no permission to read it") from None
    except OSError as error:
        raise DocumentError(f"it could not be read: {error.strerror or error}") from error
    if len(data) > max_bytes:  # it grew after the check
        raise DocumentError(_too_large(len(data), max_bytes))
    return data


def _too_large(size: int, max_bytes: int) -> str:
    in_mib = math.ceil(size / 2**20 * 10) / 10  # rounded up: "100 MiB is over the limit of 100 MiB" helps nobody
    return f"{in_mib:g} MiB is over the limit of {max_bytes / 2**20:g} MiB (RAG_MAX_FILE_MB)"


def _true_suffix(data: bytes, suffix: str) -> str:
    """The suffix by content, else by name. Raises DocumentError where the content is of a kind that has no loader."""
    # Zip archives keep their table of contents at the end.
    ends = data if len(data) <= 2**17 else data[: 2**16] + data[-(2**16) :]
    for pattern, what, true_suffix in _SIGNATURES:
        if pattern.match(ends):
            if true_suffix in LOADERS:
                return suffix if LOADERS[suffix] == LOADERS[true_suffix] else true_suffix
            raise DocumentError(f"it is {what}, not a {suffix} file")
    return suffix
