"""Answers from any OpenAI-compatible server (vLLM, llama.cpp, Ollama, a cloud): RAG_LLM_BASE_URL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import openai
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai.chat_models.base import BaseChatOpenAI
from pydantic import SecretStr

from rag.config import Settings
from rag.errors import ModelError, SettingError
from rag.types import Progress

BYTES_PER_TOKEN = 3  # a low guess: English has more than 4 bytes a token, Chinese about 3
MESSAGE_TOKENS = 8  # what a chat template adds around a message
_PATIENCE_S = 120.0


class ServedChatModel(BaseChatOpenAI):
    """The OpenAI client whose errors a person can read and whose token counts never ask the network."""

    def get_num_tokens(self, text: str) -> int:
        """An upper estimate: the server's tokenizer is not known here."""
        return len(text.encode()) // BYTES_PER_TOKEN + 1

    def get_num_tokens_from_messages(self, messages: Sequence[BaseMessage], *_: Any, **__: Any) -> int:
        """An upper estimate for a whole prompt."""
        return sum(self.get_num_tokens(message.text) + MESSAGE_TOKENS for message in messages)

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        with _explained(self.openai_api_base):
            return super()._generate(*args, **kwargs)

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        with _explained(self.openai_api_base):
            yield from super()._stream(*args, **kwargs)


def load(settings: Settings, progress: Callable[[Progress], None]) -> BaseChatModel:
    """Reach the server; where RAG_LLM_MODEL is not set, take the first model it offers. Raises ModelError."""
    url = settings.llm_base_url
    if url is None:
        raise SettingError("RAG_LLM_BASE_URL is not set; the openai backend needs it, like http://localhost:8000/v1")
    key = settings.llm_api_key or SecretStr("none")  # local servers want no key, the client wants one
    progress(Progress(f"Asking {url} for its models", 0, 0, ""))
    with _explained(url):
        offered = [
            model.id
            for model in openai.OpenAI(
                base_url=url, api_key=key.get_secret_value(), timeout=10, max_retries=0
            ).models.list()
        ]
    name = settings.llm_model or next(iter(offered), None)
    if name is None:
        raise ModelError(f"the model server {url} offers no model; set RAG_LLM_MODEL")
    return ServedChatModel(
        model=name,
        base_url=url,
        api_key=key,
        temperature=settings.temperature,
        max_tokens=settings.max_answer_tokens,  # the older name, which every server knows
        streaming=True,
        stream_usage=True,
        timeout=_PATIENCE_S,
        max_retries=1,
    )


@contextmanager
def _explained(url: str | None) -> Iterator[None]:
    try:
        yield
    except openai.APIConnectionError as error:
        raise ModelError(f"the model server {url} does not answer; start it or change RAG_LLM_BASE_URL") from error
    except openai.AuthenticationError as error:
        raise ModelError(f"the model server {url} refused the key; check RAG_LLM_API_KEY") from error
    except openai.OpenAIError as error:
        raise ModelError(f"the model server {url} failed: {error}") from error
