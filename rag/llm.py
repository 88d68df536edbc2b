"""Which language model answers, and how it is loaded. A backend is a row: a name and the module that has `load`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from rag.config import Settings
from rag.device import has_cuda
from rag.models_table import DEFAULT_GGUF
from rag.types import Progress

if TYPE_CHECKING:  # it takes a third of a second, which whoever loads no model need not wait
    from langchain_core.language_models.chat_models import BaseChatModel

BACKENDS = {
    "transformers": "rag.llm_transformers",
    "gguf": "rag.llm_gguf",
    "openai": "rag.llm_openai",
}


def choose_backend(settings: Settings) -> str:
    """The backend that `auto` stands for: a server if its URL is set, else a CUDA GPU, else this machine's CPU."""
    if settings.llm_backend != "auto":
        return settings.llm_backend
    if settings.llm_base_url:
        return "openai"
    return "transformers" if has_cuda() else "gguf"


def load_llm(settings: Settings, progress: Callable[[Progress], None]) -> BaseChatModel:
    """Load the chosen model. Raises ModelError, or SettingError, naming what is missing and the way out.

    The backend's module is imported here and not above: it brings an engine of hundreds of megabytes with it.
    """
    model: BaseChatModel = import_module(BACKENDS[choose_backend(settings)]).load(settings, progress)
    return model


def local_model(settings: Settings) -> str | None:
    """The name of the model that the GGUF backend would load, or None for another backend."""
    return settings.llm_model or DEFAULT_GGUF if choose_backend(settings) == "gguf" else None
