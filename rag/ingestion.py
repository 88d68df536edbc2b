"""Files in: find them, see what has changed, read and split that ahead, embed, and commit.

find_files -> Changes -> Readers (parse, split; in threads) -> Writer (embed, commit; in turns)
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rag.config import Settings
from rag.errors import DocumentError, LibraryError
from rag.ingestion_changes import Candidate, Changes, NotRead
from rag.ingestion_files import File, find_files, is_gone, path_text
from rag.ingestion_readers import Contents, Outcome, Readers
from rag.ingestion_writer import BATCH, CHANGED, ChunkEmbedder, Writer
from rag.manifest import Manifest
from rag.parsing import WORKERS, ParserPool
from rag.speech import SpeechModel
from rag.store import VectorIndex
from rag.types import FileReport, IngestReport, Progress

if TYPE_CHECKING:
    from langchain_core.documents import Document

IngestEvent = Progress | FileReport


class Ingester:
    """Brings documents into one library and out of it. Several, in one process or many, take turns at writing."""

    def __init__(
        self,
        settings: Settings,
        manifest: Manifest,
        index: VectorIndex,
        embedder: ChunkEmbedder,
        parsers: ParserPool | None = None,
        speech: SpeechModel | None = None,
    ) -> None:
        self._settings = settings
        self._parsers = parsers or ParserPool(settings.parse_timeout, settings.parse_memory_mb)
        self._speech = speech
        self._manifest = manifest
        self._index = index
        self._embedder = embedder
        self._writer = Writer(settings.library, manifest, index, embedder)

    def ingest(
        self,
        paths: Sequence[Path],
        *,
        dry_run: bool = False,
        prune: bool = False,
        retry: bool = False,
        again: bool = False,
    ) -> Generator[IngestEvent, None, IngestReport]:
        """Bring files and folders into the library. Yields progress, and a report of each file once it is done with.

        Files are read ahead while others are embedded, so that one which takes long to read is overtaken by those
        behind it; the report that is returned has all of them in their order. A file that cannot be read is reported
        and the others go on; LibraryError (a full disk, another embedding model) ends the run, and what was committed
        stays. `prune` forgets documents whose files are gone from the folders given. A file that could not be read, or
        not all of it, is not read again, until it or a limit changes, but by `retry`; `again` reads every file again.
        """
        began = time.monotonic()
        collection = self._settings.collection
        files = find_files(paths, self._settings.library)
        self.check_model()
        if not dry_run:
            with self._writer.turn():
                self._claim_model()
                self._writer.sweep()
        changes = Changes(self._settings, self._manifest, collection, retry=retry, again=again)
        reports, embedded = yield from self._bring_in(files, collection, changes, dry_run)
        if prune:
            for report in self._prune(collection, paths, {file.key for file in files}, dry_run):
                reports.append(report)
                yield report
        if not dry_run:
            with self._writer.turn():
                self._manifest.drop_unused_vectors()
        yield Progress("", len(files), len(files), "files")
        return IngestReport(tuple(reports), embedded, time.monotonic() - began)

    def delete(self, document_id: int) -> None:
        """Forget a document: it no longer answers, and no vector of it stays behind."""
        with self._writer.turn():
            self._manifest.retire(document_id)
            self._writer.sweep()
            self._manifest.drop_unused_vectors()

    def reindex(self) -> Iterator[Progress]:
        """Make the vector index again; where the embedding model is another now, make the vectors again first."""
        with self._writer.turn():
            self._writer.sweep()
            if self._manifest.get_meta("embedding") not in (None, self._embedder.fingerprint):
                self._manifest.drop_unused_vectors()  # they are the other model's, and would be taken for this one's
                texts = list(self._manifest.all_texts())
                self._manifest.set_meta("embedding", "")  # neither model until all are done: a kill here is noticed
                for start in range(0, len(texts), BATCH):
                    yield Progress("Embedding", start, len(texts), "chunks")
                    batch = texts[start : start + BATCH]
                    self._manifest.replace_vectors(batch, self._embedder.embed_documents(batch))
            yield Progress("Building the vector index", 0, 0, "chunks")
            self._index.rebuild()
            self._manifest.set_meta("embedding", self._embedder.fingerprint)

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

    # ---- from files to reports

    def _bring_in(
        self, files: Sequence[File], collection: str, changes: Changes, dry_run: bool
    ) -> Generator[IngestEvent, None, tuple[list[FileReport], int]]:
        """Yields the report of each file; returns them in the files' order, and how many chunks were embedded."""
        reports: dict[int, FileReport] = {}
        embedded = 0
        coming = deque(enumerate(files))
        yield Progress("", 0, len(files), "files")
        with Readers(partial(self._read, changes, dry_run), WORKERS) as readers:
            while coming or readers.busy:
                outcomes: Sequence[Outcome]
                if coming and readers.room:
                    looked = changes.look(*coming.popleft())
                    if isinstance(looked, Candidate):
                        readers.add(looked)
                        continue
                    outcomes = [looked]
                else:
                    outcomes = yield from readers.take(BATCH)
                if not dry_run:
                    outcomes, count = yield from self._writer.write(collection, changes, outcomes)
                    embedded += count
                for outcome in outcomes:
                    yield Progress(outcome.candidate.file.source, len(reports), len(files), "files")
                    reports[outcome.candidate.number] = outcome.report
                    yield outcome.report
        return [reports[number] for number in range(len(files))], embedded

    def _read(
        self, changes: Changes, dry_run: bool, candidate: Candidate, stopped: threading.Event
    ) -> Generator[Progress, None, Outcome]:
        """Hash, parse and split a file whose stat says that it has changed."""
        max_bytes, ocr = self._settings.max_file_mb * 2**20, self._settings.ocr != "off"
        path, source = candidate.file.path, candidate.file.source
        try:
            candidate = changes.hashed(candidate)
            if known := changes.known(candidate):
                return known
            pages = yield from self._parsers.load_documents(
                path, source, max_bytes=max_bytes, ocr=ocr, speech=self._speech, stopped=stopped
            )
            if changes.has_changed(candidate):
                raise DocumentError(CHANGED, "unreadable")
        except DocumentError as error:
            return NotRead(candidate, error)
        return Contents(candidate, pages, [] if dry_run else self._split(pages))

    def _split(self, pages: list[Document]) -> list[Document]:
        from rag.splitter import split_documents  # late: LangChain's part of it is needed for new text only

        return split_documents(
            pages,
            chunk_size=self._settings.chunk_size,
            chunk_overlap=self._settings.chunk_overlap,
            max_tokens=self._embedder.max_tokens,
            count_tokens=self._embedder.count_tokens,
        )

    def _prune(self, collection: str, paths: Sequence[Path], seen: set[str], dry_run: bool) -> Iterator[FileReport]:
        folders = [path_text(path.resolve()).removesuffix(os.sep) + os.sep for path in paths if path.is_dir()]
        for row in self._manifest.rows(collection):
            if row.path.startswith(tuple(folders)) and row.path not in seen and is_gone(row.path):
                if not dry_run:
                    self.delete(row.id)
                yield FileReport(row.source, row.path, "removed", None, 0, 0)
