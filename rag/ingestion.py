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
from rag.loaders import load_documents
from rag.manifest import DocumentRow, Fingerprint, Manifest
from rag.splitter import split_documents
from rag.store import VectorIndex
from rag.types import FileReport, FileState, IngestReport, Progress

RECIPE = "1"  # raise it when loaders or splitter come to read files otherwise: every file is then read again
_BATCH = 32  # chunks embedded, and kept, at a time: what a kill can cost
_FOREVER = 1e9  # seconds

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


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    key: str  # the path as the manifest keeps it
    source: str
    in_folder: bool


@dataclass(slots=True)
class _Tally:
    embedded: int = 0


class Ingester:
    """The writer of one library. Several, in one process or many, take turns document by document."""

    def __init__(self, settings: Settings, manifest: Manifest, index: VectorIndex, embedder: ChunkEmbedder) -> None:
        self._settings = settings
        self._manifest = manifest
        self._index = index
        self._embedder = embedder

    def ingest(
        self, paths: Sequence[Path], *, dry_run: bool = False, prune: bool = False, again: bool = False
    ) -> Generator[IngestEvent, None, IngestReport]:
        """Bring files and folders into the library. Yields progress and a report per file; returns the whole.

        A file that cannot be read is reported and the others go on; LibraryError (a full disk, another embedding
        model) ends the run, and what was committed stays. `prune` forgets documents whose files are gone from the
        folders given; `again` reads also what has not changed.
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
            report = self._preview(file) if dry_run else (yield from self._ingest_file(file, tally, again))
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

    def _ingest_file(self, file: _File, tally: _Tally, again: bool) -> Generator[IngestEvent, None, FileReport]:
        collection = self._settings.collection
        fingerprint = Fingerprint("", 0, 0, "")
        try:
            row = self._manifest.find(collection, file.key)
            if row and not file.in_folder:  # a file given by itself keeps the name it got from its folder
                file = replace(file, source=row.source)
            fingerprint = self._stat(file.path)
            if row and not again and _same_time(row, fingerprint):
                return self._unchanged(file, row, fingerprint)
            if self._others_turn():
                yield Progress(f"{file.source}: waiting for another writer of this library", 0, 0, "")
            with self.turn():
                row = self._manifest.find(collection, file.key)
                fingerprint = self._hashed(file.path)
                if row and not again and _same_content(row, fingerprint):
                    return self._unchanged(file, row, fingerprint)
                return (yield from self._commit(file, row, fingerprint, tally))
        except DocumentError as error:
            self._manifest.add_failure(collection, file.key, file.source, fingerprint, str(error))
            return _report(file, "failed", str(error))

    def _commit(
        self, file: _File, row: DocumentRow | None, fingerprint: Fingerprint, tally: _Tally
    ) -> Generator[IngestEvent, None, FileReport]:
        collection = self._settings.collection
        pages = load_documents(file.path, max_bytes=self._settings.max_file_mb * 2**20)
        if self._stat(file.path).mtime_ns != fingerprint.mtime_ns:
            raise DocumentError("it changed while it was being read; add it again")
        chunks = self._split(pages)
        yield from self._embed(file.source, chunks, tally)
        document_id = self._manifest.add_document(collection, file.key, file.source, fingerprint, pages, chunks)
        ids = self._manifest.chunk_ids(document_id)
        self._index.add(collection, ids, self._manifest.vectors(ids))
        self._manifest.publish(document_id)
        self.sweep()
        state: FileState = "changed" if row and row.state == "ready" else "added"
        return _report(file, state, None, pages=_count_pages(pages), chunks=len(chunks))

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

    def _unchanged(self, file: _File, row: DocumentRow, fingerprint: Fingerprint) -> FileReport:
        if (file.source, fingerprint.mtime_ns, None) != (row.source, row.fingerprint.mtime_ns, row.reason):
            self._manifest.touch(row.id, file.source, fingerprint.mtime_ns)
        return _report(file, "unchanged", None, pages=row.pages, chunks=row.chunks)

    def _preview(self, file: _File) -> FileReport:
        """What ingesting this file would do, without doing it. Chunks are not counted."""
        try:
            row = self._manifest.find(self._settings.collection, file.key)
            fingerprint = self._stat(file.path)
            if row and _same_time(row, fingerprint):
                return _report(file, "unchanged", None)
            fingerprint = self._hashed(file.path)
            if row and _same_content(row, fingerprint):
                return _report(file, "unchanged", None)
            pages = load_documents(file.path, max_bytes=self._settings.max_file_mb * 2**20)
        except DocumentError as error:
            return _report(file, "failed", str(error))
        return _report(file, "changed" if row and row.state == "ready" else "added", None, pages=_count_pages(pages))

    def _prune(self, paths: Sequence[Path], seen: set[str], dry_run: bool) -> Iterator[FileReport]:
        folders = [_text(path.resolve()).removesuffix(os.sep) + os.sep for path in paths if path.is_dir()]
        for row in self._manifest.rows(self._settings.collection):
            if row.path.startswith(tuple(folders)) and row.path not in seen and _gone(row.path):
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
            raise DocumentError(f"it cannot be read: {error.strerror}") from error
        if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait, reading a device never end
            raise DocumentError("it is not a regular file")
        recipe = f"{RECIPE}/{self._settings.chunk_size}/{self._settings.chunk_overlap}"
        return Fingerprint("", found.st_size, found.st_mtime_ns, recipe)

    def _hashed(self, path: Path) -> Fingerprint:
        known = self._stat(path)
        too_large = known.size > self._settings.max_file_mb * 2**20  # refused when it is loaded, so not read here
        try:
            with path.open("rb") as file:
                digest = "" if too_large else hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DocumentError(f"it cannot be read: {error.strerror}") from error
        return replace(known, sha256=digest)


def find_files(paths: Sequence[Path], library: Path) -> list[_File]:
    """The files given, and those in the folders given but for hidden ones, each once, in order.

    The library's own folder is passed over. A link to nothing and a folder that cannot be listed are among the files,
    so that reading them tells what is wrong.
    """
    found: dict[str, _File] = {}
    library = library.resolve()
    for given in paths:
        path = given.resolve()
        if path.is_dir():
            for file in _walk(path, library):
                found[_text(file)] = _File(file, _text(file), _text(file.relative_to(path)), in_folder=True)
        else:
            found.setdefault(_text(path), _File(path, _text(path), _text(Path(path.name)), in_folder=False))
    return list(found.values())


def _walk(top: Path, library: Path) -> Iterator[Path]:
    unlisted: list[Path] = []
    for folder, folders, names in os.walk(top, onerror=lambda error: unlisted.append(Path(error.filename))):
        folders[:] = sorted(n for n in folders if not n.startswith(".") and Path(folder, n) != library)
        for name in sorted(names):
            file = Path(folder, name)
            if not name.startswith(".") and (file.is_file() or file.is_symlink()):
                yield file
    yield from unlisted


def _gone(path: str) -> bool:
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # no permission to look, a disk that does not answer: no reason to forget a document
        return False
    return False


def _text(path: Path) -> str:
    """A path as text that SQLite and JSON take: bytes that are no UTF-8 are written as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _same_time(row: DocumentRow, found: Fingerprint) -> bool:
    kept = row.fingerprint
    return row.state == "ready" and (kept.size, kept.mtime_ns, kept.recipe) == (
        found.size,
        found.mtime_ns,
        found.recipe,
    )


def _same_content(row: DocumentRow, found: Fingerprint) -> bool:
    kept = row.fingerprint
    return row.state == "ready" and (kept.sha256, kept.recipe) == (found.sha256, found.recipe)


def _count_pages(pages: Sequence[Document]) -> int:
    return sum(page.metadata["page"] is not None for page in pages)


def _report(file: _File, state: FileState, reason: str | None, *, pages: int = 0, chunks: int = 0) -> FileReport:
    return FileReport(file.source, file.key, state, reason, pages, chunks)
