"""Which engine rag/embeddings.py takes, with engines that are scripted: no model is loaded."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import rag.embeddings as embeddings_module
from rag.config import load_settings
from rag.embeddings import engine_in_words, load_embeddings
from rag.embeddings_openvino import Conversion, sizes, write_conversion
from rag.errors import ModelError
from rag.types import Progress

RIGHT = Conversion(cosine=0.9996, precision="bf16")
STRAYS = Conversion(cosine=0.998, refusal="OpenVINO's vectors stray")


class Torch:
    """In the place of torch's engine."""

    def __init__(self, *_: object) -> None:
        pass


class Openvino:
    """In the place of OpenVINO's, whose files may be damaged."""

    def __init__(self, _: Path, converted: Path, *__: object) -> None:
        if (converted / "openvino_model.xml").read_text() != "whole":
            raise ModelError("the conversion is damaged")


class Conversions:
    """In the place of rag.embeddings_convert: how converting ends, and how often it was done."""

    outcome: Conversion | OSError = RIGHT
    made = 0

    def convert(self, folder: Path, converted: Path, step: Callable[[int, int], None]) -> Conversion:
        time.sleep(0.2)
        self.made += 1
        step(0, 1)
        if isinstance(self.outcome, OSError):
            raise self.outcome
        shutil.rmtree(converted, ignore_errors=True)
        converted.mkdir()
        for name in ("openvino_model.xml", "openvino_model.bin"):
            (converted / name).write_text("whole")
        kept = Conversion(self.outcome.refusal, self.outcome.cosine, self.outcome.precision, files=sizes(converted))
        write_conversion(converted, kept)
        return kept


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> Conversions:
    made = Conversions()
    torch = SimpleNamespace(TorchEmbeddings=Torch, best_device=lambda: ("cpu", "float32"))
    monkeypatch.setitem(sys.modules, "rag.embeddings_torch", torch)
    monkeypatch.setitem(sys.modules, "rag.embeddings_convert", made)
    monkeypatch.setattr("rag.embeddings_openvino.OpenvinoEmbeddings", Openvino)
    monkeypatch.setattr(embeddings_module, "has_cuda", lambda: False)
    monkeypatch.setattr(embeddings_module, "is_x86", lambda: True)
    return made


@pytest.fixture
def own(tmp_path: Path) -> dict[str, Any]:
    """Settings for a model folder and a cache of the test's own."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/config.json").write_text("{}")
    return {"embedding_model": str(tmp_path / "mine"), "cache": tmp_path / "cache"}


def load(own: dict[str, Any], report: Callable[[Progress], None] = lambda _: None, **overrides: Any) -> object:
    return load_embeddings(load_settings(**own, **overrides), report)


def test_auto_takes_openvino_where_its_vectors_are_right(conversions: Conversions, own: dict[str, Any]) -> None:
    assert "checked once, when text is first embedded" in engine_in_words(load_settings(**own))
    for _ in range(3):
        assert isinstance(load(own), Openvino)
    assert conversions.made == 1
    assert engine_in_words(load_settings(**own)) == "OpenVINO in bf16: cosine to torch's vectors 0.9996 at least"


def test_vectors_that_stray_are_refused_for_good(
    conversions: Conversions, own: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    conversions.outcome = STRAYS
    for _ in range(3):
        assert isinstance(load(own), Torch)
    assert conversions.made == 1 and "torch computes the embeddings, not OpenVINO" in caplog.text
    assert engine_in_words(load_settings(**own)).startswith("torch: OpenVINO's vectors stray (delete ")
    with pytest.raises(ModelError, match=r"RAG_EMBEDDING_ENGINE=openvino cannot be had: OpenVINO's vectors stray"):
        load(own, embedding_engine="openvino")


@pytest.mark.parametrize(
    ("gpu", "x86", "engine", "told"),
    [
        (True, True, "auto", "torch: there is a GPU"),
        (False, False, "auto", "torch: this CPU is no x86-64"),
        (False, True, "torch", "torch: RAG_EMBEDDING_ENGINE says so"),
    ],
)
def test_elsewhere_torch_is_taken_unasked(
    conversions: Conversions,
    own: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    gpu: bool,
    x86: bool,
    engine: str,
    told: str,
) -> None:
    monkeypatch.setattr(embeddings_module, "has_cuda", lambda: gpu)
    monkeypatch.setattr(embeddings_module, "is_x86", lambda: x86)
    assert isinstance(load(own, embedding_engine=engine), Torch) and not conversions.made
    assert engine_in_words(load_settings(**own, embedding_engine=engine)) == told
    assert isinstance(load(own, embedding_engine="openvino"), Openvino), "the setting decides"


def test_another_cpu_version_or_model_is_checked_anew(
    conversions: Conversions, own: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    load(own)
    monkeypatch.setattr(embeddings_module, "cpu_kind", lambda: "another")
    load(own)
    monkeypatch.setattr(embeddings_module, "version", lambda _: "99")
    load(own)
    (Path(own["embedding_model"]) / "config.json").write_text('{"pooling": "cls"}')
    load(own)
    (Path(own["embedding_model"]) / "model.safetensors").write_bytes(b"other weights")
    load(own)
    assert conversions.made == 5


@pytest.mark.parametrize("damage", ["altered", "cut", "no stamp", "gone"])
def test_a_damaged_conversion_is_made_again(conversions: Conversions, own: dict[str, Any], damage: str) -> None:
    load(own)
    (graph,) = own["cache"].glob("openvino/*/openvino_model.xml")
    if damage == "altered":
        graph.write_text("w?ole")
    elif damage == "cut":
        graph.write_text("who")
    elif damage == "no stamp":
        (graph.parent / "converted.json").write_text("{cut")
    else:
        shutil.rmtree(graph.parent)
    assert isinstance(load(own), Openvino) and conversions.made == 2
    assert isinstance(load(own), Openvino) and conversions.made == 2


def test_a_full_disk_is_told_and_not_remembered(
    conversions: Conversions, own: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    conversions.outcome = OSError(errno.ENOSPC, "No space left on device", "/full")
    assert isinstance(load(own), Torch)
    assert "/full: No space left on device" in caplog.text
    with pytest.raises(ModelError, match="/full: No space left on device"):
        load(own, embedding_engine="openvino")
    conversions.outcome = RIGHT
    assert isinstance(load(own), Openvino)


def test_several_at_once_convert_once(conversions: Conversions, own: dict[str, Any]) -> None:
    loaded: list[object] = []
    told: list[str] = []
    threads = [
        threading.Thread(target=lambda: loaded.append(load(own, lambda step: told.append(step.what)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(engine) for engine in loaded] == [Openvino] * 4 and conversions.made == 1
    assert "Preparing mine for this machine (once): waiting for another process that does it" in told


def test_openvino_reports_nothing_over_the_network() -> None:
    code = (
        "import sys; calls = ('socket.connect', 'socket.getaddrinfo', 'socket.sendto')\n"
        "sys.addaudithook(lambda event, _: print(event) if event in calls else None)\n"
        "import rag.embeddings_openvino, rag.llm_gguf\n"
        "print('openvino.tools.ovc.telemetry_stub' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=60
    )
    assert told.stdout.split() == ["True"], told
