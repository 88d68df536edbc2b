from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import PrivateAttr

from rag.chat import LocalChatModel, cut_at_stop, to_roles
from rag.errors import ModelError


class WordModel(LocalChatModel):
    """Says its words, one a token, and notes how many it was asked for, and when it was stopped."""

    words: tuple[str, ...] = ("one ", "two ", "three ", "four ", "five")
    pause: float = 0.0
    _said: list[str] = PrivateAttr(default_factory=list)
    _log: list[str] = PrivateAttr(default_factory=list)

    def render(self, messages: Sequence[BaseMessage]) -> str:
        return " ".join(f"{role['role']}: {role['content']}" for role in to_roles(messages))

    def count(self, text: str) -> int:
        return len(text.split())

    def first_token(self, prompt: str) -> tuple[str, float]:
        self._said.append(prompt)
        return "one", 0.25

    def stream_text(self, prompt: str, max_tokens: int, temperature: float) -> Iterator[str]:
        self._log.append("start")
        try:
            for word in self.words[:max_tokens]:
                time.sleep(self.pause)
                self._said.append(word)
                yield word
        finally:
            self._log.append("stop")


class Listener(BaseCallbackHandler):
    raise_error = True

    def __init__(self, stop_at: int = 99) -> None:
        self.heard: list[str] = []
        self.stop_at = stop_at

    def on_llm_new_token(self, token: str, **_: Any) -> None:
        self.heard.append(token)
        if len(self.heard) == self.stop_at:
            raise InterruptedError


@pytest.fixture
def model() -> WordModel:
    return WordModel(model_name="words", context_tokens=20, max_answer_tokens=10)


def test_an_answer_streams_through_callbacks_and_counts_its_tokens(model: WordModel) -> None:
    listener = Listener()
    message = model.invoke([SystemMessage("Be brief."), HumanMessage("Count.")], {"callbacks": [listener]})
    assert message.content == "one two three four five"
    assert listener.heard == list(model.words)
    assert message.usage_metadata == {"input_tokens": 5, "output_tokens": 5, "total_tokens": 10}
    assert model.get_num_tokens("one two") == 2
    assert model.get_num_tokens_from_messages([HumanMessage("Count.")]) == 2


def test_stream_gives_the_same_pieces_and_counts(model: WordModel) -> None:
    listener = Listener()
    chunks = list(model.stream("Count.", {"callbacks": [listener]}))
    assert [chunk.content for chunk in chunks if chunk.content] == list(model.words)
    assert [word for word in listener.heard if word] == list(model.words)
    assert chunks[-1].usage_metadata == {"input_tokens": 2, "output_tokens": 5, "total_tokens": 7}


@pytest.mark.parametrize("how", ["invoke", "stream"])
def test_a_callback_that_raises_stops_the_engine_at_that_token(model: WordModel, how: str) -> None:
    with pytest.raises(InterruptedError) as caught:
        answer = getattr(model, how)("Count.", {"callbacks": [Listener(stop_at=2)]})
        list(answer)
    assert caught.value is not None  # the error, and with it every frame it passed, is still held here
    assert model._said == ["one ", "two "]
    assert model._log == ["start", "stop"]
    assert model.invoke("Again.").content == "one two three four five"  # the turn was given back


def test_the_first_token_comes_with_its_log_probability(model: WordModel) -> None:
    message = model.invoke([HumanMessage("Count.")], max_tokens=1, logprobs=True)
    assert message.content == "one"
    assert message.response_metadata["logprobs"] == {"content": [{"token": "one", "logprob": math.log(0.25)}]}
    assert model._said == ["user: Count."]


def test_closing_a_stream_stops_the_engine(model: WordModel) -> None:
    stream = model.stream("Count.")
    assert next(stream).content == "one "
    stream.close()  # type: ignore[attr-defined]
    assert model._said == ["one "] and model._log == ["start", "stop"]


def test_an_error_of_the_engine_gives_the_turn_back(model: WordModel) -> None:
    model.words = ("one ", None)  # type: ignore[assignment]
    with pytest.raises(TypeError):
        model.invoke("Count.")
    model.words = ("fine",)
    assert model.invoke("Count.").content == "fine"


def test_one_generation_at_a_time(model: WordModel) -> None:
    model.pause = 0.01
    threads = [threading.Thread(target=model.invoke, args=("Count.",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert model._log == ["start", "stop"] * 4


def test_the_answer_fits_the_context_and_a_prompt_that_does_not_is_refused(model: WordModel) -> None:
    assert model.invoke("word " * 16).content == "one two three "  # 17 tokens of 20 are the prompt's
    with pytest.raises(ModelError, match=r"21 tokens.*RAG_LLM_CONTEXT_TOKENS is 20"):
        model.invoke("word " * 20)
    assert model.invoke("Count.", max_tokens=2).content == "one two "


def test_stop_sequences_are_cut_even_across_pieces(model: WordModel) -> None:
    assert model.invoke("Count.", stop=["ee fo"]).content == "one two thr"
    assert model._log == ["start", "stop"]
    assert "".join(cut_at_stop(["a", "b", "<", "x", "<e", "nd", "> tail"], ["<end>"])) == "ab<x"
    assert list(cut_at_stop(["a", "b<"], ["<end>"])) == ["a", "b", "<"]


def test_roles_are_those_of_chat_templates() -> None:
    talk = [SystemMessage("s"), HumanMessage("q"), AIMessage("a")]
    assert to_roles(talk) == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a"},
    ]
