"""Question to answer: a RetrievalQA chain over the library, its events as one stream. The only RetrievalQA importer."""

from __future__ import annotations

import contextvars
import queue
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, NamedTuple, NoReturn

from langchain_classic.chains.retrieval_qa.base import BaseRetrievalQA, RetrievalQA
from langchain_core._api import LangChainDeprecationWarning
from langchain_core.callbacks import BaseCallbackHandler, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.outputs import LLMResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from rag.chat import token_counts
from rag.citations import check_answer, is_refusal
from rag.config import Settings
from rag.errors import RagError
from rag.follow_ups import standalone, with_its_thread
from rag.prompts import (
    ANSWER_ACCOUNT,
    ANSWER_FACT,
    REFUSAL,
    SOURCE,
    SOURCE_SEPARATOR,
    asks_for_account,
    show_source,
)
from rag.refusal import SHIPPED, Calibration, Judge, Signals, find_signals
from rag.retriever import LibraryRetriever
from rag.timings import make_timings
from rag.types import Answer, AnswerEvent, Citation, Sentence, Sources, Timings, Token, Turn

warnings.simplefilter("ignore", LangChainDeprecationWarning)  # we know; leaving it means changing this file

_SURE = 0.75  # from here on an answer stands though the check of words finds it in no source, as with a translation
_SLACK_TOKENS = 16  # tokenizers may join or part tokens where texts meet


class _Stop(BaseException):
    """Raised inside the chain to end it early. Not an Exception: LangChain would log it as a failed callback."""


class _Events(BaseCallbackHandler):
    """Turns the chain's callbacks into a queue of events, and stops the chain at the next one when asked to."""

    raise_error = True  # or LangChain would log what stops the chain, and go on

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[AnswerEvent | BaseException | None] = queue.SimpleQueue()
        self.stop = threading.Event()
        self.refusal: str | None = None
        self.retrieved_at = self.first_token_at = 0.0
        self.prompt_tokens = self.answer_tokens = 0

    def on_retrieved(self, documents: Sequence[Document]) -> None:
        """The passages were found, and are yet to be read."""
        self.retrieved_at = time.monotonic()
        citations = (Citation.from_chunk(chunk.metadata["number"], chunk) for chunk in documents)
        self.queue.put(Sources(tuple(citations)))

    def on_refused(self, refusal: str) -> NoReturn:
        """The model is not to answer: it would do so about something else."""
        self.refusal = refusal
        raise _Stop

    def on_llm_new_token(self, token: str | list[Any], **_: Any) -> None:
        self.check()
        if token and isinstance(token, str):
            self.first_token_at = self.first_token_at or time.monotonic()
            self.queue.put(Token(token))

    def on_llm_end(self, response: LLMResult, **_: Any) -> None:
        self.prompt_tokens, self.answer_tokens = token_counts(response)

    def check(self) -> None:
        """End the chain here if nobody waits for it any more."""
        if self.stop.is_set():
            raise _Stop


class _ReadingRetriever(BaseRetriever):
    """What a retriever finds, read: the passages that the answer is to be written from."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    found_by: BaseRetriever
    judge: Judge
    events: _Events

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        chunks = self.found_by.invoke(query)
        self.events.check()
        self.events.on_retrieved(chunks)
        reading = self.judge.read(chunks, self.events.check)
        if reading.refusal:
            self.events.on_refused(reading.refusal)
        return list(reading.chunks)


def build_chain(
    llm: BaseChatModel, retriever: BaseRetriever, prompt: ChatPromptTemplate, **llm_kwargs: Any
) -> BaseRetrievalQA:
    """A RetrievalQA chain of type "stuff" with one of our prompts; `llm_kwargs` go into each call of the model."""
    chain = RetrievalQA.from_chain_type(
        llm,
        chain_type="stuff",
        retriever=retriever,
        return_source_documents=True,
        chain_type_kwargs={
            "prompt": prompt,
            "document_prompt": SOURCE,
            "document_variable_name": "context",
            "document_separator": SOURCE_SEPARATOR,
        },
    )
    chain.combine_documents_chain.llm_chain.llm_kwargs = llm_kwargs  # type: ignore[attr-defined]  # of a stuff chain
    return chain


def stream_answer(
    llm: BaseChatModel,
    retriever: LibraryRetriever,
    settings: Settings,
    question: str,
    history: Sequence[Turn] = (),
    calibration: Calibration = SHIPPED,
) -> Iterator[AnswerEvent]:
    """Answer a question: Sources, then a Token at a time, then the one Answer, checked.

    Closing the iterator stops the model at its next token. Raises RagError. With a history the question is first
    rewritten to stand by itself; a first question costs no extra call. Sources come once more where the rewritten
    question is refused and another wording is tried.
    """
    began = time.monotonic()
    asked = standalone(llm, question, history) if history else question
    tried = yield from _try(llm, retriever, settings, asked, calibration)
    if tried.events.refusal and (other := with_its_thread(question, asked, history)):
        asked = other
        tried = yield from _try(llm, retriever, settings, asked, calibration)
    text = tried.text
    if tried.events.refusal:
        text = tried.events.refusal
        yield Token(text)
    marked, sentences, refused = _checked(text, tried, asked)
    cited = {number for sentence in sentences for number in sentence.citations}
    yield Answer(
        question=question,
        text=marked,
        refused=refused,
        sentences=sentences,
        citations=tuple(source for source in tried.sources if source.number in cited),
        sources=tried.sources,
        timings=_timings(tried.events, began),
        model=model_name(llm),
    )


class _Tried(NamedTuple):
    """What the chain gave for one wording of a question; `sure`: that the sources hold an answer."""

    text: str
    sources: tuple[Citation, ...]
    sure: bool
    events: _Events


def _try(
    llm: BaseChatModel, retriever: LibraryRetriever, settings: Settings, asked: str, calibration: Calibration
) -> Generator[AnswerEvent, None, _Tried]:
    """Run the chain on one wording of a question, yielding its Sources and Tokens."""
    account = asks_for_account(asked)
    prompt = ANSWER_ACCOUNT if account else ANSWER_FACT
    judge = Judge(llm, asked, calibration, 0.0 if account else settings.refuse_below)
    events = _Events()
    found_by = _within_budget(llm, retriever, settings, prompt, asked)
    reading = _ReadingRetriever(found_by=found_by, judge=judge, events=events)
    chain = build_chain(llm, reading, prompt, max_tokens=settings.max_answer_tokens, temperature=settings.temperature)
    _in_thread(lambda: chain.invoke({"query": asked}, config={"callbacks": [events]}), events)
    sources: tuple[Citation, ...] = ()
    text = ""
    try:
        while (event := events.queue.get()) is not None:
            if isinstance(event, BaseException):
                raise event
            if isinstance(event, Sources):
                sources = event.citations
            elif isinstance(event, Token):
                text += event.text
            yield event
    finally:
        events.stop.set()
    return _Tried(text, sources, judge.probability is None or judge.probability >= _SURE, events)


def _checked(text: str, tried: _Tried, asked: str) -> tuple[str, tuple[Sentence, ...], bool]:
    """The answer with its citations checked, its sentences, and whether it is a refusal.

    One that no source holds is a refusal too, unless it is sure that they hold one.
    """
    refused = is_refusal(text) or not text.strip()
    marked, sentences = check_answer(text.strip(), () if refused else tried.sources, asked)
    if refused or tried.sure or any(sentence.citations for sentence in sentences):
        return marked, sentences, refused
    marked = f"{REFUSAL} What the model wrote stands in none of the nearest passages."
    return marked, (Sentence(marked, ()),), True


def signals(llm: BaseChatModel, retriever: LibraryRetriever, settings: Settings, question: str) -> Signals | None:
    """What stream_answer would decide on whether to refuse; None where it would not ask the model."""
    if asks_for_account(question):
        return None
    chunks = _within_budget(llm, retriever, settings, ANSWER_FACT, question).invoke(question)
    return find_signals(llm, question, chunks)[1] if chunks and not chunks[0].metadata["absent"] else None


def _within_budget(
    llm: BaseChatModel, retriever: LibraryRetriever, settings: Settings, prompt: ChatPromptTemplate, question: str
) -> LibraryRetriever:
    """The retriever, told how many tokens of sources fit into this prompt by the model's own count."""
    fixed = llm.get_num_tokens_from_messages(prompt.format_messages(context="", question=question))
    room = settings.llm_context_tokens - settings.max_answer_tokens - fixed - _SLACK_TOKENS
    if room < _SLACK_TOKENS:
        raise RagError(
            f"the question is too long: with the instructions it has {fixed} tokens, and RAG_LLM_CONTEXT_TOKENS="
            f"{settings.llm_context_tokens} leaves no room for sources; shorten it"
        )

    def size(chunk: Document) -> int:
        return llm.get_num_tokens(show_source(chunk) + SOURCE_SEPARATOR)

    return retriever.model_copy(update={"token_budget": min(room, settings.source_tokens), "size": size})


def _in_thread(work: Callable[[], object], events: _Events) -> None:
    def run() -> None:
        try:
            work()
            events.queue.put(None)
        except _Stop:
            events.queue.put(None)
        except Exception as error:  # noqa: BLE001 - raised again in the thread that reads the events
            events.queue.put(error)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(run,), name="answer", daemon=True).start()


def _timings(events: _Events, began: float) -> Timings:
    moments = (began, events.retrieved_at, events.first_token_at, time.monotonic())
    return make_timings(*moments, events.prompt_tokens, events.answer_tokens)


def model_name(llm: BaseChatModel) -> str:
    """What the model calls itself."""
    return str(getattr(llm, "model_name", llm.__class__.__name__))
