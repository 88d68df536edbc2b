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
_AHEAD = 100  # how far a page's number may be from its place in the document where nothing else says what it is
_NUMBER = re.compile(r"\d{1,6}")
_ALONE = re.compile(r"(?:[\W\d_]|\b(?:of|von|de|sur|di|van|af|av|z|из)\b)*")  # "7 of 30", "- 7 -"
_NAMED = re.compile(
    r"(?:^|[\W\d_])(?:pages?|pg|pp?|seite|s|p[áa]gina|p[áa]g|bladzijde|blz|side|sid[ao]?|sivu|strona|str|strana|oldal|sayfa|"
    r"стр|страница|сторінка)[.:]?\s*$|第\s*$"
)
_BAR_BEFORE = re.compile(r"(?:\s[–—-]\s|[|•·]|\s{2}|\t)\s*$")
_BAR_AFTER = re.compile(r"\s*(?:\s[–—-]\s|[|•·]|\s{2}|\t)")
_LINE = re.compile(r"[^\n]*\S[^\n]*")

Line = tuple[int, int, frozenset[str]]  # start, end, and the forms under which it may be found again


def mark_bodies(pages: Sequence[Document]) -> None:
    """Give each page that has running lines its "body", [start, end] in its text: what is to be split.

    A line runs that stands among the outermost of a page on many pages, the same but for one number that grows with
    the pages and is theirs by its looks ("Step 7" or "Invoice 1007" atop a page is what the page is about). Where it
    stands first it is left in the text that is split, so that what it says is found; no line further in is touched, and
    none that only some numbers tell from others, as the rows of a table.
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
    return (
        [_line(text, *span, index, at_foot=False) for span in spans],
        [_line(text, *span, index, at_foot=True) for span in ends],
    )


def _line(text: str, start: int, end: int, index: int, at_foot: bool) -> Line:
    line = text[start:end].strip().casefold()
    if len(line) > _LONGEST:
        return start, end, frozenset()
    forms = {" ".join(line.split())}
    for match in _NUMBER.finditer(line):
        before, after, ahead = line[: match.start()], line[match.end() :], int(match[0]) - index
        if _counts_pages(before, after, ahead, at_foot):
            forms.add(" ".join(f"{before}\0{ahead}\0{after}".split()))
    return start, end, frozenset(forms)


def _counts_pages(before: str, after: str, ahead: int, at_foot: bool) -> bool:
    """Whether a number of a line may be its page's, by what stands around it and how far it is ahead of the page."""
    if _ALONE.fullmatch(before + after) or _NAMED.search(before):
        return True
    apart = (not after and _BAR_BEFORE.search(before)) or (not before and _BAR_AFTER.match(after))
    return bool(apart or at_foot) and abs(ahead) <= _AHEAD
