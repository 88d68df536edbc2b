"""The language models in memory: each is loaded once, and while one is, the others go on answering."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from rag.config import Settings
from rag.errors import RagError
from rag.llm import load_llm
from rag.models import Report
from rag.types import Progress

if TYPE_CHECKING:  # half a second of imports that bringing documents in does without
    from langchain_core.language_models.chat_models import BaseChatModel

log = logging.getLogger(__name__)


class LoadedModels:
    """Models by the name that RAG_LLM_MODEL would have. A failure is not remembered: the next call tries again."""

    def __init__(self, settings: Settings, report: Report) -> None:
        self._settings, self._report = settings, report
        self._guard = threading.Lock()
        self._turns: dict[str | None, threading.Lock] = {}
        self._models: dict[str | None, BaseChatModel] = {}
        self._progress: dict[str, Progress] = {}
        self._problems: dict[str, str] = {}

    def get(self, name: str | None) -> BaseChatModel:
        """A model; waits for it where it is not there yet. Raises ModelError, SettingError."""
        return self._load(name, self._report)

    def loading(self, name: str) -> Progress | str | None:
        """How far the loading of a model is, which begins with the first call; None when it is there.

        Why it failed is told once, and the next call begins anew.
        """
        with self._guard:
            if name in self._models:
                return None
            if name in self._problems:
                return self._problems.pop(name)
            if name not in self._progress:
                self._progress[name] = Progress(f"Loading {name}", 0, 0, "")
                threading.Thread(target=self._run, args=(name,), name="loading", daemon=True).start()
            return self._progress[name]

    def _run(self, name: str) -> None:
        def report(progress: Progress) -> None:
            with self._guard:
                self._progress[name] = progress
            self._report(progress)

        problem = ""
        try:
            self._load(name, report)
        except RagError as error:
            problem = str(error)
        except Exception:
            log.exception("loading %s failed", name)
            problem = f"{name} could not be loaded. The details are in the log."
        with self._guard:
            del self._progress[name]
            if problem:
                self._problems[name] = problem

    def _load(self, name: str | None, report: Report) -> BaseChatModel:
        with self._guard:
            turn = self._turns.setdefault(name, threading.Lock())
        with turn:
            if name not in self._models:
                model = load_llm(self._settings.model_copy(update={"llm_model": name}), report)
                with self._guard:
                    self._models[name] = model
            return self._models[name]
