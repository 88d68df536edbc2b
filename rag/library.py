"""One open library: manifest, vector index, models and the functions of the product, wired together once."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from rag.config import Settings
from rag.errors import LibraryError
from rag.ingestion import Ingester, IngestEvent
from rag.ingestion_files import path_text
from rag.ingestion_writer import Writer
from rag.loaded_models import LoadedModels
from rag.manifest import Manifest
from rag.models import Report
from rag.named_collections import NamedCollections
from rag.parsing import ParserPool
from rag.precedence import Precedence
from rag.speech import SpeechModel
from rag.store import VectorIndex
from rag.tokens import TokenCounter, embedding_fingerprint, load_tokens
from rag.topics import choose_topic, find_topics
from rag.types import (
    AS_SET,
    Answer,
    AnswerEvent,
    AskOptions,
    Citation,
    DocumentInfo,
    Embedder,
    FileReport,
    IngestReport,
    Passage,
    Progress,
    Scope,
    Turn,
    place,
)

if TYPE_CHECKING:  # half a second of imports that bringing documents in does without
    from langchain_core.language_models.chat_models import BaseChatModel

    from rag.refusal import Calibration, Signals
    from rag.retriever import LibraryRetriever

_BROWSED = 12  # documents that are looked through for topics
_BROWSED_CHUNKS = 2000  # larger ones take too long to read while a page waits


class LazyEmbeddings:
    """The embedding model, loaded when the first text is embedded; its fingerprint and token counts come without it."""

    def __init__(self, settings: Settings, report: Report) -> None:
        self._settings = settings
        self._report = report
        self._lock = threading.Lock()
        self._counter: TokenCounter | None = None
        self._model: Embedder | None = None
        self.fingerprint = embedding_fingerprint(settings)
        self.give_way: Callable[[], None] = lambda: None  # called before each batch of documents

    @property
    def max_tokens(self) -> int:
        """The most tokens the model reads of a text."""
        return self._tokens().max_tokens

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, special ones included."""
        return self._tokens().count(text)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Unit vectors, one a text."""
        return self.load().embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        """The unit vector of a question."""
        return self.load().embed_query(text)

    def load(self) -> Embedder:
        """The model itself. Its module is imported here because it brings torch with it."""
        with self._lock:
            if self._model is None:
                model = import_module("rag.embeddings").load_embeddings(self._settings, self._report)
                model.give_way = self.give_way
                self._model = model
            return self._model

    def _tokens(self) -> TokenCounter:
        with self._lock:
            if self._counter is None:
                self._counter = load_tokens(self._settings, self._report)
            return self._counter


class Library:
    """A library on disk, open. `report` hears of whatever takes long: downloads, conversions, loading."""

    def __init__(self, settings: Settings, report: Report = lambda progress: None) -> None:
        self.settings = settings
        self._report = report
        self.manifest = Manifest(settings.library / "manifest.sqlite")
        self._index = VectorIndex(settings.library / "chroma", self.manifest)
        self._precedence = Precedence()
        self._embeddings = LazyEmbeddings(settings, report)
        self._embeddings.give_way = self._precedence.give_way
        self._parsers = ParserPool(settings.parse_timeout, settings.parse_memory_mb)
        self._speech = SpeechModel(settings, report)
        self._writer = Writer(settings.library, self.manifest, self._index, self._embeddings)
        self.collections = NamedCollections(settings.collection, self.manifest, self._index, self._writer)
        self._topics: dict[int, list[str]] = {}
        self._llms = LoadedModels(settings, report)

    # ---- documents

    def ingest(
        self, paths: Sequence[Path], *, dry_run: bool = False, prune: bool = False, retry: bool = False
    ) -> Generator[IngestEvent, None, IngestReport]:
        """Bring files and folders into the library; see Ingester.ingest."""
        return self._ingester().ingest(paths, dry_run=dry_run, prune=prune, retry=retry)

    def ingest_samples(self, folder: Path) -> Iterator[IngestEvent]:
        """Bring sample documents into a library that never held any, or go on where that was cut short."""
        if self.manifest.get_meta("samples") is None:
            self.manifest.set_meta("samples", "unwanted" if self.manifest.documents() else "begun")
        if self.manifest.get_meta("samples") == "begun":
            yield from self.ingest([folder])
            self.manifest.set_meta("samples", "done")

    def upload(
        self, files: Sequence[Path], collection: str | None = None
    ) -> Generator[IngestEvent, None, IngestReport]:
        """Keep copies of these files in the library itself and bring them in. A taken name gets a number.

        They go into the collection that is set, or into another one. A report has the path of the file that was given.
        Of what is not brought in, for this is closed or fails, no copy stays.
        """
        collection = collection or self.settings.collection
        folder = self._uploads(collection)
        copies: list[Path] = []
        made: list[Path] = []
        sent: dict[str, list[Path]] = {}
        try:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                for file in files:
                    copy, is_new = _copy(file, folder)
                    copies.append(copy)
                    sent.setdefault(path_text(copy.resolve()), []).append(file)
                    made += [copy] * is_new
            except OSError as error:
                raise LibraryError(f"the upload could not be kept in {folder}: {error.strerror}") from error
            return (yield from _as_sent(self._ingester(collection).ingest(copies, retry=True), sent))
        finally:
            for copy in made:
                if not self._is_known(copy.resolve()):
                    copy.unlink(missing_ok=True)

    def delete(self, document_id: int) -> None:
        """Forget a document; of an upload the kept copy goes too, any other file stays where it is."""
        document = self.manifest.document(document_id)
        self._ingester().delete(document.id)
        # It may have been moved since, and the same file be added where it was before
        is_copy = Path(document.path).parent.parent == self._uploads("").resolve()
        if is_copy and not self._is_known(Path(document.path)):
            with suppress(FileNotFoundError):
                Path(document.path).unlink()

    def drop_collection(self, collection: str) -> None:
        """Remove a collection, and every trace of it on the disk: text, words, vectors and kept copies."""
        folder = self._uploads(collection)
        with self._writer.turn():
            with self.manifest.erasing():
                for document in self.manifest.documents(collection):
                    self.manifest.retire(document.id)
                self._writer.sweep()
                self.manifest.drop_unused_vectors()
            self._index.drop(collection)
            try:
                if folder.exists():
                    shutil.rmtree(folder)  # in this turn: what was read of it meanwhile is found gone, and not kept
            except OSError as error:
                raise LibraryError(f"{folder} could not be removed: {error.strerror}") from error

    def documents(self, collection: str | None = None) -> list[DocumentInfo]:
        """The documents of the collection that is set, or of another one."""
        return self.manifest.documents(collection or self.settings.collection)

    def scope(self, names: Sequence[str]) -> Scope:
        """These documents of the collection, by source or path; without any, all of it. Raises LibraryError."""
        return Scope((self.settings.collection,), tuple(self.named(name).id for name in names))

    def named(self, name: str) -> DocumentInfo:
        """The document of the collection with this source or path. Raises LibraryError."""
        return self.manifest.named(self.settings.collection, name)

    def text(self, document_id: int) -> str:
        """A document's extracted text: what `start` and `end` of a citation count in."""
        text: str = import_module("rag.splitter").document_text(self.manifest.pages(document_id))
        return text

    def pages(self, document_id: int) -> list[tuple[str, str]]:
        """A document's extracted text, page by page: where each stands, in words, and what is on it."""
        pages = self.manifest.pages(self.manifest.document(document_id).id)
        return [(place(page.metadata["page"], page.metadata["page_label"]), page.page_content) for page in pages]

    def topics(self, documents: Sequence[DocumentInfo], count: int = 3) -> list[tuple[str, str]]:
        """What some of these documents can be asked about: a source and a heading, or a question, of each."""
        ready = [each for each in documents if each.state == "ready" and each.chunks <= _BROWSED_CHUNKS]
        found: list[tuple[str, str]] = []
        for document in ready[:: max(1, len(ready) // _BROWSED)]:
            if document.id not in self._topics:
                self._topics[document.id] = find_topics(page.page_content for page in self.manifest.pages(document.id))
            if self._topics[document.id]:
                found.append((document.source, choose_topic(self._topics[document.id])))
        return found[:: max(1, len(found) // count)][:count]

    def original(self, document_id: int) -> Path:
        """The file that a document was read from. Raises LibraryError when it is gone."""
        document = self.manifest.document(document_id)
        path = Path(document.path)
        if not path.is_file():
            raise LibraryError(f"the file of {document.source!r} is no longer where it was: {path}")
        return path

    def read_again(self, document_id: int) -> Generator[IngestEvent, None, IngestReport]:
        """Read a document's file anew, whether or not it has changed."""
        document = self.manifest.document(document_id)
        return self._ingester(document.collection).ingest([Path(document.path)], again=True)

    def passage(self, citation: Citation, answer: Answer | None = None) -> Passage:
        """A citation in its surroundings; see passages.load_passage."""
        passage: Passage = import_module("rag.passages").load_passage(self.manifest, citation, answer)
        return passage

    def reindex(self) -> Iterator[Progress]:
        """Make the vector index again; see Ingester.reindex."""
        return self._ingester().reindex()

    # ---- questions

    def search(self, question: str, k: int | None = None, scope: Scope | None = None) -> list[Citation]:
        """The chunks that answer best, numbered, no model asked but the embedding model.

        Without a `scope`, the collection that is set is searched.
        """
        chunks = self._retriever(k, scope).invoke(question)
        return [Citation.from_chunk(chunk.metadata["number"], chunk) for chunk in chunks]

    def ask(
        self,
        question: str,
        history: Sequence[Turn] = (),
        options: AskOptions = AS_SET,
        scope: Scope | None = None,
    ) -> Iterator[AnswerEvent]:
        """Answer a question: Sources, Tokens, Answer; see chain.stream_answer."""
        settings = self.settings.chosen(options)
        retriever = self._retriever(settings.top_k, scope)
        llm = self.load_llm(settings.llm_model)
        calibration = import_module("rag.refusal").load_calibration(
            self.manifest.get_meta("refusal"), self._models(llm)
        )
        with self._precedence.question():
            yield from import_module("rag.chain").stream_answer(
                llm, retriever, settings, question, history, calibration
            )

    def ask_alone(
        self, question: str, history: Sequence[Turn] = (), options: AskOptions = AS_SET
    ) -> Iterator[AnswerEvent]:
        """Answer a question without the documents: Tokens, Answer; see alone.stream_alone."""
        settings = self.settings.chosen(options)
        llm = self.load_llm(settings.llm_model)
        with self._precedence.question():
            yield from import_module("rag.alone").stream_alone(llm, settings, question, history)

    def signals(self, question: str) -> Signals | None:
        """What the decision to refuse a question would rest on; see chain.signals."""
        found: Signals | None = import_module("rag.chain").signals(
            self.load_llm(), self._retriever(), self.settings, question
        )
        return found

    def calibrate(self, calibration: Calibration) -> None:
        """Decide by this from now on, as long as the models are these."""
        dumped = import_module("rag.refusal").dump_calibration(calibration, self._models(self.load_llm()))
        self.manifest.set_meta("refusal", dumped)

    def load_models(self) -> None:
        """Load what answering needs, ahead of the first question."""
        self._embeddings.embed_query("")
        self.load_llm()

    def load_llm(self, name: str | None = None) -> BaseChatModel:
        """The language model, or another one that is configured. A failure is not remembered: the next call tries."""
        return self._llms.get(name or self.settings.llm_model)

    def loading(self, options: AskOptions) -> Progress | str | None:
        """How far the loading of the model that was chosen is; see LoadedModels.loading. The first is loaded ahead."""
        name = self.settings.chosen(options).llm_model
        return None if name is None or name == self.settings.llm_model else self._llms.loading(name)

    def _retriever(self, k: int | None = None, scope: Scope | None = None) -> LibraryRetriever:
        scope = scope or Scope((self.settings.collection,))
        self._ingester().check_model()
        if not self.manifest.answers(scope):
            if scope.documents:
                raise LibraryError("none of the documents that were chosen can be asked; choose others")
            raise LibraryError(
                f"collection {scope.collections[0]!r} of the library {self.settings.library} is empty; "
                "add documents with `python ingest.py FOLDER` or in the page"
            )
        made: LibraryRetriever = import_module("rag.retriever").LibraryRetriever(
            manifest=self.manifest,
            index=self._index,
            embeddings=self._embeddings,
            scope=scope,
            k=k or self.settings.top_k,
        )
        return made

    def _models(self, llm: BaseChatModel) -> str:
        return f"{self._embeddings.fingerprint}, {getattr(llm, 'model_name', type(llm).__name__)}"

    def _ingester(self, collection: str | None = None) -> Ingester:
        """The writer of a collection."""
        settings = self.settings.model_copy(update={"collection": collection}) if collection else self.settings
        return Ingester(settings, self.manifest, self._index, self._embeddings, self._parsers, self._speech)

    def _is_known(self, file: Path) -> bool:
        """Whether a file is a document of any collection: it may have been moved."""
        return any(self.manifest.find(name, path_text(file)) for name in self.manifest.collections())

    def _uploads(self, collection: str) -> Path:
        return self.settings.library / "uploads" / collection


def _as_sent(
    events: Generator[IngestEvent, None, IngestReport], sent: Mapping[str, Sequence[Path]]
) -> Generator[IngestEvent, None, IngestReport]:
    """The events of copies; a report comes for each file that the copy was made of, under that file's path."""
    with closing(events):
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                report: IngestReport = end.value
                return report
            if not isinstance(event, FileReport):
                yield event
                continue
            for number, file in enumerate(sent.get(event.path, ())):
                again = number > 0 and event.state in ("added", "changed")
                yield replace(event, path=str(file), state="unchanged" if again else event.state)


def _copy(file: Path, folder: Path) -> tuple[Path, bool]:
    """Copy a file into a folder under its own name, or a numbered one if another file has it; equal content is kept.

    Returns the copy, and whether it was made now.
    """
    for number in range(1, 10_000):
        target = folder / (file.name if number == 1 else f"{file.stem} ({number}){file.suffix}")
        if not target.exists():
            partial = target.with_name(f".{target.name}.partial")  # hidden, so never ingested half written
            try:
                shutil.copyfile(file, partial)
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)
            return target, True
        if target.stat().st_size == file.stat().st_size and target.read_bytes() == file.read_bytes():
            return target, False
    raise LibraryError(f"{folder} holds too many files called {file.name!r}; rename it")
