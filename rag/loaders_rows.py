"""Rows of cells to lines that mean something alone: a table's header is repeated in each of its rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from rag.errors import DocumentError
from rag.loaders_context import report_progress

MAX_CELLS = 5_000_000  # of a document, blank ones that its file spells out included
MAX_COLUMNS = 16_384  # which is what a spreadsheet may have

_NUMBER = re.compile(r"[-+(]?\s?[$€£¥]?\s?\d[\d.,:/\s-]*%?\)?")
_YEAR = re.compile(r"(?:1[89]|20)\d\d")


def join_lines(lines: Iterable[str]) -> str:
    """The lines as a text, blank ones never more than one in a row."""
    return re.sub(r"\n(?:[ \t]*\n){2,}", "\n\n", "\n".join(lines)).strip("\n")


def row_line(cells: Sequence[str]) -> str:
    """A row as "a | b | c"; nothing if all cells are blank."""
    return " | ".join(cells) if any(cells) else ""


def comment_mark(author: str = "", when: str = "") -> str:
    """What stands before a reviewer's comment: "(comment by Ann, 2026-01-31:"."""
    said = ", ".join(item for item in (f"by {author}" if author else "", when) if item)
    return f"(comment {said}:" if said else "(comment:"


def bounded(rows: Iterable[Sequence[str]], cells: int = 0) -> Iterator[Sequence[str]]:
    """The rows, as long as their cells, and the `cells` before them, are not too many. Raises DocumentError."""
    for number, row in enumerate(rows):
        report_progress(number, 0, "rows")
        cells += max(1, len(row))
        if cells > MAX_CELLS:
            raise DocumentError(f"it is too large: its tables have over {MAX_CELLS:,} cells", "too_large")
        yield row


def write_rows(rows: Iterable[Sequence[str]]) -> str:
    """The text of a sheet. Blank rows part its tables, of which each may have a header.

    Under a header each row is lines of "column: value", and rows are parted by a blank line; without one a row is a
    line "a | b | c". A title above the header stays a line of its own.
    """
    lines: list[str] = []
    table: list[list[str]] = []  # the first rows of a table, until it is known whether one is its header
    header: dict[int, str] | None = None
    for row in rows:
        cells = [" ".join(cell.split()) for cell in row]
        if not any(cells):
            lines += [*_plain(table), ""]
            table, header = [], None
        elif header is not None:
            lines += [*_named(header, cells), ""]
        elif table and _is_header(table[-1], cells):
            header = {column: name.rstrip(":") for column, name in enumerate(table.pop())}
            lines += [*_plain(table), "", *_named(header, cells), ""]
            table = []
        else:
            lines += _plain(table)
            table = [cells]
    return join_lines([*lines, *_plain(table)])


def _plain(rows: Iterable[Sequence[str]]) -> list[str]:
    return [" | ".join(cell for cell in row if cell) for row in rows]


def _named(header: dict[int, str], cells: Sequence[str]) -> list[str]:
    named = ((header.get(column, ""), cell) for column, cell in enumerate(cells) if cell)
    return [f"{name}: {cell}" if name else cell for name, cell in named]


def _is_header(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether a row names the columns of the next: words, all different, over every cell but a first one."""
    names = [name for name in first if name]
    over = {column for column, name in enumerate(first) if name}
    under = {column for column, cell in enumerate(second) if cell}
    return (
        len(names) > 1
        and len(set(names)) == len(names)
        and all(any(char.isalpha() for char in name) or _YEAR.fullmatch(name) for name in names)
        and not any(_NUMBER.fullmatch(name) and not _YEAR.fullmatch(name) for name in names)
        and under <= over | {min(under, default=0)}
        and (len(names) > 2 or any(_NUMBER.fullmatch(cell) for cell in second))
    )
