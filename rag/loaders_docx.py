"""Word documents (.docx): headings, numbered and bulleted lists, tables, notes, comments and text boxes as lines.

Read from the XML itself: see docs/decisions/formats.md for what the libraries leave out.
"""

from __future__ import annotations

import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from langchain_core.documents import Document

from rag.loaders_docx_math import write_math
from rag.loaders_embedded import Pictures
from rag.loaders_package import (
    Relation,
    addresses,
    attribute,
    child,
    forget,
    iterate_part,
    local,
    main_part,
    open_package,
    parse_part,
    reading,
    relations,
    whole_number,
)
from rag.loaders_rows import MAX_COLUMNS, comment_mark, join_lines, row_line

_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_UNSEEN = frozenset(("del", "moveFrom", "instrText", "delText", "Fallback", "pPr", "rPr", "sdtPr", "tblPr", "tcPr"))
_NOTES = {"footnoteReference": "footnote", "endnoteReference": "endnote", "commentReference": "comment"}
_PARTS = {"footnotes": "footnote", "endnotes": "endnote", "comments": "comment"}
_CHARACTERS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_ON = ("", "1", "true", "on")
_MAX_LEVEL = 8


class _Style(NamedTuple):
    base: str
    level: int | None  # of a heading, from 1; 0: the document's title
    number: tuple[str, int] | None  # the list's id, and the level in it


class _Level(NamedTuple):
    format: str
    text: str
    start: int


def load_docx(data: bytes) -> list[Document]:
    """A Word document as one Document. Raises DocumentError if it is damaged, locked or too large."""
    with open_package(data) as package, reading("a Word document"):
        reader = _Reader(package)
        text = reader.text()
    return [Document(page_content=text, metadata={"page": None, "page_label": None, "outline": reader.outline})]


class _Reader:
    """What the parts beside the text say, and how far the lists are counted; the headings met so far, with levels."""

    def __init__(self, package: zipfile.ZipFile) -> None:
        self.package = package
        self.part = main_part(package)
        self.relations = [item for item in relations(package, self.part).values() if item.part in package.NameToInfo]
        self.images = self._images(self.part)
        self.pictures = Pictures()
        self.addresses = addresses(package, self.part)
        self.styles = self._read_styles()
        self.lists = self._read_lists()
        self.counters: dict[str, dict[int, int]] = defaultdict(dict)
        self.outline: list[tuple[int, str]] = []
        self.notes: dict[tuple[str, str], str] = {}
        for relation in self.relations:
            if kind := _PARTS.get(relation.kind):
                self.notes.update(self._read_notes(relation, kind))

    def text(self) -> str:
        lines = self._furniture("header")
        for block in iterate_part(self.package, self.part, "p", "tbl"):
            if any(local(ancestor) in ("p", "tbl") for ancestor in block.iterancestors()):
                continue  # it belongs to one that is still to come
            lines += self._block(block)
            forget(block)
        return join_lines(lines + self._furniture("footer"))

    def _images(self, part: str) -> dict[str, str]:
        """The pictures of a part, by the ids that hold in it alone."""
        return {name: item.part for name, item in relations(self.package, part).items() if item.kind == "image"}

    @contextmanager
    def _within(self, part: str) -> Iterator[Any]:
        """The root of a part beside the text; within this, its pictures are those that ids name."""
        outer, self.images = self.images, self._images(part)
        try:
            yield parse_part(self.package, part)
        finally:
            self.images = outer

    def _parts(self, kind: str) -> Iterator[Any]:
        for relation in self.relations:
            if relation.kind == kind:
                with self._within(relation.part) as root:
                    yield root

    def _read_styles(self) -> dict[str, _Style]:
        styles = {}
        for style in (item for root in self._parts("styles") for item in root if local(item) == "style"):
            name, base = child(style, "name"), child(style, "basedOn")
            title = attribute(name, "val") if name is not None else ""
            match = _HEADING.fullmatch(title)
            level = int(match[1]) if match else 0 if title.lower() == "title" else None
            properties = child(style, "pPr")
            styles[attribute(style, "styleId")] = _Style(
                attribute(base, "val") if base is not None else "",
                _outline(properties) if level is None and properties is not None else level,
                _numbered(properties) if properties is not None else None,
            )
        return styles

    def _read_lists(self) -> dict[str, tuple[str, dict[int, _Level]]]:
        """By a list's id: the definition that it counts with, and its levels."""
        definitions: dict[str, dict[int, _Level]] = {}
        lists: dict[str, tuple[str, dict[int, _Level]]] = {}
        for item in (item for root in self._parts("numbering") for item in root):
            if local(item) == "abstractNum":
                levels = (level for level in item if local(level) == "lvl")
                definitions[attribute(item, "abstractNumId")] = {
                    _number(level, "ilvl"): _Level(
                        _value(level, "numFmt", "decimal"),
                        _value(level, "lvlText", ""),
                        whole_number(_value(level, "start", "1"), 1),
                    )
                    for level in levels
                }
            elif local(item) == "num":
                definition = _value(item, "abstractNumId", "")
                restarts = child(item, "lvlOverride", "startOverride") is not None
                number = attribute(item, "numId")
                lists[number] = (number if restarts else f"abstract {definition}", definitions.get(definition, {}))
        return lists

    def _read_notes(self, relation: Relation, kind: str) -> dict[tuple[str, str], str]:
        with self._within(relation.part) as root:
            return {
                (kind, attribute(note, "id")): f"{_note_mark(note, kind)} "
                f"{' '.join(' '.join(self._container(note)).split())})"
                for note in root
                if attribute(note, "type") not in ("separator", "continuationSeparator")
            }

    def _furniture(self, kind: str) -> list[str]:
        """The lines of all headers or footers, each once: they stand on every page."""
        lines = (line for root in self._parts(kind) for line in self._container(root) if line)
        once = [line for line in dict.fromkeys(lines) if any(char.isalpha() for char in line)]
        return [*once, ""] if once else []

    def _container(self, container: Any) -> list[str]:
        """The lines of all paragraphs and tables in an element."""
        lines: list[str] = []
        for item in container:
            if local(item) in ("p", "tbl"):
                lines += self._block(item)
            elif local(item) not in _UNSEEN:
                lines += self._container(item)
        return lines

    def _block(self, block: Any) -> list[str]:
        return self._table(block) if local(block) == "tbl" else self._paragraph(block)

    def _paragraph(self, paragraph: Any) -> list[str]:
        boxes: list[Any] = []
        notes: list[str] = []
        pieces: list[str] = []
        self._inline(paragraph, pieces, notes, boxes)
        text = "\n".join(" ".join(line.split()) for line in "".join(pieces).split("\n")).strip()
        text = " ".join([text, *notes]).strip()
        lines = []
        if text:
            level, label, indent = self._prefix(paragraph)
            if level is None:
                lines = [f"{indent}{label}{text}"] if label else [text, ""]
            else:
                lines = ["", f"{'#' * max(1, level)} {label}{text}", ""]
                self.outline.append((level, f"{label}{text}"))
        for box in boxes:
            lines += self._container(box)
        return lines + self._pictures(paragraph)

    def _pictures(self, paragraph: Any) -> list[str]:
        """What is written on the pictures in a paragraph; each is named once for today's Word and once for old ones."""
        found = (
            attribute(item, "embed") or attribute(item, "id") for item in paragraph.iter("{*}blip", "{*}imagedata")
        )
        parts = (self.images[name] for name in found if name in self.images)
        return [line for part in parts for line in self.pictures.part_lines(self.package, part)]

    def _prefix(self, paragraph: Any) -> tuple[int | None, str, str]:
        """The level of a heading (None: it is none), and a list's label with its indent."""
        properties = child(paragraph, "pPr")
        level = number = None
        name = ""
        if properties is not None:
            level, number = _outline(properties), _numbered(properties)
            name = _value(properties, "pStyle", "")
        for _ in range(_MAX_LEVEL):  # styles are based on styles, and a damaged file's on themselves
            style = self.styles.get(name)
            if style is None:
                break
            level = style.level if level is None else level
            number, name = number or style.number, style.base
        label, indent = ("", "") if number is None else self._label(*number)
        return level if level is None else min(level, 6), label, indent

    def _label(self, number: str, level: int) -> tuple[str, str]:
        if number not in self.lists:
            return "", ""  # "0" takes a paragraph out of the list of its style
        counter, levels = self.lists[number]
        definition = levels.get(level, _Level("bullet", "", 1))
        indent = "  " * level
        if definition.format in ("bullet", "none") or not definition.text:
            return "- ", indent
        counts = self.counters[counter]
        counts[level] = counts.get(level, definition.start - 1) + 1
        for deeper in [other for other in counts if other > level]:
            del counts[deeper]

        def numeral(match: re.Match[str]) -> str:
            other = int(match[1]) - 1
            shown = levels.get(other, definition)
            return _numeral(counts.get(other, shown.start), shown.format)

        return re.sub(r"%(\d)", numeral, definition.text) + " ", indent

    def _inline(self, element: Any, pieces: list[str], notes: list[str], boxes: list[Any]) -> None:
        for item in element:
            name = local(item)
            if name in _UNSEEN:
                continue
            if name == "t":
                pieces.append(item.text or "")
            elif name in _CHARACTERS:
                pieces.append(_CHARACTERS[name])
            elif name in _NOTES:
                note = self.notes.get((_NOTES[name], attribute(item, "id")))
                notes += [note] if note else []
            elif name == "txbxContent":
                boxes.append(item)
            elif name == "oMath":
                pieces.append(f" {write_math(item)} ")
            else:
                begin = len(pieces)
                self._inline(item, pieces, notes, boxes)
                address = self.addresses.get(attribute(item, "id")) if name == "hyperlink" else None
                if address and address not in "".join(pieces[begin:]):
                    pieces.append(f" ({address})")

    def _table(self, table: Any) -> list[str]:
        """A line "a | b | c" for each row; a cell that holds a table of its own is laid out as lines."""
        lines: list[str] = [""]
        above: dict[int, str] = {}
        for row in _items(table, "tr"):
            cells: list[str] = []
            inner: list[str] = []
            properties = child(row, "trPr")
            column = 0 if properties is None else whole_number(_value(properties, "gridBefore", "0"), 0)
            cells += [""] * min(column, MAX_COLUMNS)
            for cell in _items(row, "tc"):
                properties = child(cell, "tcPr")
                merge = child(properties, "vMerge") if properties is not None else None
                if next(cell.iterdescendants("{*}tbl"), None) is not None:
                    inner += self._container(cell)
                    text = ""
                elif merge is not None and attribute(merge, "val", "continue") == "continue":
                    text = above.get(column, "")  # a cell that reaches down belongs to what each row says
                else:
                    text = " ".join(" ".join(self._container(cell)).split())
                above[column] = text
                cells.append(text)
                column += 1 if properties is None else whole_number(_value(properties, "gridSpan", "1"), 1)
            lines.append(row_line(cells))
            lines += inner
        return [*lines, ""]


def _items(element: Any, name: str) -> Iterator[Any]:
    """The rows of a table or the cells of a row, also where content controls or tracked changes wrap them."""
    for item in element:
        if local(item) == name:
            yield item
        elif local(item) in ("sdt", "sdtContent", "customXml", "ins", "moveTo"):
            yield from _items(item, name)


def _note_mark(note: Any, kind: str) -> str:
    if kind != "comment":
        return f"({kind}:"
    return comment_mark(attribute(note, "author"), attribute(note, "date").partition("T")[0])


def _outline(properties: Any) -> int | None:
    level = child(properties, "outlineLvl")
    number = _number(level, "val") if level is not None else 9
    return number + 1 if number < 9 else None


def _numbered(properties: Any) -> tuple[str, int] | None:
    numbering = child(properties, "numPr")
    if numbering is None or child(numbering, "numId") is None:
        return None
    return _value(numbering, "numId", "0"), min(whole_number(_value(numbering, "ilvl", "0"), 0), _MAX_LEVEL)


def _value(element: Any, name: str, default: str) -> str:
    item = child(element, name)
    return attribute(item, "val", default) if item is not None else default


def _number(element: Any, name: str) -> int:
    return whole_number(attribute(element, name), 0)


def _numeral(number: int, form: str) -> str:
    if form in ("lowerLetter", "upperLetter") and number > 0:
        letters = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return letters.upper() if form == "upperLetter" else letters
    if form in ("lowerRoman", "upperRoman") and 0 < number < 4000:
        roman = ""
        for value, letters in _ROMAN:
            roman += letters * (number // value)
            number %= value
        return roman.upper() if form == "upperRoman" else roman
    return f"{number:02d}" if form == "decimalZero" else str(number)


_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
    (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
