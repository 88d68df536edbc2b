"""The model alone: the question and nothing of the documents, streamed, and stopped when nobody listens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest
from test_chain import QUESTION, model

from rag.alone import stream_alone
from rag.config import load_settings
from rag.errors import ModelError
from rag.types import Answer, AnswerEvent, AskOptions, Token, Turn


def test_the_question_is_answered_without_a_source() -> None:
    llm = model("About every three months. [1]")
    *tokens, answer = stream_alone(llm, load_settings().chosen(AskOptions(answer_tokens=32, temperature=0.5)), QUESTION)
    assert (
        "".join(event.text for event in tokens if isinstance(event, Token)).strip() == "About every three months. [1]"
    )
    assert isinstance(answer, Answer)
    assert (answer.text, answer.model) == ("About every three months. [1]", "scripted")
    assert (answer.refused, answer.sources, answer.citations, answer.sentences) == (False, (), (), ())
    assert answer.timings.answer_tokens == 5
    assert 0 < answer.timings.first_token_s <= answer.timings.total_s
    (prompt,) = llm._prompts
    assert QUESTION in prompt
    assert "source" not in prompt.lower()
    assert llm._asked == [(32, 0.5)]


def test_a_follow_up_is_asked_by_itself_and_no_earlier_answer_is_told() -> None:
    llm = model("How often should the kettle be rinsed?", "Often.")
    history = [Turn(QUESTION, "Every 60 days, says the manual.")]
    list(stream_alone(llm, load_settings(), "And rinsed?", history))
    assert "How often should the kettle be rinsed?" in llm._prompts[1]
    assert "60 days" not in llm._prompts[1]


def test_closing_it_stops_the_model() -> None:
    llm = model("one two three four five six", pause=0.01)
    events = cast(Iterator[AnswerEvent], stream_alone(llm, load_settings(), QUESTION))
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert llm._ended.wait(3)
    assert len(llm._said) < 4


def test_a_model_that_fails_says_why() -> None:
    with pytest.raises(ModelError, match="out of memory"):
        list(stream_alone(model("x", failure="out of memory"), load_settings(), QUESTION))
