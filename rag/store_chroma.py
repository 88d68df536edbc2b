"""What the vector index asks of Chroma. The only module that imports it; store.py imports this one when it needs it."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
from chromadb.api.client import Client
from chromadb.config import Settings as ChromaSettings
from chromadb.errors import ChromaError as ChromaError
from chromadb.errors import NotFoundError

Vectors = np.ndarray[Any, np.dtype[np.float32]]

_PREFIX = "footnote-"  # Chroma wants names of at least three characters
_OTHER = "footnote_"  # before the digest of a name that Chroma does not take
_BATCH = 1000
_HEADER = struct.Struct("<i4Q")  # header.bin begins so: version, offset, most elements, elements, bytes of each
# A search looks at 800 chunks for the nearest 100: of 100,000 that lie in clusters it finds .73 of the nearest ten, .43
# if it looks at 200, and takes no longer than the search by words beside it
_CONFIGURATION: Any = {"hnsw": {"space": "cosine", "ef_construction": 200, "ef_search": 800, "max_neighbors": 16}}


class Chroma:
    """A folder of Chroma's, open: a collection of its for each of the library's. Raises ChromaError."""

    def __init__(self, folder: Path) -> None:
        # chromadb.PersistentClient, written out: its declared type lacks close()
        self._folder = folder
        self._blanked: set[Path] = set()
        self._open: dict[str, chromadb.Collection] = {}  # by our name: Chroma takes 3 ms to find one
        self._client = Client(
            settings=ChromaSettings(is_persistent=True, persist_directory=str(folder), anonymized_telemetry=False)
        )

    def close(self) -> None:
        """Let go of the files."""
        self._client.close()

    def add(self, name: str, ids: Sequence[int], vectors: Vectors) -> None:
        """Add chunks, or put them again. `vectors` has shape (len(ids), dimension)."""
        collection = self._collection(name)
        for start in range(0, len(ids), _BATCH):
            batch = [str(i) for i in ids[start : start + _BATCH]]
            if there := collection.get(ids=batch, include=[])["ids"]:
                collection.delete(ids=there)  # to put a chunk over itself can cut others off from the index's graph
            collection.add(ids=batch, embeddings=vectors[start : start + _BATCH])

    def delete(self, name: str, ids: Sequence[int]) -> None:
        """Remove chunks; ids that are not there are passed over."""
        collection = self._collection(name)
        for batch in batches(ids):
            collection.delete(ids=[str(i) for i in batch])

    def nearest(self, name: str, vector: Sequence[float], k: int) -> list[tuple[float, int]]:
        """The nearest chunks of a collection, each after its distance."""
        try:
            collection = self._found(name)
        except NotFoundError:
            return []
        found = collection.query(query_embeddings=np.asarray([vector], np.float32), n_results=k, include=["distances"])
        distances = found["distances"]
        return [
            (distance, int(i)) for distance, i in zip(distances[0] if distances else (), found["ids"][0], strict=True)
        ]

    def blank_unused(self) -> None:
        """Overwrite what Chroma has written, and not yet used, of the files of vectors that are new to this one.

        A collection's are made as long as they may get, with whatever the process's memory held there before: vectors
        and texts of others, removed ones too.
        """
        headers = set(self._folder.glob("*/header.bin"))
        for header in headers - self._blanked:
            told = header.read_bytes()[: _HEADER.size]
            if len(told) == _HEADER.size:  # else it is damaged, which Chroma will find
                _, _, _, count, size = _HEADER.unpack(told)
                _blank(header.with_name("data_level0.bin"), count * size)
                _blank(header.with_name("length.bin"), count * 4)
        self._blanked = headers

    def drop(self, name: str) -> None:
        """Remove a collection."""
        self._open.pop(name, None)
        with suppress(NotFoundError):
            self._client.delete_collection(_chroma_name(name))

    def ids(self, name: str) -> list[int]:
        """The ids of every chunk of a collection, in order."""
        return sorted(int(i) for i in self._collection(name).get(include=[])["ids"])

    def _collection(self, name: str) -> chromadb.Collection:
        try:
            return self._found(name)
        except NotFoundError:
            return self._client.create_collection(
                _chroma_name(name), configuration=_CONFIGURATION, embedding_function=None
            )

    def _found(self, name: str) -> chromadb.Collection:
        if name not in self._open:
            self._open[name] = self._client.get_collection(_chroma_name(name), embedding_function=None)
        return self._open[name]


def _blank(file: Path, start: int) -> None:
    """Overwrite a file with zeros from `start` on; it stays as long as it is."""
    with file.open("r+b") as opened:
        opened.seek(start)
        rest = opened.read()
        if rest.strip(b"\0"):
            opened.seek(start)
            opened.write(bytes(len(rest)))


def _chroma_name(name: str) -> str:
    """What a collection is called in Chroma, which takes letters, digits and . _ - of ASCII, and no sign at the end."""
    if re.fullmatch("[A-Za-z0-9._-]*[A-Za-z0-9]", name):
        return f"{_PREFIX}{name}"
    return f"{_OTHER}{hashlib.sha256(name.encode()).hexdigest()}"


def forget_folders() -> None:
    """Drop Chroma's memory of what is open: a folder that it failed to open stays there as if it were open."""
    Client.clear_system_cache()


def batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Ids, as many at a time as Chroma is given."""
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]
