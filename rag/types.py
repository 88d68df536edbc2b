"""The records that pass between the floors: frozen, slotted, plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from langchain_core.documents import Document

FileState = Literal["added", "changed", "unchanged", "removed", "failed"]
DocumentState = Literal["ready", "failed"]
# What reading a file came to: all of it, all but some pages, or what kept it out (errors.Failure).
Outcome = Literal[
    "ready", "partial", "empty", "password", "unsupported", "corrupt", "too_large", "timed_out", "unreadable"
]
TurnState = Literal["done", "stopped", "failed"]
PictureProblem = Literal["gone", "changed", "unreadable", "unmarked"]

# What a request carries of whoever is signed in: the account's key, and what people call it. Set in sign_in.py alone.
ACCOUNT_HEADER, NAME_HEADER = "x-footnote-account", "x-footnote-name"
SignsIn = Literal["", "form", "huggingface"]  # how visitors sign in, if they can

BETWEEN = " > "  # one heading and the next of a path
# What a page label begins with where it names its place itself ("slide 3"), instead of being printed on a page.
_PLACES = ("slide ", "sheet ", "chapter ", "message", "attachment ", "file ", "at ")


def place(page: int | None, page_label: str | None) -> str:
    """Where a page stands, in words: "page xii", "slide 3", "sheet Prices"; nothing where the format has no pages."""
    if page_label and page_label.startswith(_PLACES):
        return page_label
    return f"page {page_label or page}" if page else ""


@runtime_checkable
class Embedder(Protocol):
    """Texts to unit vectors, as LangChain's Embeddings has it, which takes a third of a second to import."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text, in the same order."""

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a question is asked of: collections; where `documents` (ids) are named, only those of them."""

    collections: tuple[str, ...]
    documents: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """A retrieved chunk under the number the answer cites it by.

    `start` and `end` are character offsets in the document's extracted text, `page` counts from 1 (None where the
    format has no pages) and `page_label` is what the document itself prints on that page ("xii"), or what the page is
    called in formats whose pages are something else ("slide 3", "sheet Prices"); `place` puts both into words.
    `headings` is the path of headings that it begins under ("Manual > Safety > Disposal"), empty where there are none.
    """

    number: int
    source: str
    page: int | None
    start: int
    end: int
    score: float
    text: str
    page_label: str | None
    document_id: int
    headings: str = ""

    @property
    def heading(self) -> str:
        """The innermost of its headings."""
        return self.headings.rpartition(BETWEEN)[2]

    @classmethod
    def from_chunk(cls, number: int, chunk: Document) -> Citation:
        """Read the metadata that splitter.py and manifest.py wrote. The only reader of chunk metadata."""
        meta = chunk.metadata
        return cls(
            number=number,
            source=meta["source"],
            page=meta["page"],
            start=meta["start"],
            end=meta["end"],
            score=meta["score"],
            text=chunk.page_content,
            page_label=meta["page_label"],
            document_id=meta["document_id"],
            headings=meta.get("headings", ""),
        )


@dataclass(frozen=True, slots=True)
class Timings:
    """What an answer cost. Seconds, tokens of the answering model, and MiB of resident memory at the peak."""

    retrieve_s: float
    first_token_s: float
    total_s: float
    prompt_tokens: int
    answer_tokens: int
    tokens_per_s: float
    peak_memory_mb: float


@dataclass(frozen=True, slots=True)
class Sources:
    """The chunks the model is about to read, numbered; comes before the first token."""

    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the answer as the model writes it."""

    text: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of an answer without its markers, and the numbers of the sources that hold it.

    `text` keeps the white space that follows the sentence, so that joining the sentences gives the answer back.
    An empty `citations` marks a sentence that no source supports.
    """

    text: str
    citations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The finished answer.

    `text` carries [n] markers that were checked against the sources; `citations` are the sources it cites, in order of
    number; `sources` are all that were found. A refused answer cites nothing and keeps the nearest passages in them.
    """

    question: str
    text: str
    refused: bool
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    sources: tuple[Citation, ...]
    timings: Timings
    model: str


AnswerEvent = Sources | Token | Answer


@dataclass(frozen=True, slots=True)
class AskOptions:
    """What is chosen for one answer; None: as the server is set. `answer_tokens` is the most that are written."""

    sources: int | None = None
    answer_tokens: int | None = None
    temperature: float | None = None
    model: str | None = None


AS_SET = AskOptions()


@dataclass(frozen=True, slots=True)
class AskLimits:
    """What may be chosen for an answer: at most so many sources and tokens, and one of the models.

    `sources`, `answer_tokens`, `temperature` and the first of `models` are also what holds where nothing is chosen.
    """

    sources: int
    answer_tokens: int
    temperature: float
    models: tuple[str, ...]
    least_tokens: int = 16
    most_temperature: float = 1.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier question of a conversation and the answer it got."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class KeptTurn:
    """A question of a conversation and what came of it, as it is kept.

    `searched` counts the documents that were asked; `asked` names them where they were chosen. A finished turn has its
    `answer`; one that was stopped or failed has the `text` that was written by then, and `error` says why it failed.
    `alone` is what came of the same question asked of the model without the documents.
    """

    question: str
    state: TurnState
    searched: int
    sources: tuple[Citation, ...]
    text: str
    answer: Answer | None
    error: str
    asked: str = ""
    alone: KeptTurn | None = None


@dataclass(frozen=True, slots=True)
class ConversationInfo:
    """A conversation as a list shows it. `updated` an ISO 8601 time in UTC."""

    id: int
    name: str
    turns: int
    updated: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long piece of work is. `done` and `total` count `unit`s ("B", "chunks", "files"); total 0: unknown."""

    what: str
    done: int
    total: int
    unit: str


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file in an ingest run.

    `reason` says why it failed, what of it was not read, or that it is not what its name says.
    """

    source: str
    path: str
    state: FileState
    reason: str | None
    pages: int
    chunks: int
    outcome: Outcome = "ready"


@dataclass(frozen=True, slots=True)
class IngestReport:
    """The outcome of an ingest run. `embedded` counts the chunks that went through the embedding model."""

    files: tuple[FileReport, ...]
    embedded: int
    seconds: float

    def count(self, state: FileState) -> int:
        """How many files ended in this state."""
        return sum(file.state == state for file in self.files)


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """One document of the library as a list shows it. `size` in bytes, `updated` an ISO 8601 time in UTC.

    `reason` says why it failed, what of it was not read, or why its newer version was not read. `read_only`: whoever
    this list was made for may not change it.
    """

    id: int
    collection: str
    source: str
    path: str
    state: DocumentState
    reason: str | None
    pages: int
    chunks: int
    size: int
    updated: str
    outcome: Outcome = "ready"
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A rectangle over one line of a passage, as shares of the page's width and height from its top left corner.

    `best` marks are over the sentences that support the answer best, and lie on top of the others.
    """

    left: float
    top: float
    width: float
    height: float
    best: bool


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page as a picture of `width` x `height` pixels, with the marks over its cited passage.

    `dark`: the passage stands in light letters on a dark ground.
    """

    data: bytes
    media_type: str
    width: int
    height: int
    marks: tuple[Mark, ...]
    dark: bool


@dataclass(frozen=True, slots=True)
class Recording:
    """When a passage is heard: from `second` on. `media_type` is the file's, "audio/..." or "video/..."."""

    second: float
    media_type: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A citation in its surroundings: the document's text before it, the cited text, and the text after it.

    `page` and `page_label` are the citation's; `pages` is how many the document has (0: a format without pages).
    `best` are the spans of `text`, in order, that support the answer best. `image` is the page or picture itself where
    the format has such, `recording` says when it is heard where that is so; `problem`, why the one cannot be shown or
    the other not played, or why nothing is marked.
    """

    source: str
    page: int | None
    page_label: str | None
    pages: int
    before: str
    text: str
    after: str
    best: tuple[tuple[int, int], ...] = ()
    image: PageImage | None = None
    problem: PictureProblem | None = None
    recording: Recording | None = None
