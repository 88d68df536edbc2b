"""Language models in memory: one loads while others answer, and says how far it is."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from rag.config import load_settings
from rag.errors import ModelError
from rag.loaded_models import LoadedModels
from rag.types import AskOptions, Progress


class Backend:
    """Loads models by their names; "slow" waits until it is let go, "bad" fails as often as `failures` says."""

    def __init__(self) -> None:
        self.loaded: list[str | None] = []
        self.go = threading.Event()
        self.failures = 0

    def load(self, settings: Any, report: Any) -> Any:
        name = settings.llm_model
        self.loaded.append(name)
        if name == "slow":
            report(Progress("Fetching slow", 3, 10, "B"))
            assert self.go.wait(20)
        if name == "bad" and self.failures:
            self.failures -= 1
            raise ModelError("bad has no weights")
        return f"model {name}"


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Backend:
    backend = Backend()
    monkeypatch.setattr("rag.loaded_models.load_llm", backend.load)
    return backend


@pytest.fixture
def models(backend: Backend, tmp_path: Path) -> LoadedModels:
    return LoadedModels(load_settings(library=tmp_path), lambda progress: None)


def until(models: LoadedModels, name: str, wanted: Any) -> None:
    deadline = time.monotonic() + 20
    while (state := models.loading(name)) != wanted:
        assert time.monotonic() < deadline, state
        time.sleep(0.01)


def test_others_are_answered_while_one_loads(models: LoadedModels, backend: Backend) -> None:
    assert models.loading("slow") == Progress("Loading slow", 0, 0, "")
    until(models, "slow", Progress("Fetching slow", 3, 10, "B"))
    assert models.get(None) == "model None"  # type: ignore[comparison-overlap]
    backend.go.set()
    until(models, "slow", None)
    assert models.get("slow") == "model slow"  # type: ignore[comparison-overlap]
    assert backend.loaded == ["slow", None]


def test_a_failure_is_told_once_and_tried_again(models: LoadedModels, backend: Backend) -> None:
    backend.failures = 1
    until(models, "bad", "bad has no weights")
    until(models, "bad", None)
    assert backend.loaded == ["bad", "bad"]


def test_only_a_model_that_was_chosen_and_is_offered_is_loaded_so(backend: Backend, tmp_path: Path) -> None:
    from rag.library import Library

    library = Library(load_settings(library=tmp_path / "library", llm_model="first", llm_others="slow"))
    for options in (AskOptions(), AskOptions(model="first"), AskOptions(model="unheard of")):
        assert library.loading(options) is None
    assert backend.loaded == []
    assert isinstance(library.loading(AskOptions(model="slow")), Progress)
    backend.go.set()
