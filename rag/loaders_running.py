"""Headers and footers that run over the pages of a document, and where each page's own text begins and ends."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.documents import Document

_FEWEST = 4  # pages with the same line, below which it floods nothing
_SHARE = 0.4  # of the pages: headers of left and right pages differ
_EDGE = 4  # lines at either end of a page that may be running ones
_LONGEST = 200  # characters of such a line
_NUMBER = re.compile(r"\d{1,6}")
_LINE = re.compile(r"[^\n]*\S[^\n]*")

Line = tuple[int, int, frozenset[str]]  # start, end, and the forms under which it may be found again


def mark_bodies(pages: Sequence[Document]) -> None:
    """Give each page that has running lines its "body", [start, end] in its text: what is to be split.

    A line runs that stands among the outermost of a page on many pages, the same but for one number that grows with
    the pages. Where it stands first it is left in the text that is split, so that what it says is found; no line
    further in is touched, and none that only some numbers tell from others, as the rows of a table.
    """
    edges = [_edges(page.page_content, index) for index, page in enumerate(pages)]
    fewest = max(_FEWEST, _SHARE * sum(bool(page.page_content.strip()) for page in pages))
    for side in (0, 1):
        counts = Counter(form for page in edges for form in {form for line in page[side] for form in line[2]})
        running = {form for form, count in counts.items() if count >= fewest}
        seen: set[str] = set()
        for page, lines in zip(pages, edges, strict=True):
            cut, known = None, seen.copy()
            for start, end, forms in lines[side]:
                if not forms & running:
                    break
                seen |= forms & running
                if seen == known:
                    cut = start if side else end
            if cut is not None:
                begin, stop = page.metadata.get("body", (0, len(page.page_content)))
                page.metadata["body"] = [begin, max(begin, cut)] if side else [cut, stop]


def _edges(text: str, index: int) -> tuple[list[Line], list[Line]]:
    """The first lines of a page, from the outermost one inwards, and the last ones."""
    spans = []
    for match in _LINE.finditer(text):
        spans.append(match.span())
        if len(spans) == _EDGE:
            break
    ends: list[tuple[int, int]] = []
    stop = len(text)
    while len(ends) < _EDGE and stop > 0:
        start = text.rfind("\n", 0, stop) + 1
        if text[start:stop].strip():
            ends.append((start, stop))
        stop = start - 1
    return [_line(text, *span, index) for span in spans], [_line(text, *span, index) for span in ends]


def _line(text: str, start: int, end: int, index: int) -> Line:
    said = " ".join(text[start:end].split()).casefold()
    if len(said) > _LONGEST:
        return start, end, frozenset()
    numbered = (
        f"{said[: match.start()]}\0{int(match[0]) - index}\0{said[match.end() :]}" for match in _NUMBER.finditer(said)
    )
    return start, end, frozenset((said, *numbered))
