"""Rich text (.rtf): headings, lists, table rows and footnotes as lines.

Read by a scanner of our own, in one pass: see docs/decisions/formats.md for what the library does with hostile files.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field, replace

from langchain_core.documents import Document

from rag.errors import DocumentError
from rag.loaders_rows import join_lines

_TOKEN = re.compile(
    r"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})? ?|\\'(?P<hex>[0-9a-fA-F]{2})|\\(?P<symbol>[^a-zA-Z])"
    r"|(?P<brace>[{}])|(?P<text>[^\\{}\r\n]+)"
)
# fmt: off
_CHARACTERS = {
    "tab": "\t", "line": "\n", "emdash": "—", "endash": "–", "bullet": "•", "lquote": "‘", "rquote": "’",
    "ldblquote": "“", "rdblquote": "”", "emspace": " ", "enspace": " ", "qmspace": " ", "cell": " | ",
    "nestcell": " | ",
}
_SYMBOLS = {"~": " ", "_": "-", "{": "{", "}": "}", "\\": "\\", "\n": "\n", "\r": "\n"}
_UNSEEN = frozenset((
    "colortbl", "info", "pict", "object", "fldinst", "xe", "tc", "rxe", "bkmkstart", "bkmkend", "sp", "shprslt",
    "nonesttables", "pgdsctbl", "listtable", "listoverridetable", "revtbl", "rsidtbl", "generator", "filetbl", "atnid",
    "atnauthor", "ftnsep", "ftnsepc", "ftncn", "aftnsep", "aftnsepc", "aftncn", "latentstyles", "themedata",
    "datastore", "ud",
))
_SEEN = frozenset(("shpinst", "shptxt", "annotation", "footnote"))  # although marked as one that may be ignored
_CODEPAGES = {
    77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gb18030", 136: "cp950", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251",
    222: "cp874", 238: "cp1250",
}
# fmt: on
_NOTES = {"footnote": "footnote", "annotation": "comment"}
_FURNITURE = frozenset(f"{kind}{where}" for kind in ("header", "footer") for where in ("", "f", "l", "r"))
_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_MAX_DEPTH = 10_000


@dataclass(slots=True)
class _Group:
    """What holds until the group's brace closes."""

    target: str = "text"  # or "unseen", "stylesheet", "fonttbl", "header", "footer", "note"
    font: int | None = None
    fallback: int = 1  # how many characters stand after a Unicode one for those who cannot read it
    opens: str = ""  # the kind of note that begins with this group


@dataclass(slots=True)
class _State:
    """What has been read so far."""

    encoding: str = "cp1252"
    fonts: dict[int, str] = field(default_factory=dict)
    headings: dict[int, int] = field(default_factory=dict)  # style: level
    lines: list[str] = field(default_factory=list)
    furniture: dict[str, None] = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)  # of a header, footer or name
    level: int = 0  # of the heading that the paragraph is
    style: int = 0
    in_table: bool = False
    notes: int = 0  # that are open


def load_rtf(data: bytes) -> list[Document]:
    """A rich text as one Document. Raises DocumentError if it is not one, or nested without end."""
    if not data.lstrip().startswith(b"{\\rtf"):
        raise DocumentError("it is damaged, or not an RTF document at all")
    state = _State()
    _scan(data.decode("latin-1"), state)
    _end_paragraph(state)
    text = join_lines([*state.furniture, "", *state.lines])
    return [Document(page_content=text, metadata={"page": None, "page_label": None})]


def _scan(source: str, state: _State) -> None:
    groups = [_Group()]
    position = skip = 0
    waiting = bytearray()  # bytes of a character that may have several
    starred = False
    while match := _TOKEN.search(source, position):
        position = match.end()
        group = groups[-1]
        if match["hex"]:
            if skip:
                skip -= 1
            else:
                waiting.append(int(match["hex"], 16))
            continue
        if waiting:
            encoding = state.fonts.get(group.font, state.encoding) if group.font is not None else state.encoding
            _write(waiting.decode(encoding, "replace"), group, state)
            waiting.clear()
        if match["brace"] == "{":
            if len(groups) > _MAX_DEPTH:
                raise DocumentError(f"it is nested deeper than {_MAX_DEPTH:,} levels", "too_large")
            groups.append(replace(group, opens=""))
            skip, starred = 0, False
        elif match["brace"]:
            _close(group, state)
            if len(groups) > 1:
                groups.pop()
            skip = 0
        elif match["text"]:
            text = match["text"][skip:]
            skip = max(0, skip - len(match["text"]))
            _write(text, group, state)
        elif symbol := match["symbol"]:
            if symbol == "*":
                starred = True
            elif skip:
                skip -= 1
            else:
                _write(_SYMBOLS.get(symbol, ""), group, state)
        else:
            word, number = match["word"], int(match["number"]) if match["number"] else None
            if word == "bin":
                position += max(0, number or 0)
            elif word == "u" and number is not None:
                skip = group.fallback
                _write(chr(number % 0x10000), group, state)
            else:
                _control(word, number, group, state, starred)
            starred = False


def _control(word: str, number: int | None, group: _Group, state: _State, starred: bool) -> None:
    if word in _UNSEEN or (starred and word not in _SEEN):
        group.target = "unseen"
    elif group.target == "unseen":
        return
    elif word in _FURNITURE:
        group.target = word[:6]
    elif word in ("stylesheet", "fonttbl"):
        group.target = word
    elif word in _NOTES:
        group.opens = word
        state.notes += 1
        _write(f" ({_NOTES[word]}: ", group, state)
    elif word == "ansicpg":
        state.encoding = _known(f"cp{number}", state.encoding)
    elif word == "uc":
        group.fallback = max(0, number or 0)
    elif word == "f":
        group.font = number
    elif word == "fcharset" and group.target == "fonttbl" and group.font is not None and number in _CODEPAGES:
        state.fonts[group.font] = _CODEPAGES[number]
    elif word == "s":
        state.style = number or 0
        state.level = state.level if group.target == "stylesheet" else state.headings.get(state.style, 0)
    elif word == "outlinelevel" and group.target == "text":
        state.level = (number or 0) + 1 if (number or 0) < 9 else 0
    elif word == "pard":
        state.level, state.in_table = 0, False
    elif word == "intbl":
        state.in_table = True
    elif word in ("par", "sect", "page", "row", "nestrow"):
        _break(word, group, state)
    elif word in _CHARACTERS:
        _write(_CHARACTERS[word], group, state)


def _break(word: str, group: _Group, state: _State) -> None:
    if group.target in ("header", "footer"):
        _end_aside(state)
    elif word.endswith("row"):
        row = " ".join("".join(state.pieces).split()).removesuffix("|").rstrip()
        state.lines.append(row)
        state.pieces.clear()
    elif state.in_table or state.notes:
        _write(" ", group, state)
    else:
        _end_paragraph(state)


def _write(text: str, group: _Group, state: _State) -> None:
    if group.target in ("text", "note"):
        state.pieces.append(text)
    elif group.target in ("stylesheet", "header", "footer"):
        state.aside.append(text)


def _close(group: _Group, state: _State) -> None:
    if group.opens:
        state.notes -= 1
        _write(")", group, state)
    elif group.target == "stylesheet":
        if match := _HEADING.match("".join(state.aside).strip()):
            state.headings[state.style] = int(match[1])
        state.aside.clear()
        state.style = 0
    elif group.target in ("header", "footer"):
        _end_aside(state)


def _end_aside(state: _State) -> None:
    line = _text(state.aside)
    if any(char.isalpha() for char in line):
        state.furniture[line] = None
    state.aside.clear()


def _end_paragraph(state: _State) -> None:
    text = _text(state.pieces)
    state.pieces.clear()
    if text:
        heading = "#" * min(state.level, 6) + " " if state.level else ""
        state.lines += ["", heading + text, ""] if heading else [text, ""]


def _text(pieces: list[str]) -> str:
    """The text of pieces, in which characters beyond the first plane are pairs."""
    text = "".join(pieces).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return "\n".join(" ".join(line.split()) for line in text.split("\n")).strip()


def _known(encoding: str, default: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        return default
