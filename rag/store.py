"""The vector index: Chroma, made from the manifest. The only module that knows Chroma.

Chroma 1.5 loses vectors when two processes write one folder, shows a process only what it wrote itself, and can be left
unreadable by a kill in the middle of a write; it takes an emptied folder for a new one, goes on without vectors whose
file is missing, and crashes on one cut short. Hence, around every use: one lock across processes; a mark that outlives
a process killed inside; and a stamp, which names the last write, so that another process's is noticed, and lists the
files as they were left. Where the mark is found, or the files are not those of the stamp, or Chroma raises, the index
is made again from the manifest's vectors.
"""

from __future__ import annotations

import errno
import logging
import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

import chromadb
import numpy as np
from chromadb.api.client import Client
from chromadb.config import Settings as ChromaSettings
from chromadb.errors import ChromaError, NotFoundError
from filelock import FileLock

from rag.errors import LibraryError

T = TypeVar("T")
Vectors = np.ndarray[Any, np.dtype[np.float32]]

log = logging.getLogger(__name__)
_PREFIX = "footnote-"  # Chroma wants names of at least three characters
_BATCH = 1000
_SCARCE = 2**22  # with fewer bytes free, the disk is the reason whatever Chroma calls it
_CONFIGURATION: Any = {"hnsw": {"space": "cosine", "ef_construction": 200, "ef_search": 200, "max_neighbors": 16}}


class Truth(Protocol):
    """What the index is made from."""

    @property
    def identity(self) -> str:
        """What tells it from any other."""

    def collections(self) -> list[str]:
        """The names of the collections."""

    def all_chunk_ids(self, collection: str) -> list[int]:
        """The ids of every chunk of a collection."""

    def vectors(self, ids: Sequence[int]) -> Vectors:
        """The vectors of these chunks, shape (len(ids), dimension)."""


class VectorIndex:
    """The vectors of a library in a persistent Chroma, a Chroma collection for each collection of the library.

    Safe for threads and processes. Raises LibraryError when even a new index cannot be written.
    """

    def __init__(self, folder: Path, truth: Truth) -> None:
        self._folder = folder
        self._truth = truth
        self._lock = FileLock(folder.with_suffix(".lock"))
        self._stamp = folder.with_suffix(".stamp")
        self._mark = folder.with_suffix(".busy")
        self._client: Client | None = None
        self._seen = ""

    def add(self, collection: str, ids: Sequence[int], vectors: Vectors) -> None:
        """Add chunks, or put them again. `vectors` has shape (len(ids), dimension)."""
        self._use(lambda client: _add(client, collection, ids, vectors), writing=True)

    def delete(self, collection: str, ids: Sequence[int]) -> None:
        """Remove chunks; ids that are not there are passed over."""
        if ids:
            self._use(lambda client: _delete(client, collection, ids), writing=True)

    def search(self, collection: str, vector: Sequence[float], k: int) -> list[int]:
        """Ids of the k chunks of a collection nearest to the vector by cosine, nearest first."""
        return self.search_all([collection], vector, k)

    def search_all(self, collections: Sequence[str], vector: Sequence[float], k: int) -> list[int]:
        """Ids of the k nearest chunks of several collections together."""

        def search(client: Client) -> list[int]:
            found = [near for name in collections for near in _nearest(client, name, vector, k)]
            return [chunk_id for _, chunk_id in sorted(found)[:k]]

        return self._use(search)

    def drop(self, collection: str) -> None:
        """Remove a collection, and what Chroma leaves of one on the disk: its vectors' files and its free pages."""
        self._use(lambda client: _drop(client, collection), writing=True)
        with self._alone():
            self._close()
            _erase(self._folder)
            self._sign()

    def ids(self, collection: str) -> list[int]:
        """The ids of every chunk in the index, in order."""
        return self._use(lambda client: _ids(client, collection))

    def rebuild(self, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Make the index again from the manifest. `progress` hears of the chunks done and of all."""
        with self._alone():
            self._make(progress)
            self._sign()

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            self._close()

    def _use(self, operation: Callable[[Client], T], *, writing: bool = False) -> T:
        """Run an operation on a current client; where Chroma cannot, make the index again and run it once more."""
        with self._alone() as died:
            if died:
                log.warning("The vector index was left half written; making it again from the manifest")
                self._make()
            else:
                self._notice_others()
            if writing:
                self._seen = uuid.uuid4().hex
            try:
                result = operation(self._connect())
            except ChromaError as error:
                if self._is_full(error):
                    raise
                log.warning("Chroma cannot use the vector index (%s); making it again from the manifest", error)
                self._make()
                result = operation(self._connect())
            self._sign()
            return result

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Hold the lock, and the mark. Yields whether an earlier holder died; the mark stays if this one fails."""
        try:
            with self._lock:
                died = self._mark.exists()
                self._mark.touch()
                yield died
                self._mark.unlink()
        except (OSError, ChromaError) as error:
            if self._is_full(error):
                raise LibraryError(
                    f"the disk that holds {self._folder} is full; free some space and run this again: "
                    "what was added before is safe"
                ) from error
            raise LibraryError(f"the vector index {self._folder} cannot be used: {error}") from error

    def _is_full(self, error: Exception) -> bool:
        if getattr(error, "errno", None) == errno.ENOSPC or "disk is full" in str(error):
            return True
        return shutil.disk_usage(self._folder.parent).free < _SCARCE

    def _notice_others(self) -> None:
        """Let go of a folder that another process has written to; make one again that is not as it was left."""
        stamp = self._stamp.read_text() if self._stamp.exists() else ""
        write, _, files = stamp.partition("\n")
        if write != self._seen:
            self._close()
            self._seen = write
        if self._client is None and files != self._files():
            if stamp:
                log.warning("The vector index is not as it was left; making it again from the manifest")
            self._make()

    def _sign(self) -> None:
        stamp = f"{self._seen}\n{self._files()}"
        if not self._stamp.exists() or self._stamp.read_text() != stamp:
            self._stamp.write_text(stamp)

    def _files(self) -> str:
        """The manifest that the index was made from, and the files with their sizes, in words.

        The database comes without its size, which changes when it is closed; a damaged one raises.
        """
        files = sorted(path for path in self._folder.rglob("*") if path.is_file() and path.stat().st_size)
        sizes = (f"{p.relative_to(self._folder)} {p.stat().st_size if p.parent != self._folder else ''}" for p in files)
        return "\n".join([self._truth.identity, *sizes])

    def _connect(self) -> Client:
        if self._client is None:
            # chromadb.PersistentClient, written out: its declared type lacks close()
            self._client = Client(
                settings=ChromaSettings(
                    is_persistent=True, persist_directory=str(self._folder), anonymized_telemetry=False
                )
            )
        return self._client

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _make(self, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        self._close()
        Client.clear_system_cache()  # a folder that Chroma failed to open stays there as if it were open
        if self._folder.is_dir():
            shutil.rmtree(self._folder)
        else:
            self._folder.unlink(missing_ok=True)
        self._seen = uuid.uuid4().hex
        client = self._connect()
        wanted = {name: self._truth.all_chunk_ids(name) for name in self._truth.collections()}
        total, done = sum(map(len, wanted.values())), 0
        for name, ids in wanted.items():
            for batch in _batches(ids):
                _add(client, name, batch, self._truth.vectors(batch))
                done += len(batch)
                progress(done, total)


def _collection(client: Client, name: str) -> chromadb.Collection:
    chroma_name = f"{_PREFIX}{name}"
    try:
        return client.get_collection(chroma_name, embedding_function=None)
    except NotFoundError:
        return client.create_collection(chroma_name, configuration=_CONFIGURATION, embedding_function=None)


def _add(client: Client, name: str, ids: Sequence[int], vectors: Vectors) -> None:
    chroma = _collection(client, name)
    for start in range(0, len(ids), _BATCH):
        batch = [str(i) for i in ids[start : start + _BATCH]]
        if there := chroma.get(ids=batch, include=[])["ids"]:
            chroma.delete(ids=there)  # to put a chunk over itself can cut others off from the index's graph
        chroma.add(ids=batch, embeddings=vectors[start : start + _BATCH])


def _delete(client: Client, name: str, ids: Sequence[int]) -> None:
    chroma = _collection(client, name)
    for batch in _batches(ids):
        chroma.delete(ids=[str(i) for i in batch])


def _nearest(client: Client, name: str, vector: Sequence[float], k: int) -> list[tuple[float, int]]:
    """The nearest chunks of a collection, each after its distance."""
    try:
        chroma = client.get_collection(f"{_PREFIX}{name}", embedding_function=None)
    except NotFoundError:
        return []
    found = chroma.query(query_embeddings=np.asarray([vector], np.float32), n_results=k, include=["distances"])
    distances = found["distances"]
    return [(distance, int(i)) for distance, i in zip(distances[0] if distances else (), found["ids"][0], strict=True)]


def _drop(client: Client, name: str) -> None:
    with suppress(NotFoundError):
        client.delete_collection(f"{_PREFIX}{name}")


def _erase(folder: Path) -> None:
    """Overwrite what is no longer Chroma's: it leaves the files of a collection that is gone, and free pages."""
    try:
        with closing(sqlite3.connect(folder / "chroma.sqlite3", isolation_level=None)) as db:
            used = {row[0] for row in db.execute("SELECT id FROM segments")}
            for segment in folder.iterdir():
                if segment.is_dir() and segment.name not in used:
                    shutil.rmtree(segment)
            db.execute("VACUUM")
    except sqlite3.Error as error:
        raise LibraryError(f"the vector index {folder} cannot be used: {error}") from error


def _ids(client: Client, name: str) -> list[int]:
    return sorted(int(i) for i in _collection(client, name).get(include=[])["ids"])


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]
