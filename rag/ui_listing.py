"""Which documents the Documents view lists, in what order, and the one that is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rag.types import DocumentInfo

PAGE = 50  # rows drawn at a time
LEAF_CHARACTERS = 20_000  # of a document's text shown at a time
SORTS: dict[str, Callable[[DocumentInfo], Any]] = {
    "name": lambda document: document.source.casefold(),
    "state": lambda document: document.state,
    "pages": lambda document: document.pages,
    "chunks": lambda document: document.chunks,
    "size": lambda document: document.size,
    "updated": lambda document: document.updated,
}


@dataclass(slots=True)
class Listing:
    """What one tab looks for, how it is sorted, which page of it is shown, and what is selected in all of it."""

    shown: bool = False
    query: str = ""
    state: str = ""
    collection: str = ""
    sort: str = "name"
    descending: bool = False
    page: int = 0
    selected: set[int] = field(default_factory=set)

    def found(self, documents: Sequence[DocumentInfo]) -> list[DocumentInfo]:
        """The documents whose name or reason holds every word, in the state and collection looked for, sorted."""
        words = self.query.casefold().split()
        found = [
            document
            for document in documents
            if self.state in ("", document.state)
            and self.collection in ("", document.collection)
            and all(word in f"{document.source}\n{document.reason or ''}".casefold() for word in words)
        ]
        found.sort(key=SORTS["name"])
        return sorted(found, key=SORTS[self.sort], reverse=self.descending)

    def rows(self, found: Sequence[DocumentInfo]) -> Sequence[DocumentInfo]:
        """Those of the page that is shown; a page past the end counts as the last."""
        self.page = max(0, min(self.page, (len(found) - 1) // PAGE))
        return found[self.page * PAGE : (self.page + 1) * PAGE]

    def look(self, query: str, state: str) -> None:
        """Look for something else, from the first page on."""
        self.query, self.page = query[:200], 0
        self.state = state if state in ("ready", "failed") else ""

    def order(self, sort: str, descending: bool | None = None) -> None:
        """Sort by a column: again, the other way round; numbers and times come with the largest first."""
        if sort in SORTS:
            turned = not self.descending if sort == self.sort else sort not in ("name", "state")
            self.sort, self.descending, self.page = sort, turned if descending is None else descending, 0


@dataclass(slots=True)
class Reader:
    """A document that is read: its leaves are where each stands, in words, and its text; `at` is the one that shows."""

    id: int
    source: str
    leaves: list[tuple[str, str]]
    at: int = 0

    @classmethod
    def of(cls, document: DocumentInfo, pages: Sequence[tuple[str, str]]) -> Reader:
        """The pages of a document, the long ones cut where a line ends."""
        leaves = [(where, part) for where, text in pages for part in _cut(text)]
        return cls(document.id, document.source, leaves)


def _cut(text: str) -> Iterator[str]:
    while len(text) > LEAF_CHARACTERS:
        end = text.rfind("\n", LEAF_CHARACTERS // 2, LEAF_CHARACTERS) + 1 or LEAF_CHARACTERS
        yield text[:end]
        text = text[end:]
    yield text
