"""The vector index: Chroma, made from the manifest, and kept whole. What it asks of Chroma is in store_chroma.py.

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
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from filelock import FileLock

from rag.errors import LibraryError

if TYPE_CHECKING:  # Chroma takes a second of a core to import, which a run that finds nothing new does without
    from rag.store_chroma import Chroma, Vectors

T = TypeVar("T")

log = logging.getLogger(__name__)
_SCARCE = 2**22  # with fewer bytes free, the disk is the reason whatever Chroma calls it


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
        self._chroma: Chroma | None = None
        self._seen = ""

    def add(self, collection: str, ids: Sequence[int], vectors: Vectors) -> None:
        """Add chunks, or put them again. `vectors` has shape (len(ids), dimension)."""
        self._use(lambda chroma: chroma.add(collection, ids, vectors), writing=True)

    def delete(self, collection: str, ids: Sequence[int]) -> None:
        """Remove chunks; ids that are not there are passed over."""
        if ids:
            self._use(lambda chroma: chroma.delete(collection, ids), writing=True)

    def move(self, old: str, new: str, ids: Sequence[int], vectors: Vectors, change: Callable[[], None]) -> None:
        """Move chunks to another collection. `change` does so in the manifest; after a kill it is made from that."""

        def move(chroma: Chroma) -> None:
            chroma.add(new, ids, vectors)
            change()
            chroma.delete(old, ids)

        self._use(move, writing=True)

    def search(self, collection: str, vector: Sequence[float], k: int) -> list[int]:
        """Ids of the k chunks of a collection nearest to the vector by cosine, nearest first."""
        return self.search_all([collection], vector, k)

    def search_all(self, collections: Sequence[str], vector: Sequence[float], k: int) -> list[int]:
        """Ids of the k nearest chunks of several collections together."""

        def search(chroma: Chroma) -> list[int]:
            found = [near for name in collections for near in chroma.nearest(name, vector, k)]
            return [chunk_id for _, chunk_id in sorted(found)[:k]]

        return self._use(search)

    def drop(self, collection: str) -> None:
        """Remove a collection, and what Chroma leaves of one on the disk: its vectors' files and its free pages."""
        self._use(lambda chroma: chroma.drop(collection), writing=True)
        with self._alone():
            self._close()
            _erase(self._folder)
            self._sign()

    def ids(self, collection: str) -> list[int]:
        """The ids of every chunk in the index, in order."""
        return self._use(lambda chroma: chroma.ids(collection))

    def rebuild(self, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Make the index again from the manifest. `progress` hears of the chunks done and of all."""
        with self._alone():
            self._make(progress)
            self._sign()

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            self._close()

    def _use(self, operation: Callable[[Chroma], T], *, writing: bool = False) -> T:
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
            except _chroma_error() as error:
                if self._is_full(error):
                    raise
                log.warning("Chroma cannot use the vector index (%s); making it again from the manifest", error)
                self._make()
                result = operation(self._connect())
            if writing:
                self._connect().blank_unused()
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
        except (OSError, _chroma_error()) as error:
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
        if self._chroma is None and files != self._files():
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

    def _connect(self) -> Chroma:
        if self._chroma is None:
            from rag.store_chroma import Chroma  # late, as above

            self._chroma = Chroma(self._folder)
        return self._chroma

    def _close(self) -> None:
        if self._chroma is not None:
            self._chroma.close()
            self._chroma = None

    def _make(self, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        from rag.store_chroma import batches, forget_folders  # late, as above

        self._close()
        forget_folders()
        if self._folder.is_dir():
            shutil.rmtree(self._folder)
        else:
            self._folder.unlink(missing_ok=True)
        self._seen = uuid.uuid4().hex
        chroma = self._connect()
        wanted = {name: self._truth.all_chunk_ids(name) for name in self._truth.collections()}
        total, done = sum(map(len, wanted.values())), 0
        for name, ids in wanted.items():
            for batch in batches(ids):
                chroma.add(name, batch, self._truth.vectors(batch))
                done += len(batch)
                progress(done, total)
        chroma.blank_unused()


def _chroma_error() -> type[Exception]:
    """What Chroma raises; asked for only where something was raised."""
    from rag.store_chroma import ChromaError  # late, as above

    return ChromaError


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
