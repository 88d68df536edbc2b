"""The headings over a piece of text as a path: "Manual > Safety > Disposal". It stands beside the text, never in it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial

from rag.types import BETWEEN

MAX_TITLE = 80  # characters of a heading in a path; under splitter.MAX_WORD, so that no word of it is too long
MAX_PATH = 200  # characters; of a longer one the outermost headings are left out
_DEEPEST = 1 + MAX_PATH // len(f"{BETWEEN}x")  # headings in a path at most, a character each


class HeadingPaths:
    """The paths of one page. `headings` are its (start, level, title) in order; level 0 is a document's title.

    Where `fits` refuses a path, its outermost headings are left out until it does not.
    """

    def __init__(
        self, headings: Iterable[Sequence[int | str]], fits: Callable[[str], bool] = lambda path: True
    ) -> None:
        self._starts: list[int] = []
        self._titles: list[tuple[str, ...]] = [()]
        # Only those that are asked for are joined, and once: `fits` counts tokens, which takes time
        self._join = cache(partial(_join, fits=fits))
        open_ones: list[tuple[int, str]] = []
        for start, level, title in headings:
            while open_ones and open_ones[-1][0] >= int(level):
                open_ones.pop()
            open_ones.append((int(level), _shortened(str(title))))
            self._starts.append(int(start))
            self._titles.append(tuple(shown for _, shown in open_ones[-_DEEPEST:]))

    def at(self, offset: int) -> str:
        """The path that holds at an offset of the page; a heading is under itself. Empty before the first one."""
        return self._join(self._titles[bisect_right(self._starts, offset)])

    def begin(self, offset: int) -> int:
        """Where the nearest heading at or before an offset starts, else 0."""
        nearest = bisect_right(self._starts, offset)
        return self._starts[nearest - 1] if nearest else 0


def embedded_text(text: str, path: str) -> str:
    """What is embedded of a chunk: its text under its path."""
    return f"{path}\n{text}" if path else text


def _shortened(title: str) -> str:
    title = " ".join(title.split())
    return title if len(title) <= MAX_TITLE else f"{title[: MAX_TITLE - 1].rstrip()}…"


def _join(titles: tuple[str, ...], fits: Callable[[str], bool]) -> str:
    for first in range(len(titles)):
        path = BETWEEN.join(titles[first:])
        if len(path) <= MAX_PATH and fits(path):
            return path
    return ""
