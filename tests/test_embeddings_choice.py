"""Which engine rag/embeddings.py takes, with engines that are scripted: no model is loaded."""

from __future__ import annotations

import errno
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import rag.embeddings as embeddings_module
from rag.config import load_settings
from rag.embeddings import engine_in_words, load_embeddings
from rag.embeddings_batches import Trial
from rag.errors import ModelError

FASTER = Trial(0.9996, 2.5, "")


class Engine:
    """An engine that does nothing, in the place of a real one."""

    broken = 0

    def __init__(self, *_: object) -> None:
        if type(self).broken:
            type(self).broken -= 1
            raise ModelError("the conversion is damaged")


@dataclass
class Engines:
    """The engines' modules, scripted: how a trial ends, and how often there was one."""

    outcome: Trial | OSError
    torch: type[Engine]
    openvino: type[Engine]
    trials: int = 0

    def try_openvino(self, *_: object) -> Trial:
        self.trials += 1
        if isinstance(self.outcome, OSError):
            raise self.outcome
        return self.outcome


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Engines:
    made = Engines(FASTER, type("Torch", (Engine,), {}), type("Openvino", (Engine,), {}))
    modules = {
        "torch": SimpleNamespace(TorchEmbeddings=made.torch, best_device=lambda: ("cpu", "float32")),
        "openvino": SimpleNamespace(OpenvinoEmbeddings=made.openvino),
        "trial": SimpleNamespace(try_openvino=made.try_openvino),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, f"rag.embeddings_{name}", module)
    monkeypatch.setattr(embeddings_module, "has_cuda", lambda: False)
    return made


@pytest.fixture
def own(tmp_path: Path) -> dict[str, Any]:
    """Settings for a model folder and a cache of the test's own."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/config.json").write_text("{}")
    return {"embedding_model": str(tmp_path / "mine"), "cache": tmp_path / "cache"}


def load(**overrides: Any) -> Any:
    return load_embeddings(load_settings(**overrides), lambda _: None)


@pytest.mark.parametrize(
    ("outcome", "taken", "told"),
    [
        (FASTER, "openvino", "openvino: OpenVINO ran 2.5 times as fast as torch, least cosine 0.9996"),
        (Trial(0.9996, 0.8, ""), "torch", "torch: OpenVINO ran 0.8 times"),
        (Trial(0.998, 9.0, ""), "torch", "torch: its vectors stray from torch's to a cosine of 0.9980"),
        (Trial(0.0, 0.0, "no such operation"), "torch", "torch: no such operation"),
    ],
    ids=["right and faster", "slower", "strays", "fails"],
)
def test_auto_takes_openvino_where_it_is_right_and_faster(
    engines: Engines, own: dict[str, Any], outcome: Trial, taken: str, told: str
) -> None:
    engines.outcome = outcome
    assert "not chosen yet" in engine_in_words(load_settings(**own))
    assert isinstance(load(**own), getattr(engines, taken))
    assert isinstance(load(**own), getattr(engines, taken)) and engines.trials == 1, "it is tried once"
    assert engine_in_words(load_settings(**own)).startswith(told)


def test_the_setting_decides(engines: Engines, own: dict[str, Any]) -> None:
    engines.outcome = Trial(0.9996, 0.8, "")
    assert isinstance(load(**own, embedding_engine="openvino"), engines.openvino)
    assert isinstance(load(**own, embedding_engine="torch"), engines.torch)
    engines.outcome = Trial(0.998, 9.0, "")
    own["cache"] /= "other"
    with pytest.raises(ModelError, match=r"RAG_EMBEDDING_ENGINE=openvino.*stray.*0\.9980"):
        load(**own, embedding_engine="openvino")
    assert engine_in_words(load_settings(**own, embedding_engine="torch")) == "torch, as RAG_EMBEDDING_ENGINE says"


def test_a_gpu_needs_no_trial(engines: Engines, own: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings_module, "has_cuda", lambda: True)
    assert isinstance(load(**own), engines.torch) and engines.trials == 0
    assert engine_in_words(load_settings(**own)) == "torch, on the GPU"


def test_a_new_machine_or_version_is_a_new_trial(
    engines: Engines, own: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    load(**own)
    monkeypatch.setattr(embeddings_module, "machine_id", lambda: "another")
    load(**own)
    monkeypatch.setattr(embeddings_module, "version", lambda _: "99")
    load(**own)
    assert engines.trials == 3


def test_a_damaged_conversion_is_made_again(engines: Engines, own: dict[str, Any]) -> None:
    load(**own)
    engines.openvino.broken = 1
    assert isinstance(load(**own), engines.openvino) and engines.trials == 2
    (own["cache"] / "openvino/embedding_trials.json").write_text("{cut")
    assert isinstance(load(**own), engines.openvino) and engines.trials == 3


def test_a_full_disk_is_told_and_not_remembered(
    engines: Engines, own: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    engines.outcome = OSError(errno.ENOSPC, "No space left on device", "/full")
    assert isinstance(load(**own), engines.torch)
    assert "/full: No space left on device" in caplog.text
    with pytest.raises(ModelError, match="/full: No space left on device"):
        load(**own, embedding_engine="openvino")
    engines.outcome = FASTER
    assert isinstance(load(**own), engines.openvino)


def test_choosing_loads_no_engine() -> None:
    code = (
        "import sys; from rag.config import load_settings; from rag.embeddings import engine_in_words\n"
        "engine_in_words(load_settings()); sys.exit('torch' in sys.modules or 'openvino' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=True, timeout=60)
