"""Plain text, Markdown and CSV. Also the detection of a text's encoding."""

from __future__ import annotations

import codecs
import csv
import io
import re
import tempfile
from pathlib import Path, PurePath

import charset_normalizer
from langchain_community.document_loaders.csv_loader import CSVLoader
from langchain_core.documents import Document

from rag.errors import DocumentError
from rag.loaders_context import file_name

csv.field_size_limit(2**31 - 1)  # the default of 128 KiB refuses long fields; files are bounded by max_bytes already

_BOMS = (  # UTF-32 before UTF-16: one little-endian mark begins with the other
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROLS = bytes({*range(32), 127} - set(b"\b\t\n\v\f\r\x1b"))
_SUPERSETS = {  # what files declared or detected as the left are in practice
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
# The encodings of Latin script, likeliest first. Where several read equally well (French in cp1252 is fluent nonsense
# in cp1250), the detector's own order is a coin toss and this one decides.
_LATIN = ("cp1252", "iso8859_2", "cp1250", "cp1254", "mac_roman", "cp850")
_SAMPLE = 2**16
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_MAX_COLUMNS = 16_384  # which is what a spreadsheet may have
_DELIMITERS = ",;\t|"
_NUMBER = re.compile(r"[-+]?[$€£]?\s?\d[\d.,\s]*%?")
_YEAR = re.compile(r"(?:1[89]|20)\d\d")


# As langchain-text-splitters calls them
_LANGUAGES = {
    **dict.fromkeys((".c", ".h"), "c"),
    **dict.fromkeys((".cc", ".cpp", ".hpp"), "cpp"),
    **dict.fromkeys((".js", ".jsx"), "js"),
    **dict.fromkeys((".ts", ".tsx"), "ts"),
    ".cs": "csharp",
    ".go": "go",
    ".java": "java",
    ".kt": "kotlin",
    ".lua": "lua",
    ".php": "php",
    ".py": "python",
    ".r": "r",
    ".rb": "ruby",
    ".rs": "rust",
    ".scala": "scala",
    ".swift": "swift",
    ".tex": "latex",
}


def load_text(data: bytes) -> list[Document]:
    """Plain text or Markdown as one Document. Raises DocumentError if it is not text."""
    text = _ANSI.sub("", decode_text(data))
    return [Document(page_content=text, metadata={"page": None, "page_label": None})]


def load_code(data: bytes) -> list[Document]:
    """Source code as one Document; "language" in its metadata says where it is best split. Raises DocumentError."""
    (page,) = load_text(data)
    if language := _LANGUAGES.get(PurePath(file_name()).suffix.lower()):
        page.metadata["language"] = language
    return [page]


def load_csv(data: bytes) -> list[Document]:
    """A table as one Document: each row as lines of "column: value", rows parted by a blank line.

    The delimiter is the one of , ; tab | that parts the rows most evenly. Raises DocumentError if it is not text.
    """
    text = decode_text(data).replace("\r\n", "\n").replace("\r", "\n")
    delimiter = _delimiter(text)
    rows = _rows(text, delimiter)
    has_header = len(rows) > 1 and not any(_is_number(cell) for cell in rows[0])
    width = max(map(len, rows), default=0)
    if width > _MAX_COLUMNS:
        raise DocumentError(f"it is too large: its table has over {_MAX_COLUMNS:,} columns", "too_large")
    names = _column_names(rows[0] if has_header else [], width)
    with tempfile.TemporaryDirectory() as folder:  # CSVLoader reads a path; the original's encoding is settled by now
        path = Path(folder, "table.csv")
        path.write_text(text, encoding="utf-8", errors="ignore", newline="")
        loader = CSVLoader(
            path,
            encoding="utf-8",
            csv_args={"fieldnames": names, "restval": "", "delimiter": delimiter, "skipinitialspace": True},
        )
        try:
            records = [record.page_content for record in loader.load()]
        except RuntimeError as error:
            raise DocumentError(f"its table could not be read: {error.__cause__ or error}") from error
    if has_header:
        records = records[1:]
    blank = {f"{name}: " for name in names}
    lines = ("\n".join(line for line in record.split("\n") if line not in blank) for record in records)
    content = "\n\n".join(record for record in lines if record)
    return [Document(page_content=content, metadata={"page": None, "page_label": None})]


def decode_text(data: bytes, declared: str | None = None) -> str:
    """The text of `data`, without NULs: by its byte order mark, else UTF-8, else as `declared`, else by detection.

    Raises DocumentError if it is not text.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace").replace("\0", "")
    if wide := _unmarked_utf16(data):
        return data.decode(wide, errors="replace").replace("\0", "")
    controls = len(data) - len(data.translate(None, _CONTROLS))
    if controls > max(8, len(data) // 20):
        raise DocumentError("it holds binary data, not text", "unsupported")
    data = data.replace(b"\0", b"")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    damaged = data.decode("utf-8", errors="replace")
    foreign = sum(map(len, re.findall(r"[^\x00-\x7f]+", damaged)))
    if damaged.count("\ufffd") * 10 <= foreign:  # UTF-8 with a few broken bytes, not another encoding
        return damaged
    if declared and (text := _decode_as(data, declared)) is not None:
        return text
    return data.decode(_detect(data), errors="replace")


def _decode_as(data: bytes, declared: str) -> str | None:
    try:
        name = codecs.lookup(declared).name
        return data.decode(_SUPERSETS.get(name, name))
    except (LookupError, UnicodeDecodeError):
        return None


def _unmarked_utf16(data: bytes) -> str | None:
    """UTF-16 without a mark shows by its zeros: Latin text has one in every second byte."""
    head = data[:_SAMPLE]
    even, odd, pairs = head[0::2].count(0), head[1::2].count(0), len(head) // 2
    if pairs >= 4 and max(even, odd) > pairs * 0.3 and min(even, odd) < pairs * 0.05:
        return "utf-16-le" if odd > even else "utf-16-be"
    return None


def _detect(data: bytes) -> str:
    """The likeliest encoding of text that is not UTF-8."""
    lines = (line for line in data.split(b"\n") if not line.isascii())
    sample = b""
    for line in lines:  # the plain lines would say nothing, and would crowd out those that do
        sample += line[:_SAMPLE] + b"\n"
        if len(sample) >= _SAMPLE:
            break
    best = charset_normalizer.from_bytes(sample).best()
    if best is None:
        raise DocumentError(
            "it is not text, or in an encoding that could not be recognised; save it as UTF-8", "unsupported"
        )
    runs = re.findall(r"[^\x00-\x7f]+", str(best))
    if len("".join(runs)) < 1.8 * len(runs):  # letters with accents stand alone among plain ones: Latin script
        return _detect_latin(sample)
    return _SUPERSETS.get(codecs.lookup(best.encoding).name, best.encoding)


def _detect_latin(sample: bytes) -> str:
    matches = charset_normalizer.from_bytes(sample, cp_isolation=list(_LATIN))
    if matches and all(match.language == "Turkish" for match in matches):
        return "cp1254"
    least = min((match.chaos for match in matches), default=0)
    good = {name for match in matches if match.chaos <= least + 0.01 for name in match.could_be_from_charset}
    return next((name for name in _LATIN if name in good), "cp1252")


def _rows(text: str, delimiter: str) -> list[list[str]]:
    return [row for row in csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True) if row]


def _delimiter(text: str) -> str:
    def evenness(delimiter: str) -> tuple[int, int]:
        widths = [len(row) for row in _rows(text[:_SAMPLE], delimiter) if len(row) > 1]
        common = max(set(widths), key=widths.count, default=0)
        return widths.count(common), common

    return max(_DELIMITERS, key=evenness)


def _column_names(header: list[str], width: int) -> list[str]:
    """One distinct name for each column: csv.DictReader would lose columns of the same name, and unnamed ones."""
    names: list[str] = []
    for number in range(1, width + 1):
        name = " ".join(header[number - 1].split()) if number <= len(header) else ""
        name = name or f"column {number}"
        names.append(f"{name} ({number})" if name in names else name)
    return names


def _is_number(cell: str) -> bool:
    """Column names are words or years; a number in the first row tells that the table has no header."""
    cell = cell.strip()
    return bool(_NUMBER.fullmatch(cell)) and not _YEAR.fullmatch(cell)
