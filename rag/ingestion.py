"""Files in: find them, skip what has not changed, read, split, embed, and commit document by document."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from langchain_core.documents import Document

from rag.config import Settings
from rag.errors import DocumentError, LibraryError
from rag.ingestion_files import File, find_files, is_gone, path_text
from rag.manifest import DocumentRow, Fingerprint, Manifest
from rag.parsing import ParserPool
from rag.splitter import split_documents
from rag.store import VectorIndex
from rag.types import FileReport, FileState, IngestReport, Outcome, Progress

RECIPE = "2"  # raise it when loaders or splitter come to read files otherwise: every file is then read again
_BATCH = 32  # chunks embedded, and kept, at a time: what a kill can cost
_FOREVER = 1e9  # seconds
_UNKNOWN = Fingerprint("", 0, 0, "")

IngestEvent = Progress | FileReport


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


@dataclass(slots=True)
class _Tally:
    embedded: int = 0


class Ingester:
    """The writer of one library. Several, in one process or many, take turns document by document."""

    def __init__(
        self,
        settings: Settings,
        manifest: Manifest,
        index: VectorIndex,
        embedder: ChunkEmbedder,
        parsers: ParserPool | None = None,
    ) -> None:
        self._settings = settings
        self._parsers = parsers or ParserPool(settings.parse_timeout, settings.parse_memory_mb)
        self._manifest = manifest
        self._index = index
        self._embedder = embedder
        # What decides the text of a file that is read whole; and what else decides whether it is
        self._recipe = f"{RECIPE}/{settings.chunk_size}/{settings.chunk_overlap}"
        limits = (settings.max_file_mb, f"{settings.parse_timeout:g}", settings.parse_memory_mb, settings.ocr)
        self._limits = "/".join(map(str, (self._recipe, *limits)))

    def ingest(
        self,
        paths: Sequence[Path],
        *,
        dry_run: bool = False,
        prune: bool = False,
        retry: bool = False,
        again: bool = False,
    ) -> Generator[IngestEvent, None, IngestReport]:
        """Bring files and folders into the library. Yields progress and a report per file; returns the whole.

        A file that cannot be read is reported and the others go on; LibraryError (a full disk, another embedding
        model) ends the run, and what was committed stays. `prune` forgets documents whose files are gone from the
        folders given. A file that could not be read is not read again, until it or a limit changes, but by `retry`;
        `again` reads every file again.
        """
        began, tally = time.monotonic(), _Tally()
        files = find_files(paths, self._settings.library)
        reports: list[FileReport] = []
        self.check_model()
        if not dry_run:
            with self.turn():
                self._claim_model()
                self.sweep()
        for number, file in enumerate(files):
            yield Progress(file.source, number, len(files), "files")
            report = yield from (
                self._preview(file, retry) if dry_run else self._ingest_file(file, tally, retry or again, again)
            )
            reports.append(report)
            yield report
        if prune:
            for report in self._prune(paths, {file.key for file in files}, dry_run):
                reports.append(report)
                yield report
        if not dry_run:
            with self.turn():
                self._manifest.drop_unused_vectors()
        yield Progress("", len(files), len(files), "files")
        return IngestReport(tuple(reports), tally.embedded, time.monotonic() - began)

    def delete(self, document_id: int) -> None:
        """Forget a document: it no longer answers, and no vector of it stays behind."""
        with self.turn():
            self._manifest.retire(document_id)
            self.sweep()
            self._manifest.drop_unused_vectors()

    def reindex(self) -> Iterator[Progress]:
        """Make the vector index again; where the embedding model is another now, make the vectors again first."""
        with self.turn():
            self.sweep()
            if self._manifest.get_meta("embedding") not in (None, self._embedder.fingerprint):
                self._manifest.drop_unused_vectors()  # they are the other model's, and would be taken for this one's
                texts = list(self._manifest.all_texts())
                self._manifest.set_meta("embedding", "")  # neither model until all are done: a kill here is noticed
                for start in range(0, len(texts), _BATCH):
                    yield Progress("Embedding", start, len(texts), "chunks")
                    batch = texts[start : start + _BATCH]
                    self._manifest.replace_vectors(batch, self._embedder.embed_documents(batch))
            yield Progress("Building the vector index", 0, 0, "chunks")
            self._index.rebuild()
            self._manifest.set_meta("embedding", self._embedder.fingerprint)

    def sweep(self) -> None:
        """Forget what is not visible: documents replaced or deleted, and what a killed run left half done."""
        for document_id, collection, chunk_ids in self._manifest.unfinished():
            self._index.delete(collection, chunk_ids)
            self._manifest.forget(document_id)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Be the only writer. The locks die with their holder; the turnstile lets who waits in before who returns."""
        writer = self._lock("writer")
        try:
            with self._lock("turnstile").acquire(timeout=_FOREVER):
                writer.acquire(timeout=_FOREVER)
        except OSError as error:
            raise LibraryError(f"the library {self._settings.library} cannot be locked: {error}") from error
        try:
            yield
        finally:
            writer.release()

    def _lock(self, name: str) -> FileLock:
        # A new one each time excludes threads as well; not thread-local, for a generator may end in another thread.
        # Waiting without a limit would be refused to the thread that took a lock, though another may be about to go on
        # with the generator that holds it: hence _FOREVER.
        return FileLock(self._settings.library / f"{name}.lock", thread_local=False)

    def _others_turn(self) -> bool:
        try:
            with self._lock("writer").acquire(timeout=0):
                return False
        except Timeout:
            return True

    def _ingest_file(
        self, file: File, tally: _Tally, retry: bool, again: bool
    ) -> Generator[IngestEvent, None, FileReport]:
        collection = self._settings.collection
        fingerprint = _UNKNOWN
        try:
            row = self._manifest.find(collection, file.key)
            if row and not file.in_folder:  # a file given by itself keeps the name it got from its folder
                file = replace(file, source=row.source)
            fingerprint = self._stat(file.path)
            if row and not again and self._same_time(row, fingerprint):
                return self._unchanged(file, row, fingerprint)
            if not retry and (known := self._known_failure(file, row, fingerprint)):
                return known
            if self._others_turn():
                yield Progress(f"{file.source}: waiting for another writer of this library", 0, 0, "")
            with self.turn():
                row = self._manifest.find(collection, file.key)
                fingerprint = self._hashed(file.path)
                if row and not again and self._same_content(row, fingerprint):
                    return self._unchanged(file, row, fingerprint)
                if not retry and (known := self._known_failure(file, row, fingerprint)):
                    return known
                return (yield from self._commit(file, row, fingerprint, tally))
        except DocumentError as error:
            # What could not be opened may be tomorrow: nothing of it is known by which it would be passed over
            tried = _UNKNOWN if error.outcome == "unreadable" else replace(fingerprint, recipe=self._limits)
            self._manifest.add_failure(collection, file.key, file.source, tried, str(error), error.outcome)
            return _report(file, "failed", str(error), error.outcome)

    def _commit(
        self, file: File, row: DocumentRow | None, fingerprint: Fingerprint, tally: _Tally
    ) -> Generator[IngestEvent, None, FileReport]:
        collection = self._settings.collection
        pages = yield from self._load(file)
        if self._stat(file.path).mtime_ns != fingerprint.mtime_ns:
            raise DocumentError("it changed while it was being read; add it again", "unreadable")
        chunks = self._split(pages)
        yield from self._embed(file.source, chunks, tally)
        unread = _unread(pages)
        if unread:
            fingerprint = replace(fingerprint, recipe=self._limits)
        document_id = self._manifest.add_document(collection, file.key, file.source, fingerprint, pages, chunks, unread)
        ids = self._manifest.chunk_ids(document_id)
        self._index.add(collection, ids, self._manifest.vectors(ids))
        self._manifest.publish(document_id)
        self.sweep()
        state: FileState = "changed" if row and row.state == "ready" else "added"
        outcome: Outcome = "partial" if unread else "ready"
        return _report(file, state, unread, outcome, pages=_count_pages(pages), chunks=len(chunks))

    def _load(self, file: File) -> Generator[IngestEvent, None, list[Document]]:
        max_bytes, ocr = self._settings.max_file_mb * 2**20, self._settings.ocr != "off"
        return (yield from self._parsers.load_documents(file.path, file.source, max_bytes=max_bytes, ocr=ocr))

    def _split(self, pages: list[Document]) -> list[Document]:
        return split_documents(
            pages,
            chunk_size=self._settings.chunk_size,
            chunk_overlap=self._settings.chunk_overlap,
            max_tokens=self._embedder.max_tokens,
            count_tokens=self._embedder.count_tokens,
        )

    def _embed(self, source: str, chunks: Sequence[Document], tally: _Tally) -> Iterator[Progress]:
        """Give every chunk's text its vector; texts the library has met before, in any file, have theirs."""
        texts = self._manifest.missing_vectors(chunk.page_content for chunk in chunks)
        for start in range(0, len(texts), _BATCH):
            yield Progress(source, start, len(texts), "chunks")
            batch = texts[start : start + _BATCH]
            self._manifest.add_vectors(batch, self._embedder.embed_documents(batch))
            tally.embedded += len(batch)

    def _unchanged(self, file: File, row: DocumentRow, fingerprint: Fingerprint) -> FileReport:
        if (file.source, fingerprint.mtime_ns, None) != (row.source, row.fingerprint.mtime_ns, row.reason):
            self._manifest.touch(row.id, file.source, fingerprint.mtime_ns)
        outcome: Outcome = "partial" if row.unread else "ready"
        return _report(file, "unchanged", row.unread, outcome, pages=row.pages, chunks=row.chunks)

    def _known_failure(self, file: File, row: DocumentRow | None, found: Fingerprint) -> FileReport | None:
        """The report of a file that is still what could not be read, under the same limits."""
        if not row or not row.failure or row.failure.fingerprint.recipe != self._limits:
            return None
        failed = row.failure.fingerprint
        same_time = (failed.size, failed.mtime_ns) == (found.size, found.mtime_ns)
        if not same_time and not (found.sha256 and failed.sha256 == found.sha256):
            return None
        return _report(file, "failed", row.reason, row.failure.outcome)

    def _same_time(self, row: DocumentRow, found: Fingerprint) -> bool:
        kept = row.fingerprint
        return self._read_so(row) and (kept.size, kept.mtime_ns) == (found.size, found.mtime_ns)

    def _same_content(self, row: DocumentRow, found: Fingerprint) -> bool:
        return self._read_so(row) and row.fingerprint.sha256 == found.sha256

    def _read_so(self, row: DocumentRow) -> bool:
        """Whether it was read as it would be now: of one that was read whole, the limits do not matter."""
        return row.state == "ready" and row.fingerprint.recipe in (self._recipe, self._limits)

    def _preview(self, file: File, retry: bool) -> Generator[IngestEvent, None, FileReport]:
        """What ingesting this file would do, without doing it. Chunks are not counted."""
        try:
            row = self._manifest.find(self._settings.collection, file.key)
            fingerprint = self._stat(file.path)
            if row and self._same_time(row, fingerprint):
                return _report(file, "unchanged", None)
            fingerprint = self._hashed(file.path)
            if row and self._same_content(row, fingerprint):
                return _report(file, "unchanged", None)
            if not retry and (known := self._known_failure(file, row, fingerprint)):
                return known
            pages = yield from self._load(file)
        except DocumentError as error:
            return _report(file, "failed", str(error), error.outcome)
        state: FileState = "changed" if row and row.state == "ready" else "added"
        unread = _unread(pages)
        return _report(file, state, unread, "partial" if unread else "ready", pages=_count_pages(pages))

    def _prune(self, paths: Sequence[Path], seen: set[str], dry_run: bool) -> Iterator[FileReport]:
        folders = [path_text(path.resolve()).removesuffix(os.sep) + os.sep for path in paths if path.is_dir()]
        for row in self._manifest.rows(self._settings.collection):
            if row.path.startswith(tuple(folders)) and row.path not in seen and is_gone(row.path):
                if not dry_run:
                    self.delete(row.id)
                yield FileReport(row.source, row.path, "removed", None, 0, 0)

    def check_model(self) -> None:
        """A library holds vectors of one embedding model. Raises LibraryError when it is not the one set now."""
        wanted, found = self._embedder.fingerprint, self._manifest.get_meta("embedding")
        if found not in (None, wanted):
            raise LibraryError(
                f"the library {self._settings.library} was indexed with {found or 'several embedding models'}, "
                f"but RAG_EMBEDDING_MODEL is {wanted}; set it back, or run `python -m rag reindex`"
            )

    def _claim_model(self) -> None:
        self.check_model()
        self._manifest.set_meta("embedding", self._embedder.fingerprint)

    def _stat(self, path: Path) -> Fingerprint:
        try:
            found = path.stat()
            if stat.S_ISDIR(found.st_mode):
                os.scandir(path).close()  # says why a folder cannot be walked
        except OSError as error:
            raise DocumentError(f"it cannot be read: {error.strerror}", "unreadable") from error
        if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait, reading a device never end
            raise DocumentError("it is not a regular file", "unreadable")
        return Fingerprint("", found.st_size, found.st_mtime_ns, self._recipe)

    def _hashed(self, path: Path) -> Fingerprint:
        known = self._stat(path)
        too_large = known.size > self._settings.max_file_mb * 2**20  # refused when it is loaded, so not read here
        try:
            with path.open("rb") as file:
                digest = "" if too_large else hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DocumentError(f"it cannot be read: {error.strerror}", "unreadable") from error
        return replace(known, sha256=digest)


def _unread(pages: Sequence[Document]) -> str | None:
    """What of a document was not read, in words, where a loader marked pages with metadata["unread"]."""
    unread = [page for page in pages if page.metadata.get("unread")]
    if not unread:
        return None
    reasons = "; ".join(dict.fromkeys(page.metadata["unread"] for page in unread))
    numbers = ", ".join(str(page.metadata["page"]) for page in unread[:9]) + (" ..." if len(unread) > 9 else "")
    return f"{len(unread)} of {len(pages)} pages not read ({numbers}): {reasons}"


def _count_pages(pages: Sequence[Document]) -> int:
    return sum(page.metadata["page"] is not None for page in pages)


def _report(
    file: File, state: FileState, reason: str | None, outcome: Outcome = "ready", *, pages: int = 0, chunks: int = 0
) -> FileReport:
    return FileReport(file.source, file.key, state, reason, pages, chunks, outcome)
