"""The one who writes: takes its turn among threads and processes, embeds, and commits document by document."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from filelock import FileLock, Timeout

from rag.errors import DocumentError, LibraryError
from rag.headings import embedded_text
from rag.ingestion_changes import UNKNOWN, Candidate, Changes, Known, NotRead, report_of
from rag.ingestion_files import is_gone
from rag.ingestion_readers import Contents, Outcome
from rag.manifest import Fingerprint, Manifest
from rag.store import VectorIndex
from rag.types import Progress

if TYPE_CHECKING:
    from langchain_core.documents import Document

BATCH = 32  # chunks embedded, and kept, at a time: what a kill can cost
CHANGED = "it changed while it was being read; add it again"
_FOREVER = 1e9  # seconds


class ChunkEmbedder(Protocol):
    """What ingestion needs of the embedding model. Only `embed_documents` may load it."""

    @property
    def fingerprint(self) -> str:
        """The model and its exact weights, in words."""

    @property
    def max_tokens(self) -> int:
        """The most tokens the model reads of a text."""

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, special ones included."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Unit vectors, one a text."""


class Writer:
    """Writes to one library. Several, in one process or many, take turns."""

    def __init__(self, folder: Path, manifest: Manifest, index: VectorIndex, embedder: ChunkEmbedder) -> None:
        self._folder = folder
        self._manifest = manifest
        self._index = index
        self._embedder = embedder

    # ---- turns

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Be the only writer. The locks die with their holder; the turnstile lets who waits in before who returns."""
        writer = self._lock("writer")
        try:
            with self._lock("turnstile").acquire(timeout=_FOREVER):
                writer.acquire(timeout=_FOREVER)
        except OSError as error:
            raise LibraryError(f"the library {self._folder} cannot be locked: {error}") from error
        try:
            yield
        finally:
            writer.release()

    def _others_turn(self) -> bool:
        try:
            with self._lock("writer").acquire(timeout=0):
                return False
        except Timeout:
            return True

    def _lock(self, name: str) -> FileLock:
        # A new one each time excludes threads as well; not thread-local, for a generator may end in another thread.
        # Waiting without a limit would be refused to the thread that took a lock, though another may be about to go on
        # with the generator that holds it: hence _FOREVER.
        return FileLock(self._folder / f"{name}.lock", thread_local=False)

    # ---- what is written

    def write(
        self, collection: str, changes: Changes, outcomes: Sequence[Outcome]
    ) -> Generator[Progress, None, tuple[list[Outcome], int]]:
        """Write what became of some files. Returns it as it is now, and how many chunks were embedded."""
        embedded = 0
        if read := [outcome for outcome in outcomes if not isinstance(outcome, Known)]:
            written, embedded = yield from self._commit(collection, changes, read)
            outcomes = [written.get(outcome.candidate.number, outcome) for outcome in outcomes]
        for outcome in outcomes:
            if isinstance(outcome, Known):
                self._keep(outcome)
        return list(outcomes), embedded

    def _commit(
        self, collection: str, changes: Changes, read: Sequence[Contents | NotRead]
    ) -> Generator[Progress, None, tuple[dict[int, Outcome], int]]:
        """Bring in files that were read: they become visible when all of their vectors are kept.

        Several at once, for what they hold is embedded, and put into the index, in fewer and fuller batches.
        """
        source = read[0].candidate.file.source
        if self._others_turn():
            yield Progress(f"{source}: waiting for another writer of this library", 0, 0, "")
        with self.turn():
            now = [_as_it_is_now(changes, outcome) for outcome in read]
            new = [outcome for outcome in now if isinstance(outcome, Contents)]
            embedded = yield from self._embed(source, [chunk for contents in new for chunk in contents.chunks])
            if new:
                self._publish(collection, changes, new)
            for outcome in now:
                if isinstance(outcome, NotRead):
                    self._fail(collection, changes, outcome)
        return {outcome.candidate.number: outcome for outcome in now}, embedded

    def _keep(self, known: Known) -> None:
        """Remember the name and the time that a file has now."""
        row, file, mtime_ns = known.candidate.row, known.candidate.file, known.candidate.found.mtime_ns
        if known.report.state != "unchanged" or row is None:
            return
        if (file.source, mtime_ns, None) != (row.source, row.fingerprint.mtime_ns, row.reason):
            self._manifest.touch(row.id, file.source, mtime_ns)

    def _fail(self, collection: str, changes: Changes, failed: NotRead) -> None:
        """Remember that a file could not be read."""
        file, error = failed.candidate.file, failed.error
        # What could not be opened may be tomorrow: nothing of it is known by which it would be passed over
        tried = UNKNOWN if error.outcome == "unreadable" else replace(failed.candidate.found, recipe=changes.limits)
        self._manifest.add_failure(collection, file.key, file.source, tried, str(error), error.outcome)

    def sweep(self) -> None:
        """Forget what is not visible: documents replaced or deleted, and what a killed run left half done."""
        for document_id, collection, chunk_ids in self._manifest.unfinished():
            self._index.delete(collection, chunk_ids)
            self._manifest.forget(document_id)

    def _embed(self, source: str, chunks: Sequence[Document]) -> Generator[Progress, None, int]:
        """Give every chunk's text its vector; texts the library has met before, in any file, have theirs."""
        texts = self._manifest.missing_vectors(
            embedded_text(chunk.page_content, chunk.metadata["headings"]) for chunk in chunks
        )
        for start in range(0, len(texts), BATCH):
            yield Progress(source, start, len(texts), "chunks")
            batch = texts[start : start + BATCH]
            self._manifest.add_vectors(batch, self._embedder.embed_documents(batch))
        return len(texts)

    def _publish(self, collection: str, changes: Changes, new: Sequence[Contents]) -> None:
        documents: list[int] = []
        for contents in new:
            file, kept = contents.candidate.file, _kept(changes, contents)
            documents.append(
                self._manifest.add_document(
                    collection, file.key, file.source, kept, contents.pages, contents.chunks, contents.unread
                )
            )
        if ids := [i for document_id in documents for i in self._manifest.chunk_ids(document_id)]:
            self._index.add(collection, ids, self._manifest.vectors(ids))
        for document_id in documents:
            self._manifest.publish(document_id)
        self.sweep()


def _as_it_is_now(changes: Changes, read: Contents | NotRead) -> Outcome:
    """What is to be written of a file that was read some time ago; a Known is not written.

    Since then its document may have been deleted, it may have changed or gone, and another writer been faster.
    """
    candidate, file = changes.refreshed(read.candidate), read.candidate.file
    if read.candidate.row and candidate.row is None:
        return Known(candidate, report_of(candidate, "removed", "it was deleted while it was being read", "ready"))
    known = changes.known(candidate)
    if known and known.report.state == "unchanged":
        return known
    if candidate.found == UNKNOWN:  # it could not even be looked at
        return read
    looked = changes.look(candidate.number, file)
    found = looked.found if isinstance(looked, Candidate) else looked.candidate.found
    if (found.size, found.mtime_ns) != (candidate.found.size, candidate.found.mtime_ns):
        if isinstance(looked, Candidate):
            return NotRead(looked, DocumentError(CHANGED, "unreadable"))
        return Known(looked.candidate, looked.report) if is_gone(str(file.path)) else looked
    now = replace(read, candidate=candidate)
    if isinstance(now, Contents) and now.try_again:
        known = changes.known(replace(candidate, found=_kept(changes, now)))
        if known and known.report.state == "unchanged":
            return known
    return now


def _kept(changes: Changes, contents: Contents) -> Fingerprint:
    """What is kept of a file, to pass it over by; of one that is to be tried again, nothing that could match it."""
    found = contents.candidate.found
    if contents.unread:
        found = replace(found, recipe=changes.limits)
    return replace(found, sha256="", mtime_ns=-found.mtime_ns) if contents.try_again else found
