"""The chat model that runs in this process: what every local engine shares. LangChain in, an engine's text out."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel, generate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, LLMResult
from pydantic import PrivateAttr

from rag.errors import ModelError
from rag.precedence import Turns

_ROLES = {"system": "system", "human": "user", "ai": "assistant"}


class LocalChatModel(BaseChatModel):
    """A chat model in this process, one generation at a time; other callers wait for their turn (precedence.Turns).

    An engine subclasses it with `render`, `count`, `stream_text` and `first_token`. Per call, `max_tokens` and
    `temperature` may be given as keyword arguments (`model.bind(max_tokens=64)`), as may LangChain's `stop`;
    `invoke(..., logprobs=True)` gives the first token alone, with its log-probability in the message's
    `response_metadata`. A thread that holds an unfinished `stream()` must close it before it asks the same model again,
    or it waits for itself.
    """

    model_name: str
    context_tokens: int
    max_answer_tokens: int
    temperature: float = 0.0

    _turns: Turns = PrivateAttr(default_factory=Turns)

    @abstractmethod
    def render(self, messages: Sequence[BaseMessage]) -> str:
        """The prompt as the model reads it: its own chat template, special tokens included, ready for the answer."""

    @abstractmethod
    def count(self, text: str) -> int:
        """Tokens of `text` in the model's own tokenizer. Special tokens written in it count once; none are added."""

    @abstractmethod
    def stream_text(self, prompt: str, max_tokens: int, temperature: float) -> Iterator[str]:
        """Generate from a rendered prompt, yielding text as it comes, a token or a few at a time, no half character.

        Closing the iterator (its `finally`) must stop the engine at once and return only when it has stopped: the next
        caller's turn begins then. Temperature 0 is greedy. The prompt's special tokens are already in it. Stop
        sequences are not the engine's business; they are cut off here.
        """

    @abstractmethod
    def first_token(self, prompt: str) -> tuple[str, float]:
        """The likeliest first token of an answer to a rendered prompt, and its probability (0 to 1)."""

    def get_num_tokens(self, text: str) -> int:
        """Tokens of `text` in the model's own tokenizer."""
        return self.count(text)

    def get_num_tokens_from_messages(
        self, messages: Sequence[BaseMessage], tools: Sequence[Any] | Callable[..., Any] | None = None
    ) -> int:
        """Tokens of the whole prompt that these messages make, template included."""
        return self.count(self.render(messages))

    @property
    def _llm_type(self) -> str:
        return "footnote-local"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name, "temperature": self.temperature}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if kwargs.pop("logprobs", False):
            return self._first(self.render(messages))
        return generate_from_stream(self._stream(messages, stop, run_manager, **kwargs))

    def _first(self, prompt: str) -> ChatResult:
        """The first token with its log-probability, where OpenAI's client puts it."""
        with self._turns.take():
            token, probability = self.first_token(prompt)
        logprobs = {"content": [{"token": token, "logprob": math.log(probability)}]}
        message = AIMessage(content=token, response_metadata={"logprobs": logprobs})
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        """One chunk a piece, then an empty one with the token counts in its `usage_metadata`.

        Whatever ends the loop early (a callback that raises, a consumer that closes it) closes the engine's iterator.
        """
        prompt = self.render(messages)
        prompt_tokens = self.count(prompt)
        room = min(max_tokens or self.max_answer_tokens, self.context_tokens - prompt_tokens)
        if room < 1:
            raise ModelError(
                f"{self.model_name}: the prompt has {prompt_tokens} tokens, but RAG_LLM_CONTEXT_TOKENS is "
                f"{self.context_tokens}; raise that or lower RAG_SOURCE_TOKENS"
            )
        answer = ""
        with (
            self._turns.take(last=True),
            closing(self.stream_text(prompt, room, self.temperature if temperature is None else temperature)) as pieces,  # type: ignore[type-var]
        ):
            for piece in cut_at_stop(pieces, stop or ()):
                answer += piece
                chunk = ChatGenerationChunk(message=AIMessageChunk(content=piece))
                if run_manager:
                    run_manager.on_llm_new_token(piece, chunk=chunk)
                yield chunk
        answer_tokens = self.count(answer)
        usage = UsageMetadata(
            input_tokens=prompt_tokens, output_tokens=answer_tokens, total_tokens=prompt_tokens + answer_tokens
        )
        yield ChatGenerationChunk(message=AIMessageChunk(content="", usage_metadata=usage, chunk_position="last"))


def to_roles(messages: Sequence[BaseMessage]) -> list[dict[str, str]]:
    """The messages as chat templates take them: `role` (system, user, assistant) and `content`, both plain text."""
    return [{"role": _ROLES.get(message.type, "user"), "content": message.text} for message in messages]


def token_counts(response: LLMResult) -> tuple[int, int]:
    """Tokens of the prompt and of the answer, by the model's own count; 0 where a server does not tell."""
    generation = response.generations[0][0]
    usage = generation.message.usage_metadata if isinstance(generation, ChatGeneration) else None  # type: ignore[attr-defined]
    return (usage["input_tokens"], usage["output_tokens"]) if usage else (0, 0)


def cut_at_stop(pieces: Iterable[str], stop: Sequence[str]) -> Iterator[str]:
    """The pieces up to the first stop sequence. Text that may yet turn out to be one is held back until it is clear."""
    held = ""
    for piece in pieces:
        held += piece
        found = [at for at in (held.find(word) for word in stop) if at >= 0]
        if found:
            if held := held[: min(found)]:
                yield held
            return
        keep = max((_overlap(held, word) for word in stop), default=0)
        ready, held = held[: len(held) - keep], held[len(held) - keep :]
        if ready:
            yield ready
    if held:
        yield held


def _overlap(text: str, word: str) -> int:
    """How many characters at the end of `text` could be the beginning of `word`."""
    return next((n for n in range(min(len(text), len(word) - 1), 0, -1) if text.endswith(word[:n])), 0)
