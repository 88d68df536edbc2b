"""HTML: the text a browser would show, with headings, lists and tables as readable lines."""

from __future__ import annotations

import re
import warnings

from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning
from bs4.element import NavigableString, Tag
from langchain_core.documents import Document

from rag.loaders_text import decode_text

warnings.filterwarnings("ignore", category=XMLParsedAsHTMLWarning)  # a page is a page, also one that says it is XML

_DECLARED = re.compile(rb"(?:charset|encoding)\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
# fmt: off
_UNSEEN = frozenset(
    ("script", "style", "template", "noscript", "head", "title", "object", "embed", "iframe", "svg", "canvas",
     "audio", "video", "map", "datalist")
)
_PARAGRAPHS = frozenset(
    ("p", "div", "section", "article", "aside", "main", "header", "footer", "nav", "blockquote", "pre",
     "table", "ul", "ol", "dl", "figure", "form", "fieldset", "details", "address", "hr", "h1", "h2", "h3",
     "h4", "h5", "h6", "body")
)
_LINES = frozenset(
    ("br", "li", "dt", "dd", "tr", "caption", "figcaption", "summary", "legend", "option")
)
# fmt: on
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_CELLS = frozenset(("td", "th"))


def load_html(data: bytes) -> list[Document]:
    """A web page as one Document. Raises DocumentError if it is not text."""
    declared = _DECLARED.search(data[:4096])
    soup = BeautifulSoup(decode_text(data, declared[1].decode("ascii", "ignore") if declared else None), "lxml")
    writer = _Writer()
    _write(soup, writer)
    text = writer.text()
    title = " ".join(soup.title.get_text().split()) if soup.title else ""
    if title and title not in text[: len(title) + 10]:
        text = f"{title}\n\n{text}"
    return [Document(page_content=text.strip(), metadata={"page": None, "page_label": None, "outline": writer.outline})]


class _Writer:
    """Lines of text in the making: runs of white space become one space, and breaks never pile up."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.outline: list[tuple[int, str]] = []  # the levels of the headings so far, and their text
        self.words: list[str] = []  # of the line that is being written
        self.prefix = ""  # of that line: a list's bullet, a heading's marks
        self.preformatted = False
        self.lists: list[int | None] = []  # the open lists: the next number, or None where they have bullets
        self.tables: list[bool] = []  # the open tables: whether each holds data, or other tables (then it is layout)
        self.in_row = False  # of a table of data
        self.column = 0  # of that row
        self.cell_start = 0  # of the cell's text in `words`
        self.spans: dict[int, tuple[int, str]] = {}  # column: how many more rows a cell above reaches into, its text

    def write(self, text: str) -> None:
        if not self.preformatted:
            self.words.append(text)
            return
        first, *rest = text.split("\n")
        self.words.append(first)
        for line in rest:
            self.end_line()
            self.words.append(line)

    def begin_cell(self) -> None:
        self.repeat_spans()
        self.words.append(" | " if self.column else "")
        self.cell_start = len(self.words)

    def end_cell(self, rows: int, columns: int) -> None:
        if rows > 1:
            self.spans[self.column] = (rows - 1, "".join(self.words[self.cell_start :]))
        self.column += columns

    def repeat_spans(self) -> None:
        """A cell that reaches down is repeated in each row, where it belongs to what that row says."""
        while self.column in self.spans:
            rows, text = self.spans.pop(self.column)
            if rows > 1:
                self.spans[self.column] = (rows - 1, text)
            self.words.append(f" | {text}" if self.column else text)
            self.column += 1

    def begin_item(self) -> None:
        number = self.lists[-1] if self.lists else None
        self.prefix = "  " * (len(self.lists) - 1) + ("- " if number is None else f"{number}. ")
        if number is not None:
            self.lists[-1] = number + 1

    def end_line(self) -> None:
        joined = "".join(self.words)
        line = joined.rstrip() if self.preformatted else " ".join(joined.split())
        self.words.clear()
        if line.strip("| "):
            if self.prefix in _HEADINGS.values():
                self.outline.append((len(self.prefix) - 1, line))
            self.lines.append(self.prefix + line)
            self.prefix = ""
        elif self.preformatted and self.lines and self.lines[-1]:
            self.lines.append("")

    def end_paragraph(self) -> None:
        self.end_line()
        if self.lines and self.lines[-1] and not self.lists:
            self.lines.append("")

    def text(self) -> str:
        self.end_line()
        return "\n".join(self.lines)


def _write(soup: BeautifulSoup, writer: _Writer) -> None:
    # With a stack of its own: pages nest deeper than Python's.
    stack: list[tuple[object, bool]] = [(soup, False)]
    while stack:
        node, leaving = stack.pop()
        if isinstance(node, Tag):
            if leaving:
                _leave(node, writer)
            elif not _is_unseen(node):
                _enter(node, writer)
                stack.append((node, True))
                stack.extend((child, False) for child in reversed(node.contents))
        elif type(node) is NavigableString:  # its subclasses are comments, declarations and the like
            writer.write(node)


def _is_unseen(tag: Tag) -> bool:
    style = tag.get("style")
    return (
        tag.name in _UNSEEN or tag.has_attr("hidden") or (isinstance(style, str) and bool(_HIDDEN_STYLE.search(style)))
    )


def _enter(tag: Tag, writer: _Writer) -> None:
    name = tag.name
    if name in _CELLS and writer.in_row:
        writer.begin_cell()
        return
    _break(name, writer)
    if name in ("ul", "ol"):
        writer.lists.append(_number(tag, "start") if name == "ol" else None)
    elif name == "table":
        writer.tables.append(tag.find("table") is None)
        writer.spans.clear()
    elif name == "tr":
        writer.in_row = bool(writer.tables) and writer.tables[-1]
        writer.column = 0
    elif writer.in_row:
        return  # whatever a cell holds becomes part of its row's line
    elif name in _HEADINGS:
        writer.prefix = _HEADINGS[name]
    elif name == "li":
        writer.begin_item()
    elif name == "pre":
        writer.preformatted = True


def _leave(tag: Tag, writer: _Writer) -> None:
    name = tag.name
    if name == "br":
        return
    if name in _CELLS and writer.in_row:
        writer.end_cell(_number(tag, "rowspan"), _number(tag, "colspan"))
        return
    if name == "tr":
        if writer.in_row:
            writer.repeat_spans()
        writer.in_row = False
    elif name == "table":
        writer.tables.pop()
    elif name in ("ul", "ol"):
        _break("li", writer)
        writer.lists.pop()
    elif name == "pre" and writer.preformatted:
        writer.end_line()
        writer.preformatted = False
    _break(name, writer)
    if name in _HEADINGS:
        writer.prefix = ""  # it held no text


def _break(name: str, writer: _Writer) -> None:
    if writer.in_row:
        if name in _PARAGRAPHS or name in _LINES:
            writer.write(" ")
    elif name in _PARAGRAPHS:
        writer.end_paragraph()
    elif name in _LINES or name in _CELLS:
        writer.end_line()


def _number(tag: Tag, attribute: str) -> int:
    value = str(tag.get(attribute, "1")).strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) < 5 else 1
