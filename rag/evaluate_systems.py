"""What can be measured: Footnote itself, each half of its retrieval alone, and the plain chain."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
from langchain_core.documents import Document
from langchain_core.language_models.chat_models import BaseChatModel

from rag.config import Settings
from rag.errors import EvaluationError
from rag.evaluate_baseline import (
    CHUNK_OVERLAP,
    CHUNK_SIZE,
    NearestRetriever,
    Watch,
    build_plain_chain,
    embed_plainly,
    says_unknown,
    split_plainly,
)
from rag.evaluate_measures import numbers
from rag.evaluate_set import Answered, Question, Signalled, Span
from rag.ingestion_files import find_files
from rag.library import LazyEmbeddings, Library
from rag.llm import load_llm
from rag.models import Report
from rag.store import VectorIndex
from rag.types import Answer, FileReport, Scope, Sentence

ANY = 10**9  # chunks, and times the chunks: a search by words is not held to fewer


class System(ABC):
    """One way to search and answer over a folder of documents; its work is kept in `settings.library`.

    `modules` are those that it runs through beside Footnote's own.
    """

    modules: tuple[str, ...] = ()

    def __init__(self, settings: Settings, embeddings: LazyEmbeddings, report: Report) -> None:
        self.settings = settings
        self.embeddings = embeddings
        self._report = report

    @staticmethod
    def chunking(settings: Settings) -> str:
        """How documents are cut, in words."""
        return f"{settings.chunk_size}/{settings.chunk_overlap}"

    @abstractmethod
    def ingest(self, docs: Path) -> list[str]:
        """Bring the documents in, embedding nothing that was embedded before. Returns what could not be read, and why.

        Raises EvaluationError where nothing could be read.
        """

    @abstractmethod
    def search(self, question: str, k: int) -> list[tuple[Span, str]]:
        """The k chunks found, best first, each with its text."""

    def warm_up(self, question: str) -> None:
        """Load what searching needs."""
        self.search(question, 1)

    @abstractmethod
    def load(self) -> None:
        """Load what answering needs."""

    @abstractmethod
    def ask(self, question: Question) -> Answered:
        """Answer a question. Raises RagError."""


class Footnote(System):
    """Footnote as it is: rag.library."""

    def ingest(self, docs: Path) -> list[str]:
        """Bring the documents in; see System."""
        library = self.library = Library(self.settings, self._report)
        failed = []
        for event in library.ingest([docs]):
            if not isinstance(event, FileReport):
                self._report(event)
            elif event.state == "failed":
                failed.append(f"{event.source} was not read: {event.reason}")
        inside = docs.resolve()
        for document in library.documents():  # the same set may have been asked from another folder
            if not Path(document.path).is_relative_to(inside):
                library.delete(document.id)
        if not library.manifest.answers(Scope((self.settings.collection,))):
            raise EvaluationError(f"no file in {docs} could be read" + "".join(f"; {each}" for each in failed))
        return failed

    def search(self, question: str, k: int) -> list[tuple[Span, str]]:
        """The library's own search."""
        return [(Span(hit.source, hit.start, hit.end), hit.text) for hit in self.library.search(question, k)]

    def load(self) -> None:
        """Load the embedding model and the language model."""
        self.library.load_models()

    def signals(self, question: Question) -> Signalled:
        """What the library's decision to refuse would rest on."""
        found = self.library.signals(question.text)
        return Signalled(question.id, found and found.yes, found and found.cosine)

    def ask(self, question: Question) -> Answered:
        """The library's own answer."""
        answer = next(event for event in self.library.ask(question.text) if isinstance(event, Answer))
        return Answered(
            id=question.id,
            text="".join(sentence.text for sentence in answer.sentences),
            refused=answer.refused,
            cited=tuple(Span(hit.source, hit.start, hit.end) for hit in answer.citations),
            sentences=len(answer.sentences),
            supported=sum(bool(sentence.citations) for sentence in answer.sentences),
            wrong_numbers=sum(wrong_numbers(sentence, answer, question.text) for sentence in answer.sentences),
            first_token_s=answer.timings.first_token_s,
            total_s=answer.timings.total_s,
            prompt_tokens=answer.timings.prompt_tokens,
            model=answer.model,
        )


class Dense(Footnote):
    """The nearest chunks by meaning alone."""

    def ingest(self, docs: Path) -> list[str]:
        """Bring the documents in; see System."""
        failed = super().ingest(docs)
        self._index = VectorIndex(self.settings.library / "chroma", self.library.manifest)
        return failed

    def search(self, question: str, k: int) -> list[tuple[Span, str]]:
        """Straight from the vector index."""
        ids = self._index.search(self.settings.collection, self.embeddings.embed_query(question), k)
        return [locate(chunk) for chunk in self.library.manifest.chunks(ids).values()]


class Bm25(Footnote):
    """The nearest chunks by words alone, every word of the question."""

    def ingest(self, docs: Path) -> list[str]:
        """Bring the documents in; see System."""
        failed = super().ingest(docs)
        self.library.manifest.share = self.library.manifest.most = ANY
        return failed

    def search(self, question: str, k: int) -> list[tuple[Span, str]]:
        """Straight from the manifest's keyword index."""
        ids = self.library.manifest.keyword_search(Scope((self.settings.collection,)), question, k)
        return [locate(chunk) for chunk in self.library.manifest.chunks(ids).values()]


class Baseline(System):
    """The plain chain of rag.evaluate_baseline."""

    modules = ("evaluate_baseline",)

    @staticmethod
    def chunking(settings: Settings) -> str:
        """Its own, whatever is set."""
        return f"plain {CHUNK_SIZE}/{CHUNK_OVERLAP}"

    def ingest(self, docs: Path) -> list[str]:
        """Split and embed the documents; the vectors are kept in a file."""
        files = [(file.source, file.path) for file in find_files([docs], self.settings.library)]
        chunks, failed = split_plainly(files, self.settings.max_file_mb * 2**20)
        if not chunks:
            raise EvaluationError(f"no file in {docs} could be read" + "".join(f"; {each}" for each in failed))
        path = self.settings.library / "vectors.npy"
        for progress in embed_plainly(chunks, self.embeddings, path):
            self._report(progress)
        vectors = np.load(path, allow_pickle=False)
        self._retriever = NearestRetriever(embeddings=self.embeddings, chunks=chunks, vectors=vectors)
        self._llm: BaseChatModel | None = None
        return failed

    def search(self, question: str, k: int) -> list[tuple[Span, str]]:
        """The nearest chunks, more than the chain reads."""
        return [locate(chunk) for chunk in self._retriever.model_copy(update={"k": k}).invoke(question)]

    def load(self) -> None:
        """Load the embedding model and the language model."""
        self.embeddings.embed_query("")
        self._llm = load_llm(self.settings, self._report)

    def ask(self, question: Question) -> Answered:
        """What the chain says."""
        llm = self._llm or load_llm(self.settings, self._report)
        watch, began = Watch(), time.monotonic()
        said = build_plain_chain(llm, self._retriever).invoke({"query": question.text}, config={"callbacks": [watch]})
        ended = time.monotonic()
        refused = says_unknown(said["result"])
        read = " ".join(chunk.page_content for chunk in said["source_documents"])
        return Answered(
            id=question.id,
            text=said["result"].strip(),
            refused=refused,
            cited=() if refused else tuple(locate(chunk)[0] for chunk in said["source_documents"]),
            sentences=0,  # it gives no sentence a citation, and promises none
            supported=0,
            wrong_numbers=0 if refused else len(numbers(said["result"]) - numbers(f"{question.text} {read}")),
            first_token_s=(watch.first_token_at or ended) - began,
            total_s=ended - began,
            prompt_tokens=watch.prompt_tokens,
            model=str(getattr(llm, "model_name", type(llm).__name__)),
        )


SYSTEMS: dict[str, type[System]] = {"footnote": Footnote, "dense": Dense, "bm25": Bm25, "baseline": Baseline}


def locate(chunk: Document) -> tuple[Span, str]:
    """Where a chunk stands, and its text."""
    meta = chunk.metadata
    return Span(meta["source"], meta["start"], meta["end"]), chunk.page_content


def wrong_numbers(sentence: Sentence, answer: Answer, question: str) -> int:
    """How many numbers of a sentence that cites stand neither in what it cites nor in the question."""
    if not sentence.citations:
        return 0
    cited = [f"{hit.source} {hit.text}" for hit in answer.citations if hit.number in sentence.citations]
    return len(numbers(sentence.text) - numbers(" ".join((question, *cited))))
