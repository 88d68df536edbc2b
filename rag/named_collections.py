"""The named collections of a library: made, renamed, emptied and removed. Documents move between them as they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from rag.errors import LibraryError
from rag.ingestion_writer import Writer
from rag.manifest import Manifest
from rag.store import VectorIndex

_NAME = re.compile(r"[^\W_](?:[\w .-]{0,61}[\w-])?")
_MADE = "collection "  # a row of the manifest's meta for each that was made, so that an empty one is there


class NamedCollections:
    """The collections of a library but for the visitors' own. `first` is the one that is set: it always is there.

    Nothing is embedded, read or copied anew: vectors belong to texts. Raises LibraryError.
    """

    def __init__(self, first: str, manifest: Manifest, index: VectorIndex, writer: Writer) -> None:
        self._first, self._manifest, self._index, self._writer = first, manifest, index, writer

    def names(self) -> list[str]:
        """All names, the one that is set first."""
        made = (key.removeprefix(_MADE) for key in self._manifest.meta_keys(_MADE))
        names = {*made, *self._manifest.collections()} - {self._first}
        return [self._first, *sorted((name for name in names if not _is_visitor_s(name)), key=str.casefold)]

    def make(self, name: str) -> str:
        """Make an empty collection; returns its name, without superfluous spaces."""
        name = " ".join(name.split())
        if not _NAME.fullmatch(name):
            raise LibraryError(
                "a collection's name has 1 to 63 letters, digits, spaces and . _ - and begins with a letter or digit"
            )
        if _is_visitor_s(name):
            raise LibraryError(f"{name!r} is kept for visitors' own documents; choose another name")
        if name.casefold() in (each.casefold() for each in self.names()):
            raise LibraryError(f"there is a collection {name!r} already; choose another name")
        self._manifest.keep_meta(_MADE + name, "")
        return name

    def rename(self, name: str, wanted: str) -> str:
        """Give a collection another name; returns that."""
        self._changeable(name)
        if " ".join(wanted.split()) == name:
            return name
        made = self.make(wanted)
        self.move([each.id for each in self._manifest.documents(name)], made)
        self._manifest.drop_meta(_MADE + name)
        return made

    def drop(self, name: str) -> None:
        """Remove an empty collection."""
        self._changeable(name)
        if self._manifest.documents(name):
            raise LibraryError(f"the collection {name!r} is not empty; move or delete its documents first")
        self._manifest.drop_meta(_MADE + name)

    def move(self, documents: Sequence[int], name: str) -> None:
        """Move documents, by id, into a collection; those that are in it already stay."""
        if name not in self.names():
            raise LibraryError(f"there is no collection {name!r}; make it first")
        with self._writer.turn():
            for document_id in documents:
                document = self._manifest.document(document_id)
                if document.collection == name:
                    continue
                if _is_visitor_s(document.collection):
                    raise LibraryError("this document is no longer in the library")
                if self._manifest.find(name, document.path):
                    raise LibraryError(f"{document.source!r} is in {name!r} already; delete one of the two first")
                ids = self._manifest.chunk_ids(document_id)
                change = partial(self._manifest.move, document_id, name)
                if ids:
                    self._index.move(document.collection, name, ids, self._manifest.vectors(ids), change)
                else:
                    change()

    def _changeable(self, name: str) -> None:
        if name == self._first:
            raise LibraryError(f"{name!r} is the collection that RAG_COLLECTION names; it stays as it is")
        if name not in self.names():
            raise LibraryError(f"there is no collection {name!r} any more")


def _is_visitor_s(name: str) -> bool:
    return name == "visitor" or name.startswith("visitor-")
