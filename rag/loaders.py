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
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NamedTuple

from rag.errors import DocumentError
from rag.loaders_context import NO_SPEECH, Report, Speech, opened, run
from rag.loaders_headings import Style, mark_headings
from rag.loaders_kind import PASSWORD, find_kind
from rag.loaders_running import mark_bodies

if TYPE_CHECKING:
    from langchain_core.documents import Document


class Loader(NamedTuple):
    """Where the loader of a format lives, and how its pages tell their headings."""

    module: str
    function: str
    headings: Style = ""


_PDF = Loader("rag.loaders_pdf", "load_pdf", "flowing")
_TEXT = Loader("rag.loaders_text", "load_text")
_MARKDOWN = _TEXT._replace(headings="markdown")
_HTML = Loader("rag.loaders_web", "load_html", "outline")
_DOCX = Loader("rag.loaders_docx", "load_docx", "outline")
_PPTX = Loader("rag.loaders_pptx", "load_pptx", "hashes")
_DOC = Loader("rag.loaders_legacy", "load_doc", "outline")
_PPT = Loader("rag.loaders_legacy", "load_ppt", "hashes")
_PICTURE = Loader("rag.loaders_picture", "load_picture")
_XLSX = Loader("rag.loaders_sheets", "load_xlsx", "outline")
_SPEECH = Loader("rag.loaders_speech", "load_speech")
# fmt: off
_RECORDINGS = (
    ".mp3", ".wav", ".ogg", ".oga", ".opus", ".m4a", ".flac", ".aac", ".wma", ".aiff", ".amr",
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".mpg", ".mpeg", ".3gp",
)
_CODE = (
    ".adoc", ".c", ".cc", ".cfg", ".conf", ".cpp", ".cs", ".css", ".go", ".h", ".hpp", ".ini", ".java", ".js", ".jsx",
    ".kt", ".lua", ".php", ".pl", ".py", ".r", ".rb", ".rs", ".scala", ".sh", ".sql", ".swift", ".tex", ".toml", ".ts",
    ".tsx", ".yaml", ".yml",
)
# fmt: on

LOADERS: dict[str, Loader] = {
    ".pdf": _PDF,
    ".docx": _DOCX,
    ".docm": _DOCX,
    ".dotx": _DOCX,
    ".pptx": _PPTX,
    ".pptm": _PPTX,
    ".ppsx": _PPTX,
    ".doc": _DOC,
    ".dot": _DOC,
    ".ppt": _PPT,
    ".pps": _PPT,
    ".xlsx": _XLSX,
    ".xlsm": _XLSX,
    ".xls": Loader("rag.loaders_sheets", "load_xls", "outline"),
    ".odt": Loader("rag.loaders_odf", "load_odt", "outline"),
    ".odp": Loader("rag.loaders_odf", "load_odp", "hashes"),
    ".ods": Loader("rag.loaders_odf", "load_ods", "outline"),
    ".rtf": Loader("rag.loaders_rtf", "load_rtf", "hashes"),
    ".epub": Loader("rag.loaders_epub", "load_epub", "outline"),
    ".html": _HTML,
    ".htm": _HTML,
    ".xhtml": _HTML,
    ".mhtml": Loader("rag.loaders_mail", "load_mhtml", "outline"),
    ".mht": Loader("rag.loaders_mail", "load_mhtml", "outline"),
    ".eml": Loader("rag.loaders_mail", "load_eml"),
    ".msg": Loader("rag.loaders_mail", "load_msg"),
    ".mbox": Loader("rag.loaders_mail", "load_mbox"),
    ".csv": Loader("rag.loaders_text", "load_csv"),
    ".tsv": Loader("rag.loaders_text", "load_csv"),
    ".json": Loader("rag.loaders_data", "load_json"),
    ".jsonl": Loader("rag.loaders_data", "load_jsonl"),
    ".ndjson": Loader("rag.loaders_data", "load_jsonl"),
    ".xml": Loader("rag.loaders_data", "load_xml"),
    ".srt": Loader("rag.loaders_data", "load_subtitles"),
    ".vtt": Loader("rag.loaders_data", "load_subtitles"),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".gif", ".bmp", ".heic", ".heif"), _PICTURE),
    **dict.fromkeys(_RECORDINGS, _SPEECH),
    ".zip": Loader("rag.loaders_archive", "load_zip"),
    ".tar": Loader("rag.loaders_archive", "load_tar"),
    **dict.fromkeys((".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz"), Loader("rag.loaders_archive", "load_packed")),
    **dict.fromkeys((".txt", ".log"), _TEXT),
    **dict.fromkeys((".md", ".markdown"), _MARKDOWN),
    ".rst": _TEXT._replace(headings="rst"),
    ".org": _TEXT._replace(headings="org"),
    **dict.fromkeys(_CODE, Loader("rag.loaders_text", "load_code")),
}
SUFFIXES = frozenset(LOADERS)
PICTURES = frozenset(suffix for suffix, loader in LOADERS.items() if loader == _PICTURE)
RECORDINGS = frozenset(_RECORDINGS)
PLACED = ("lines", "moments")  # in a page's metadata: where, or when, each part of its text is seen or heard
ARCHIVES = frozenset(suffix for suffix, loader in LOADERS.items() if loader.module == "rag.loaders_archive")
_OLE = (".xls", ".msg", ".doc", ".ppt")

_CONVERT = "save it as {0}; LibreOffice does (soffice --convert-to {0} FILE)"
_ARCHIVE = "archives of this kind are not read; unpack it"

# Why a kind of file that people do have is not read, and the way out.
REFUSED: dict[str, str] = {
    ".xlsb": f"binary workbooks are not read; {_CONVERT.format('xlsx')}",
    ".odg": f"drawings are not read; {_CONVERT.format('pdf')}",
    ".encrypted": PASSWORD,
    **dict.fromkeys((".7z", ".rar"), _ARCHIVE),
}

# Everything clean_text touches: line ends of every kind, and characters that no store, page or protocol wants:
# control characters, lone surrogates and noncharacters.
_DIRT = re.compile(r"(\r\n?|[\x0b\x0c\x85\u2028\u2029])|[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")


def load_documents(
    path: Path, *, max_bytes: int, progress: Report | None = None, ocr: bool = True, speech: Speech | None = NO_SPEECH
) -> list[Document]:
    """The pages of a file in reading order; blank pages are kept, so that the n-th Document is the n-th page.

    `page_content` is the text of the page; `metadata` is {"page": counting from 1, or None where the format has no
    pages, "page_label": what the document itself calls the page, or None}. `max_bytes` is checked before reading;
    `progress` hears how far it is; `ocr` says whether text is recognised in pictures, `speech` where the model for
    recordings is. Where they are known, "headings" are [start, level, title] of each heading in the page's text, and
    "body" is [start, end] of that text without the headers and footers that all pages share. A page that could not be
    read has "unread" as well, the reason, and "try_again" where that may be over the next time. One that was recognised
    in a picture has "lines", (start, end, left, top, right, bottom) of each in characters and shares of the picture;
    one that was heard has "moments", (start, end, second). The first page of a file that is not what its name says has
    "misnamed", what it was read as, in words.

    Raises DocumentError, whose message completes "FILE was not added: ...", and SpeechModelNeeded if there is a
    recording and `speech` is None.
    """
    suffix = path.suffix.lower()
    if suffix not in LOADERS and suffix not in REFUSED:
        raise DocumentError(_unknown(suffix), "unsupported")
    with run(progress, ocr, speech):
        found, pages = _load(_read(path, max_bytes), path.name)
    if LOADERS[found] != LOADERS.get(suffix):
        pages[0].metadata["misnamed"] = f"read as {found}, which it is, whatever its name says"
    return pages


def load_bytes(data: bytes, name: str) -> list[Document]:
    """What load_documents gives for a file of that name and content; for what stands inside another file.

    Raises DocumentError.
    """
    return _load(data, name)[1]


def _load(data: bytes, name: str) -> tuple[str, list[Document]]:
    """The suffix by content, and the pages."""
    if not data.strip():
        raise DocumentError("it is empty", "empty")
    found = true_suffix(data, name)
    loader = LOADERS[found]
    try:
        with opened(name, len(data)):
            pages = _resolve(loader)(data)
    except OSError as error:
        if error.errno is None:  # a parser's own, of the data
            raise DocumentError(f"it is damaged: {error}") from error
        raise DocumentError(f"it could not be read: {error.strerror}", "unreadable") from error  # a temporary file's
    for page in pages:
        text = clean_text(page.page_content)
        if text != page.page_content:  # what counts its characters holds no more
            page.page_content = text
            for name in PLACED:
                page.metadata.pop(name, None)
        if "outline" in page.metadata:
            page.metadata["outline"] = [(level, clean_text(title)) for level, title in page.metadata["outline"]]
    if not any(page.page_content.strip() for page in pages):
        raise DocumentError("there is no text in it", "empty")
    if loader == _PDF:
        mark_bodies(pages)
    mark_headings(pages, loader.headings)
    return found, pages


def true_suffix(data: bytes, name: str) -> str:
    """The suffix by content, else by name; one of LOADERS. Raises DocumentError where there is no loader for it."""
    suffix = PurePath(name).suffix.lower()
    kind = find_kind(data)
    if kind is None or (kind.suffix in LOADERS and LOADERS.get(suffix) == LOADERS[kind.suffix]):
        if suffix in LOADERS:
            return suffix
        raise DocumentError(REFUSED.get(suffix) or _unknown(suffix), "unsupported")
    if kind.suffix == ".ole" and suffix in _OLE:  # its directory is lost; the loader says in which way it is damaged
        return suffix
    if kind.suffix in LOADERS and kind.suffix not in ARCHIVES:  # of a package that lacks its parts, not the parts
        return kind.suffix
    if suffix in LOADERS and kind.suffix != ".encrypted":
        raise DocumentError(f"it is {kind.what}, not a {suffix} file{_way_out(kind.suffix)}", "unsupported")
    raise DocumentError(
        REFUSED.get(kind.suffix) or REFUSED.get(suffix) or f"it is {kind.what}, which cannot be read",
        "password" if kind.suffix == ".encrypted" else "unsupported",
    )


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
            raise DocumentError("it is a folder", "unreadable")
        if not stat.S_ISREG(status.st_mode):
            raise DocumentError("it is not a regular file", "unreadable")
        if status.st_size > max_bytes:
            raise DocumentError(_too_large(status.st_size, max_bytes), "too_large")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise DocumentError("the file is not there (any more)", "unreadable") from None
    except PermissionError:
        raise DocumentError("there is no permission to read it", "unreadable") from None
    except OSError as error:
        raise DocumentError(f"it could not be read: {error.strerror or error}", "unreadable") from error
    if len(data) > max_bytes:  # it grew after the check
        raise DocumentError(_too_large(len(data), max_bytes), "too_large")
    return data


def _too_large(size: int, max_bytes: int) -> str:
    in_mib = math.ceil(size / 2**20 * 10) / 10  # rounded up: "100 MiB is over the limit of 100 MiB" helps nobody
    return f"{in_mib:g} MiB is over the limit of {max_bytes / 2**20:g} MiB (RAG_MAX_FILE_MB)"


def _way_out(suffix: str) -> str:
    if suffix in ARCHIVES:
        return f"; if it is one, call it {suffix}"
    return f"; {REFUSED[suffix]}" if suffix in REFUSED else ""


def _unknown(suffix: str) -> str:
    kind = f"{suffix} files" if suffix else "files without a suffix"
    return f"{kind} cannot be read; these can: {', '.join(sorted(SUFFIXES - set(_CODE)))}, and source code"
