"""OpenDocument: text (.odt) as one page, presentations (.odp) a page a slide, spreadsheets (.ods) a page a sheet."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import Any

from langchain_core.documents import Document

from rag.errors import DocumentError
from rag.loaders_kind import PASSWORD
from rag.loaders_package import (
    attribute,
    child,
    forget,
    iterate_part,
    local,
    open_package,
    parse_part,
    reading,
    whole_number,
)
from rag.loaders_rows import MAX_COLUMNS, bounded, comment_mark, join_lines, row_line, write_rows

_CONTENT = "content.xml"
_MANIFEST = "META-INF/manifest.xml"
_UNSEEN = frozenset(
    ("tracked-changes", "forms", "event-listeners", "shapes", "desc", "title", "ruby-text", "note-citation")
)
_MAX_REPEATED_ROWS = 1000  # of rows that are not blank
_FURNITURE = frozenset(("date-time", "footer", "header", "page-number"))


def load_odt(data: bytes) -> list[Document]:
    """A text document as one Document. Raises DocumentError if it is damaged, locked or too large."""
    with _open(data) as package, reading("an OpenDocument text"):
        body = _body(package, "text")
        furniture = _furniture(package)
        writer = _Writer(package)
        lines = writer.blocks(body)
        text = join_lines([*furniture["header"], "", *lines, "", *furniture["footer"]])
    return [Document(page_content=text, metadata={"page": None, "page_label": None, "outline": writer.outline})]


def load_odp(data: bytes) -> list[Document]:
    """One Document per slide. Raises DocumentError if it is damaged, locked or too large."""
    with _open(data) as package, reading("an OpenDocument presentation"):
        writer = _Writer(package)
        slides = [writer.slide(page) for page in _body(package, "presentation", "drawing") if local(page) == "page"]
    return [
        Document(page_content=text, metadata={"page": number, "page_label": f"slide {number}"})
        for number, text in enumerate(slides, start=1)
    ]


def load_ods(data: bytes) -> list[Document]:
    """One Document per sheet. Raises DocumentError if it is damaged, locked or too large."""
    pages: list[Document] = []
    with _open(data) as package, reading("an OpenDocument spreadsheet"):
        writer = _Writer(package)
        rows: list[list[str]] = []
        cells = 0
        for item in iterate_part(package, _CONTENT, "table-row", "table"):
            if any(local(ancestor) == "table-cell" for ancestor in item.iterancestors()):
                continue  # a table inside a cell
            if local(item) == "table":
                name = attribute(item, "name")
                text = write_rows(rows)
                content = f"# {name}\n\n{text}" if text else ""
                metadata = {"page": len(pages) + 1, "page_label": f"sheet {name}", "outline": [[1, name]]}
                pages.append(Document(page_content=content, metadata=metadata))
                rows = []
                continue
            for row in bounded(writer.rows(item), cells):
                rows.append(list(row))
                cells += max(1, len(row))
            forget(item)
    return pages


def _open(data: bytes) -> zipfile.ZipFile:
    package = open_package(data)
    with reading("an OpenDocument file"):
        if _MANIFEST in package.NameToInfo and b"encryption-data" in package.read(_MANIFEST):
            raise DocumentError(PASSWORD, "password")
    return package


def _body(package: zipfile.ZipFile, *kinds: str) -> Any:
    root = parse_part(package, _CONTENT)
    for kind in kinds:
        if (body := child(root, "body", kind)) is not None:
            return body
    raise LookupError(f"no {kinds[0]} in {_CONTENT}")


def _furniture(package: zipfile.ZipFile) -> dict[str, list[str]]:
    """The lines of all headers and footers, each once: they stand on every page."""
    found: dict[str, list[str]] = {"header": [], "footer": []}
    if "styles.xml" in package.NameToInfo:
        writer = _Writer(package)
        for item in parse_part(package, "styles.xml").iter("{*}header", "{*}footer"):
            found[local(item)] += [line for line in writer.blocks(item) if any(char.isalpha() for char in line)]
    return {kind: list(dict.fromkeys(lines)) for kind, lines in found.items()}


class _Writer:
    """Elements to lines."""

    def __init__(self, package: zipfile.ZipFile) -> None:
        self.outline: list[tuple[int, str]] = []  # the levels of the headings met so far (0: a title), and their text
        self.numbered: set[tuple[str, int]] = set()  # the levels of list styles that count
        for part in ("styles.xml", _CONTENT):
            if part in package.NameToInfo:
                for style in iterate_part(package, part, "list-style"):
                    self.numbered |= {
                        (attribute(style, "name"), _number(level, "level"))
                        for level in style
                        if local(level) == "list-level-style-number" and attribute(level, "num-format")
                    }

    def blocks(self, container: Any) -> list[str]:
        """The lines of all blocks in an element."""
        lines: list[str] = []
        for item in container:
            name = local(item)
            if name in _UNSEEN:
                continue
            if name in ("p", "h"):
                lines += self._paragraph(item)
            elif name == "list":
                lines += [*self._list(item, attribute(item, "style-name"), 1), ""]
            elif name == "table":
                lines += self._table(item)
            else:
                lines += self.blocks(item)
        return lines

    def slide(self, page: Any) -> str:
        """A slide's title, its shapes, its notes."""
        titles: list[str] = []
        lines: list[str] = []
        notes: list[str] = []
        for item in page:
            kind = attribute(item, "class")
            if local(item) == "notes":
                notes = [line for frame in item if attribute(frame, "class") == "notes" for line in self.blocks(frame)]
            elif local(item) == "annotation":
                lines += [_comment(item), ""]
            elif kind == "title":
                title = " ".join(line for line in self.blocks(item) if line)
                titles += [f"# {title}", ""] if title else []
            elif kind not in _FURNITURE and local(item) not in _UNSEEN:
                lines += [*self.blocks(item), ""]
        return join_lines([*titles, *lines, *(["Notes:", *notes] if any(notes) else [])])

    def rows(self, row: Any) -> Iterator[list[str]]:
        """A row of a spreadsheet, as often as it is repeated; blank rows come once."""
        cells: list[str] = []
        for cell in row:
            if local(cell) in ("table-cell", "covered-table-cell") and len(cells) < MAX_COLUMNS:
                text = self._cell(cell)
                cells += [text] * min(_number(cell, "number-columns-repeated"), MAX_COLUMNS - len(cells))
        while cells and not cells[-1]:
            cells.pop()
        for _ in range(min(_number(row, "number-rows-repeated"), _MAX_REPEATED_ROWS) if cells else 1):
            yield cells

    def _paragraph(self, paragraph: Any) -> list[str]:
        pieces: list[str] = []
        boxes: list[Any] = []
        self._inline(paragraph, pieces, boxes)
        text = "\n".join(" ".join(line.split()) for line in "".join(pieces).split("\n")).strip()
        level = min(_number(paragraph, "outline-level"), 6) if local(paragraph) == "h" else 0
        titled = not level and attribute(paragraph, "style-name") == "Title"
        if (level or titled) and text:
            self.outline.append((level, text))
        level = level or int(titled)
        lines = ([""] if level else []) + [f"{'#' * level} {text}" if level else text, ""] if text else []
        return lines + [line for box in boxes for line in self.blocks(box)]

    def _inline(self, element: Any, pieces: list[str], boxes: list[Any]) -> None:
        pieces.append(_flat_ends(element.text))
        for item in element:
            name = local(item)
            if name == "s":
                pieces.append(" ")
            elif name == "tab":
                pieces.append("\t")
            elif name == "line-break":
                pieces.append("\n")
            elif name == "note":
                body = child(item, "note-body")
                note = " ".join(" ".join(self.blocks(body)).split()) if body is not None else ""
                pieces.append(f" ({attribute(item, 'note-class', 'footnote')}: {note})" if note else "")
            elif name == "annotation":
                pieces.append(f" {_comment(item)}")
            elif name in ("frame", "custom-shape", "rect", "g"):
                boxes.append(item)
            elif name not in _UNSEEN:
                self._inline(item, pieces, boxes)
            pieces.append(_flat_ends(item.tail))

    def _list(self, element: Any, style: str, level: int) -> list[str]:
        lines: list[str] = []
        number = 0
        for item in element:
            if local(item) not in ("list-item", "list-header"):
                continue
            own = [part for part in item if local(part) != "list"]
            texts = [line for line in self.blocks(own) if line]
            if texts and texts[0].startswith("#"):  # a numbered heading
                lines += ["", *texts, ""]
            elif texts:
                number += 1
                label = f"{number}. " if (style, level) in self.numbered else "- "
                lines += [f"{'  ' * (level - 1)}{label}{texts[0]}", *texts[1:]]
            for inner in (part for part in item if local(part) == "list"):
                lines += self._list(inner, attribute(inner, "style-name") or style, level + 1)
        return lines

    def _table(self, table: Any) -> list[str]:
        lines: list[str] = [""]
        spans: dict[int, tuple[int, str]] = {}
        for row in table.iter("{*}table-row"):
            if _nearest(row, "table") is not table:
                continue
            cells: list[str] = []
            inner: list[str] = []
            for cell in row:
                if local(cell) not in ("table-cell", "covered-table-cell"):
                    continue
                if next(cell.iterdescendants("{*}table"), None) is not None:
                    inner += self.blocks(cell)
                    text = ""
                else:
                    text = self._cell(cell)
                remaining, above = spans.pop(len(cells), (0, ""))
                if local(cell) == "covered-table-cell" and remaining:  # it belongs to what each row says
                    spans[len(cells)] = (remaining - 1, above)
                    text = above
                elif (rows := _number(cell, "number-rows-spanned")) > 1:
                    spans[len(cells)] = (rows - 1, text)
                cells += [text] * min(_number(cell, "number-columns-repeated"), MAX_COLUMNS)
            lines += [row_line(cells), *inner]
        return [*lines, ""]

    def _cell(self, cell: Any) -> str:
        said = " ".join(_comment(item) for item in cell if local(item) == "annotation")
        lines = [line for line in self.blocks([item for item in cell if local(item) != "annotation"]) if line]
        if len(lines) == 1:  # presentations make a list of every cell
            lines = [lines[0].removeprefix("- ")]
        return " ".join([*" ".join(lines).split(), *([said] if said else [])])


def _comment(annotation: Any) -> str:
    creator, date = child(annotation, "creator"), child(annotation, "date")
    texts = [" ".join("".join(item.itertext()).split()) for item in annotation.iter("{*}p")]
    mark = comment_mark(
        (creator.text or "") if creator is not None else "",
        (date.text or "").partition("T")[0] if date is not None else "",
    )
    return f"{mark} {' '.join(texts)})"


def _nearest(element: Any, name: str) -> Any:
    return next((ancestor for ancestor in element.iterancestors() if local(ancestor) == name), None)


def _flat_ends(text: str | None) -> str:
    """Line ends in the XML are white space; those of the text are elements."""
    return (text or "").replace("\r", " ").replace("\n", " ")


def _number(element: Any, name: str) -> int:
    return whole_number(attribute(element, name), 1)
