"""What a tab's questions are asked of: the usual collections, others, or single documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rag.types import DocumentInfo, Scope
from rag.ui_texts import Texts

OWN = "visitor"  # what a visitor's own collection is called
_NAMED = 3  # documents that are told by name


@dataclass(slots=True)
class Choice:
    """`usual` are the collections asked where nothing is chosen; chosen documents go before chosen collections."""

    usual: tuple[str, ...] = ()
    collections: set[str] = field(default_factory=set)
    documents: set[int] = field(default_factory=set)
    query: str = ""

    def scope(self, documents: Sequence[DocumentInfo]) -> Scope | None:
        """What was chosen, of what is there; None where that is nothing."""
        ids = tuple(sorted(each.id for each in documents if each.id in self.documents))
        collections = tuple(sorted(self.collections & {each.collection for each in documents}))
        return Scope((), ids) if ids else Scope(collections) if collections else None

    def asked(self, documents: Sequence[DocumentInfo]) -> list[DocumentInfo]:
        """The documents that the next question is asked of."""
        scope = self.scope(documents)
        ready = [each for each in documents if each.state == "ready"]
        if scope is None:
            return [each for each in ready if not self.usual or each.collection in self.usual]
        if scope.documents:
            return [each for each in ready if each.id in scope.documents]
        return [each for each in ready if each.collection in scope.collections]

    def told(self, texts: Texts, documents: Sequence[DocumentInfo]) -> str:
        """What was chosen, in words; empty where nothing is."""
        scope = self.scope(documents)
        if scope is None:
            return ""
        if not scope.documents:
            return ", ".join(self.label(texts, name) for name in scope.collections)
        names = [each.source for each in documents if each.id in scope.documents]
        more = len(names) - _NAMED
        return ", ".join(names[:_NAMED]) + (texts.AND_MORE.format(count=f"{more:,}") if more > 0 else "")

    def label(self, texts: Texts, collection: str) -> str:
        """What a collection is called."""
        if OWN not in self.usual:
            return collection
        return texts.YOURS if collection == OWN else texts.SHARED

    def choose(self, collections: Sequence[str] | None = None, documents: Sequence[int] | None = None) -> None:
        """Ask other collections, or other documents."""
        if collections is not None:
            self.collections, self.documents = set(collections), set()
        if documents is not None:
            self.documents, self.collections = set(documents), set()
