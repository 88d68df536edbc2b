"""The chain with a model that says what it is told to, and a retriever that finds what it is given."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import pytest
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.messages import BaseMessage
from langchain_core.retrievers import BaseRetriever
from pydantic import PrivateAttr

from rag.chain import signals, stream_answer
from rag.chat import LocalChatModel, to_roles
from rag.config import Settings, load_settings
from rag.errors import ModelError, RagError
from rag.prompts import asks_for_account
from rag.ranking import merge
from rag.refusal import Calibration
from rag.retriever import LibraryRetriever, beginning
from rag.types import Answer, AnswerEvent, AskOptions, Sources, Token, Turn

QUESTION = "How often should the kettle be descaled?"


class ScriptedModel(LocalChatModel):
    """Gives its replies in turn, a word a token, and keeps the prompts it was given."""

    replies: tuple[str, ...]
    first: tuple[str, float] | dict[str, tuple[str, float]] = ("Yes", 0.95)  # or by what the prompt holds
    pause: float = 0.0
    failure: str | None = None
    _judged: list[str] = PrivateAttr(default_factory=list)
    _prompts: list[str] = PrivateAttr(default_factory=list)
    _asked: list[tuple[int, float]] = PrivateAttr(default_factory=list)
    _said: list[str] = PrivateAttr(default_factory=list)
    _ended: threading.Event = PrivateAttr(default_factory=threading.Event)

    def render(self, messages: Sequence[BaseMessage]) -> str:
        return "\n".join(f"<{role['role']}> {role['content']}" for role in to_roles(messages))

    def count(self, text: str) -> int:
        return len(text.split())

    def first_token(self, prompt: str) -> tuple[str, float]:
        self._judged.append(prompt)
        if isinstance(self.first, tuple):
            return self.first
        return next(said for text, said in self.first.items() if text in prompt)

    def stream_text(self, prompt: str, max_tokens: int, temperature: float) -> Iterator[str]:
        if self.failure:
            raise ModelError(self.failure)
        self._prompts.append(prompt)
        self._asked.append((max_tokens, temperature))
        try:
            for word in self.replies[len(self._prompts) - 1].split(" "):
                time.sleep(self.pause)
                self._said.append(word)
                yield word + " "
        finally:
            self._ended.set()


class GivenRetriever(BaseRetriever):
    """Finds the same chunks always, cut to the budget it is told."""

    texts: tuple[str, ...]
    absent: tuple[str, ...] = ()
    token_budget: int | None = None
    size: Callable[[Document], int] = len

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        chunks = [
            Document(
                text,
                metadata={
                    "source": f"{number}.txt", "document_id": number, "page": 3, "page_label": None, "start": 0,
                    "end": len(text), "number": number, "score": 0.5, "place": ", page 3",
                    "absent": list(self.absent),
                },
            )
            for number, text in enumerate(self.texts, start=1)
        ]  # fmt: skip
        assert self.token_budget is not None
        kept = [chunk for (chunk,) in merge(chunks, len(chunks), self.token_budget, self.size)]
        return kept if len(kept) > 1 else [beginning(chunk, self.token_budget, self.size) for chunk in kept]


def model(*replies: str, **fields: Any) -> ScriptedModel:
    fields = {"context_tokens": 2000, "max_answer_tokens": 100, **fields}
    return ScriptedModel(model_name="scripted", replies=replies, **fields)


def given_retriever(
    texts: Sequence[str] = ("Descale the kettle every 60 days.", "Rinse the kettle twice."), absent: Sequence[str] = ()
) -> LibraryRetriever:
    return cast(LibraryRetriever, GivenRetriever(texts=tuple(texts), absent=tuple(absent)))


def ask(
    llm: ScriptedModel,
    texts: Sequence[str] = ("Descale the kettle every 60 days.", "Rinse the kettle twice."),
    settings: Settings | None = None,
    history: Sequence[Turn] = (),
    question: str = QUESTION,
) -> Iterator[AnswerEvent]:
    return stream_answer(llm, given_retriever(texts), settings or load_settings(), question, history)


def test_length_and_temperature_are_those_of_the_settings() -> None:
    llm = model(*["Descale the kettle every 60 days. [1]"] * 2)
    list(ask(llm))
    list(ask(llm, settings=load_settings().chosen(AskOptions(answer_tokens=32, temperature=0.5))))
    assert llm._asked == [(400, 0.0), (32, 0.5)]


def test_sources_then_tokens_then_one_answer() -> None:
    events = list(ask(model("Descale the kettle every 60 days. [1]")))
    assert isinstance(events[0], Sources)
    assert [source.number for source in events[0].citations] == [1, 2]
    assert "".join(event.text for event in events[1:-1] if isinstance(event, Token)).split() == [
        "Descale", "the", "kettle", "every", "60", "days.", "[1]",
    ]  # fmt: skip
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.text == "Descale the kettle every 60 days. [1]"
    assert [citation.source for citation in answer.citations] == ["1.txt"]
    assert len(answer.sources) == 2
    assert not answer.refused
    assert answer.model == "scripted"
    assert answer.timings.prompt_tokens > 20
    assert answer.timings.answer_tokens == 7
    assert 0 <= answer.timings.retrieve_s <= answer.timings.first_token_s <= answer.timings.total_s
    assert answer.timings.peak_memory_mb > 10


def test_the_model_reads_numbered_sources_with_their_place() -> None:
    llm = model("Yes.")
    list(ask(llm, question="What does the manual say about descaling?"))
    assert "[1] (1.txt, page 3)\nDescale the kettle every 60 days.\n\n[2] (2.txt, page 3)\nRinse" in llm._prompts[0]


@pytest.mark.parametrize(
    ("question", "account"),
    [
        ("How did the sales change over the years?", True),
        ("Why was the kettle recalled?", True),
        ("How often is the kettle descaled?", False),
        ("Which current is alternating?", False),
    ],
)
def test_a_question_for_one_fact_is_told_from_one_for_an_account(question: str, account: bool) -> None:
    assert asks_for_account(question) == account


@pytest.mark.parametrize(
    ("descale", "rinse", "read", "chosen"),
    [
        (("Yes", 0.75), ("Yes", 0.99), 1, "[1] (1.txt"),  # sure enough: the second is not read
        (("Yes", 0.65), ("Yes", 0.95), 2, "[2] (2.txt"),
        (("Yes", 0.65), ("Yes", 0.75), 2, "[1] (1.txt"),  # not so much surer as to go before what was found first
        (("Yes", 0.65), ("No", 0.9), 2, "[1] (1.txt"),
    ],
)
def test_a_fact_is_answered_from_the_one_passage_that_states_it(
    descale: tuple[str, float], rinse: tuple[str, float], read: int, chosen: str
) -> None:
    llm = model("Descale the kettle every 60 days. [1]", first={"Descale": descale, "Rinse": rinse})
    sources, *_, answer = ask(llm)
    assert len(llm._judged) == read
    (shown,) = [line for line in llm._prompts[0].splitlines() if line.startswith("[")]
    assert shown.startswith(chosen)
    assert isinstance(sources, Sources)
    assert isinstance(answer, Answer)
    assert sources.citations == answer.sources
    assert [citation.number for citation in answer.citations] == [1]  # checked against every passage


def test_closing_the_answer_ends_the_reading_at_the_next_passage() -> None:
    llm = model("Yes.", first=("No", 0.9))
    events = ask(llm, texts=["Descale it."] * 50)
    with llm._turns.take():  # as if another question were being answered
        assert isinstance(next(events), Sources)
        events.close()  # type: ignore[attr-defined]
    time.sleep(0.2)
    assert len(llm._judged) <= 1


def test_closing_the_answer_stops_the_model_at_its_next_token() -> None:
    llm = model(" ".join(["word"] * 500), pause=0.01)
    events = ask(llm)
    while not isinstance(next(events), Token):
        pass
    said = len(llm._said)
    events.close()  # type: ignore[attr-defined]
    assert llm._ended.wait(2)
    assert len(llm._said) <= said + 2


def test_a_refusal_cites_nothing_and_keeps_the_nearest_passages() -> None:
    answer = list(ask(model("The documents do not say. [1]")))[-1]
    assert isinstance(answer, Answer)
    assert answer.refused
    assert answer.citations == ()
    assert len(answer.sources) == 2


def test_a_name_that_no_passage_has_is_refused_without_asking_the_model(caplog: pytest.LogCaptureFixture) -> None:
    llm = model("Every 60 days. [1]")
    retriever = given_retriever(("Descale it every 60 days.",), absent=("Dualit", "K9"))
    sources, token, answer = stream_answer(llm, retriever, load_settings(), "How often is a Dualit K9 descaled?")
    assert isinstance(sources, Sources)
    assert isinstance(answer, Answer)
    assert isinstance(token, Token)
    assert token.text.startswith("The documents do not say. The nearest passages do not mention Dualit or K9. If they ")
    assert (answer.refused, answer.text, answer.citations) == (True, token.text, ())
    assert len(answer.sources) == 1
    assert llm._prompts == llm._judged == []
    assert caplog.text == ""


@pytest.mark.parametrize("first", [("No", 0.7), ("Yes", 0.5), (" no", 0.99)])
def test_sources_that_the_model_doubts_are_refused_before_it_writes(first: tuple[str, float]) -> None:
    llm = model("Every 60 days. [1]", first=first)
    sources, token, answer = ask(llm)
    assert isinstance(sources, Sources)
    assert isinstance(answer, Answer)
    assert answer.refused
    assert (
        token == Token(answer.text) == Token("The documents do not say. The nearest passages are about something else.")
    )
    assert llm._prompts == []


@pytest.mark.parametrize("first", [("Yes", 0.8), ("No", 0.1), ("<think>", 1.0)])
def test_sources_that_the_model_does_not_doubt_are_answered_from(first: tuple[str, float]) -> None:
    answer = list(ask(model("Descale the kettle every 60 days. [1]", first=first)))[-1]
    assert isinstance(answer, Answer)
    assert not answer.refused


def test_the_answer_goes_on_from_the_prompt_of_the_doubt() -> None:
    llm = model("Every 60 days. [1]")
    list(ask(llm))
    assert llm._prompts[0].startswith(llm._judged[-1])


def test_a_library_may_have_its_own_calibration() -> None:
    llm = model("Descale the kettle every 60 days. [1]", first=("Yes", 0.9))
    strict = Calibration(constant=-9, yes=1, cosine=1)
    answer = list(stream_answer(llm, given_retriever(), load_settings(), QUESTION, calibration=strict))[-1]
    assert isinstance(answer, Answer)
    assert answer.refused


def test_the_signals_are_those_of_the_decision() -> None:
    llm = model(first=("No", 0.9))
    found = signals(llm, given_retriever(), load_settings(), QUESTION)
    assert found is not None
    assert (round(found.yes, 6), found.cosine) == (0.1, 0.5)
    assert signals(llm, given_retriever(), load_settings(), "Why descale?") is None
    assert signals(llm, given_retriever(absent=("K9",)), load_settings(), QUESTION) is None


def test_the_doubt_can_be_switched_off() -> None:
    llm = model("Descale the kettle every 60 days. [1]", first=("No", 1.0))
    answer = list(ask(llm, settings=load_settings(refuse_below=0)))[-1]
    assert isinstance(answer, Answer)
    assert (answer.refused, llm._judged) == (False, [])


def test_what_is_said_about_a_thing_is_asked_for_in_more_than_a_sentence() -> None:
    llm = model("Descale the kettle every 60 days. [1] Rinse the kettle twice. [2]", first=("No", 1.0))
    answer = list(ask(llm, question="What does the manual say about descaling?"))[-1]
    assert isinstance(answer, Answer)
    assert [sentence.citations for sentence in answer.sentences] == [(1,), (2,)]
    assert llm._judged == []
    assert "one to three sentences" in llm._prompts[0]


@pytest.mark.parametrize(("certainty", "refused"), [(0.8, True), (0.99, False)])
def test_what_no_source_holds_is_not_given_as_an_answer_unless_the_model_was_sure(
    certainty: float, refused: bool
) -> None:
    answer = list(ask(model("Bananas come from Ecuador. [1]", first=("Yes", certainty))))[-1]
    assert isinstance(answer, Answer)
    assert answer.refused == refused
    assert answer.citations == ()
    assert ("Bananas" in answer.text) != refused
    assert "".join(sentence.text for sentence in answer.sentences) == answer.text


def test_silence_is_a_refusal() -> None:
    answer = list(ask(model("")))[-1]
    assert isinstance(answer, Answer)
    assert answer.refused


def test_a_first_question_costs_one_call_and_a_follow_up_two() -> None:
    llm = model("Every 60 days. [1]")
    list(ask(llm))
    assert len(llm._prompts) == 1
    llm = model("How often should the kettle be rinsed?", "Rinse the kettle twice. [2]")
    answer = list(ask(llm, question="And rinsed?", history=[Turn(QUESTION, "Every 60 days. [1]")]))[-1]
    assert QUESTION in llm._prompts[0]
    assert "Question: How often should the kettle be rinsed?" in llm._judged[0]
    assert isinstance(answer, Answer)
    assert answer.question == "And rinsed?"


@pytest.mark.parametrize(
    ("rewritten", "judged"),
    [
        ("And rinsed?", ["And rinsed?", f"And rinsed? ({QUESTION})"]),  # nothing was put in
        ("How often is the kettle rinsed?", ["How often is the kettle rinsed?"]),
    ],
)
def test_a_refused_follow_up_is_tried_with_the_question_before_it(rewritten: str, judged: list[str]) -> None:
    llm = model(rewritten, first=("No", 0.9))
    events = list(ask(llm, ["Rinse it twice."], question="And rinsed?", history=[Turn(QUESTION, "Every 60 days.")]))
    assert [prompt.count(f"Question: {asked}\n") for prompt, asked in zip(llm._judged, judged, strict=True)] == [
        1
    ] * len(judged)
    assert [type(event) for event in events] == [*[Sources] * len(judged), Token, Answer]
    assert isinstance(events[-1], Answer)
    assert events[-1].refused
    assert events[-1].question == "And rinsed?"


def test_the_prompt_always_fits() -> None:
    settings = load_settings(llm_context_tokens=512, max_answer_tokens=100, source_tokens=5000)
    llm = model("Yes.", context_tokens=512, max_answer_tokens=100)
    answer = list(ask(llm, texts=["word " * 150] * 9, settings=settings))[-1]
    assert llm.count(llm._prompts[0]) <= 512 - 100
    assert isinstance(answer, Answer)
    assert 0 < len(answer.sources) < 9


def test_one_chunk_too_long_for_the_prompt_is_cut() -> None:
    settings = load_settings(source_tokens=100)
    answer = list(ask(model("Yes."), texts=["word " * 1000], settings=settings))[-1]
    assert isinstance(answer, Answer)
    assert 50 < len(answer.sources[0].text.split()) <= 100
    assert answer.sources[0].end == len(answer.sources[0].text)


def test_a_question_without_room_for_sources_is_refused_clearly() -> None:
    settings = load_settings(llm_context_tokens=512, max_answer_tokens=256)
    with pytest.raises(RagError, match="the question is too long"):
        list(ask(model("Yes."), settings=settings, question="why " * 400))


def test_a_failing_model_raises_its_error() -> None:
    with pytest.raises(ModelError, match="out of memory"):
        list(ask(model("x", failure="out of memory")))
