"""Where the headings of a page stand: what splitter.py is told of them, in one form for all formats.

That form is `page.metadata["headings"]`: [start, level, title] of each, in order, `start` an offset in the page's
text. A loader that knows its headings gives an "outline" instead, [level, title] of each, which is looked up in the
text; others write them as Markdown does. Headings end with their page, but for those of a PDF.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from langchain_core.documents import Document

Style = Literal["", "outline", "flowing", "hashes", "markdown", "rst", "org"]
Heading = tuple[int, int, str]  # start, level, title

_MAX_MISSES = 100  # titles of an outline that are looked for in vain on one page
_LONGEST = 500  # characters that are read of a title: what looks for marks takes time by the square of them
_BEFORE = (
    r"^[ \t]*(?:#{1,6} +)?(?:(?:chapter|section|part) +)?(?:(?:\d{1,3}|[a-z]{1,4}(?=[.):]))[\d.]{0,12}[.):]?[ \t]+)?"
)
_BEFORE_IT = re.compile(_BEFORE, re.MULTILINE | re.IGNORECASE)
_HASHES = re.compile(r"^(#{1,6}) (?!.* \| )(\S.*)$", re.MULTILINE)  # with bars between cells it is a row of a table
_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(\S.*)")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*")
_NO_TITLE = re.compile(r"[ \t]{4}|\t|[ \t]*(?:[-+*>|]|\d{1,9}[.)])[ \t]")  # code, a list, a quotation, a table
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKS = re.compile(r"[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}(?!\w)|[ \t]+#+[ \t]*$|[ \t]*\{[#.][^}]*\}[ \t]*$")
_ADORNED = re.compile(r"([!-/:-@\[-`{-~])\1{2,}[ \t]*")
_ORG = re.compile(r"^(\*+)[ \t]+(?:(?:TODO|DONE)[ \t]+)?(?:\[#\w\][ \t]+)?(\S.*)$", re.MULTILINE)
_TAGS = re.compile(r"(?:[ \t]+:[\w@:]+:)?[ \t]*$")


def mark_headings(pages: Sequence[Document], style: Style) -> None:
    """Give each page its "headings", where it has any, in place of an "outline".

    An outline's titles that are not in the text are passed over; those of a PDF ("flowing") do not always stand on the
    page as they do in its outline, and count from where the one before them stands.
    """
    open_ones: list[tuple[int, str]] = []
    for page in pages:
        outline = page.metadata.pop("outline", ())
        if style in ("outline", "flowing"):
            begin = page.metadata.get("body", (0,))[0]
            found = list(_placed(page.page_content, outline, begin, keep=style == "flowing"))
        elif style:
            found = list(_STYLES[style](page.page_content))
        else:
            continue
        carried = [(0, level, title) for level, title in open_ones]
        if style == "flowing":
            for _, level, title in found:
                open_ones = [*(one for one in open_ones if one[0] < level), (level, title)]
        if carried or found:
            page.metadata["headings"] = [list(heading) for heading in (*carried, *found)]


def _placed(text: str, outline: Sequence[tuple[int, str]], position: int, keep: bool) -> Iterator[Heading]:
    """Each title with the line that is it, else the first that begins with it. `keep`: else with the one before it."""
    misses = 0
    for level, title in outline:
        words = _beginning(title).split()
        match = None
        if words and not keep and (line_at := _own_line(text, " ".join(words), position)):
            yield line_at[0], level, " ".join(words)
            position = line_at[1]
            continue
        if words and misses < _MAX_MISSES:
            line = _BEFORE + r"\s+".join(map(re.escape, words))
            for form in (rf"{line}[ \t]*$", rf"{line}(?!\w)"):
                match = match or re.compile(form, re.MULTILINE | re.IGNORECASE).search(text, position)
            misses += match is None
        if match:
            yield match.end() - len(match[0].lstrip()), level, " ".join(words)
            position = match.end()
        elif words and keep:
            yield position, level, " ".join(words)


def _own_line(text: str, title: str, position: int) -> tuple[int, int] | None:
    """Start and end of a title that stands as our loaders write it, by far the most: no pattern is compiled for it."""
    at = text.find(title, position)
    start, end = text.rfind("\n", 0, max(at, 0)) + 1, at + len(title)
    if at < 0 or start < position or text[end : end + 1] not in ("\n", "") or not _BEFORE_IT.fullmatch(text, start, at):
        return None
    return at - len(text[start:at].lstrip()), end


def _hashed(text: str) -> Iterator[Heading]:
    """What our own loaders write."""
    for match in _HASHES.finditer(text):
        yield match.start(), len(match[1]), match[2].strip()


def _markdown(text: str) -> Iterator[Heading]:
    """Lines after "#", and lines underlined with "=" or "-"; not those of code and of what stands before the text."""
    fence = ""
    front = text.startswith("---\n")
    before = (0, "", True)  # the line before: its start, what a title it would be, whether a paragraph begins with it
    for number, (start, line) in enumerate(_lines(text)):
        if front:
            front = number == 0 or line.rstrip() not in ("---", "...")
            continue
        if match := _FENCE.match(line):
            if not fence:
                fence = match[1]
            elif match[1].startswith(fence) and line.strip() == match[1]:
                fence = ""
            before = (start, "", True)
        elif fence:
            continue
        elif match := _ATX.fullmatch(line):
            if title := _plain(match[2]):
                yield start, len(match[1]), title
            before = (start, "", True)
        elif (match := _UNDERLINE.fullmatch(line)) and before[1] and before[2]:
            if title := _plain(before[1]):
                yield before[0], 1 if match[1][0] == "=" else 2, title
            before = (start, "", True)
        else:
            title = "" if _NO_TITLE.match(line) else line.strip()
            before = (start, title, not before[1])


def _rst(text: str) -> Iterator[Heading]:
    """Lines underlined, or between two lines, of one sign; the levels come in the order in which their signs do."""
    lines = list(_lines(text))
    levels: dict[tuple[str, bool], int] = {}
    number = 0
    while number + 1 < len(lines):
        (start, line), (_, under) = lines[number : number + 2]
        above = bool(_ADORNED.fullmatch(line)) and number + 2 < len(lines)
        if above and lines[number + 2][1].rstrip() == line.rstrip() and under.strip():
            start, title, taken = start, under.strip(), 3
            mark = line[0]
        elif line.strip() and not _ADORNED.fullmatch(line) and _ADORNED.fullmatch(under) and line[0] not in " \t":
            title, taken, mark, above = line.strip(), 2, under[0], False
            if len(under.rstrip()) < len(title):
                number += 1
                continue
        else:
            number += 1
            continue
        yield start, levels.setdefault((mark, above), len(levels) + 1), title
        number += taken


def _org(text: str) -> Iterator[Heading]:
    for match in _ORG.finditer(text):
        yield match.start(), len(match[1]), _TAGS.sub("", match[2][:_LONGEST], count=1)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    for line in text.split("\n"):
        yield start, line
        start += len(line) + 1


def _plain(title: str) -> str:
    """A title without the marks of links, of emphasis and of code."""
    return " ".join(_MARKS.sub("", _LINK.sub(r"\1", title[:_LONGEST])).split())


def _beginning(title: str) -> str:
    """A title, or as many of its first words as are read of it."""
    title = " ".join(title.split())
    return title if len(title) <= _LONGEST else title[:_LONGEST].rpartition(" ")[0]


_STYLES: dict[str, Callable[[str], Iterator[Heading]]] = {
    "hashes": _hashed,
    "markdown": _markdown,
    "rst": _rst,
    "org": _org,
}
