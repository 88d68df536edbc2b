"""Which engine rag/embeddings.py takes, with engines that are scripted: no model is loaded."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import rag.embeddings as embeddings_module
from rag.config import load_settings
from rag.embeddings import WORTH, engine_in_words, int8_folder, load_embeddings
from rag.embeddings_openvino import Conversion, read_conversion, sizes, write_conversion
from rag.embeddings_pair import PairedEmbeddings
from rag.errors import ModelError
from rag.types import Progress

RIGHT = Conversion(cosine=0.9996, precision="bf16")
QUICK = Conversion(cosine=0.95, precision="bf16", speed_up=1.5)
TOLD = "OpenVINO in bf16: cosine to torch's vectors 0.9996 at least"
STRAYS = Conversion(cosine=0.998, refusal="OpenVINO's vectors stray")


class Torch:
    """In the place of torch's engine."""

    def __init__(self, *_: object) -> None:
        pass


class Openvino:
    """In the place of OpenVINO's, whose files may be damaged."""

    def __init__(self, _: Path, converted: Path, conversion: Conversion, *__: object) -> None:
        self.made = conversion
        if (converted / "openvino_model.xml").read_text() != "whole":
            raise ModelError("the conversion is damaged")


class Conversions:
    """In the place of rag.embeddings_convert and _int8: how converting ends, and how often it was done."""

    outcome: Conversion | OSError = RIGHT
    made = 0
    int8: Conversion | ModelError = QUICK
    int8_made = 0

    def convert(self, folder: Path, converted: Path, step: Callable[[int, int], None]) -> Conversion:
        time.sleep(0.2)
        self.made += 1
        return self._keep(self.outcome, converted, step)

    def quantize(
        self, folder: Path, converted: Path, conversion: Conversion, target: Path, step: Callable[[int, int], None]
    ) -> Conversion:
        assert conversion == read_conversion(converted)
        self.int8_made += 1
        return self._keep(self.int8, target, step)

    def _keep(self, outcome: Conversion | Exception, made_in: Path, step: Callable[[int, int], None]) -> Conversion:
        step(0, 1)
        if isinstance(outcome, Exception):
            raise outcome
        shutil.rmtree(made_in, ignore_errors=True)
        made_in.mkdir()
        for name in ("openvino_model.xml", "openvino_model.bin"):
            (made_in / name).write_text("whole")
        kept = replace(outcome, files=sizes(made_in))
        write_conversion(made_in, kept)
        return kept


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> Conversions:
    made = Conversions()
    torch = SimpleNamespace(TorchEmbeddings=Torch, best_device=lambda: ("cpu", "float32"))
    monkeypatch.setitem(sys.modules, "rag.embeddings_torch", torch)
    monkeypatch.setitem(sys.modules, "rag.embeddings_convert", made)
    monkeypatch.setitem(sys.modules, "rag.embeddings_int8", made)
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
    """The engine of questions."""
    engine = load_embeddings(load_settings(**own, **overrides), report)
    return engine.for_questions() if isinstance(engine, PairedEmbeddings) else engine


def made_of_documents(own: dict[str, Any], count: int, **overrides: Any) -> Conversion:
    """What the engine was made as that embeds so many documents in one process."""
    engine = load_embeddings(load_settings(**own, **overrides), lambda _: None)
    used: Any = engine.for_documents(count) if isinstance(engine, PairedEmbeddings) else engine
    made: Conversion = used.made
    return made


def test_auto_takes_openvino_where_its_vectors_are_right(conversions: Conversions, own: dict[str, Any]) -> None:
    assert "checked once, when text is first embedded" in engine_in_words(load_settings(**own))
    for _ in range(3):
        assert isinstance(load(own), Openvino)
    assert conversions.made == 1
    assert engine_in_words(load_settings(**own, embedding_engine="openvino")) == TOLD
    assert not conversions.int8_made


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


def test_many_documents_are_embedded_in_int8_from_then_on(conversions: Conversions, own: dict[str, Any]) -> None:
    assert made_of_documents(own, WORTH).speed_up == 0 and not conversions.int8_made
    assert engine_in_words(load_settings(**own)) == (
        f"{TOLD}; documents in int8, once {WORTH:,} chunks have come at a time and if it passes its check"
    )
    assert made_of_documents(own, WORTH + 1).speed_up == 1.5 and conversions.int8_made == 1
    assert made_of_documents(own, 1).speed_up == 1.5 and conversions.int8_made == 1
    assert engine_in_words(load_settings(**own)).endswith("in int8, 1.5 times as fast: cosine to these 0.950 at least")
    question = load(own)
    assert isinstance(question, Openvino) and question.made.speed_up == 0, "questions stay exact"
    assert made_of_documents(own, 1, embedding_engine="openvino").speed_up == 0, "the setting decides"
    (int8_folder(load_settings(**own)) / "openvino_model.xml").write_text("cut")
    assert made_of_documents(own, 1, embedding_engine="openvino-int8").speed_up == 1.5 and conversions.int8_made == 2


@pytest.mark.parametrize("lasting", [True, False])
def test_int8_that_fails_is_not_used(
    conversions: Conversions, own: dict[str, Any], lasting: bool, caplog: pytest.LogCaptureFixture
) -> None:
    conversions.int8 = replace(QUICK, refusal="int8 finds less") if lasting else ModelError("no sample_docs")
    for _ in range(2):
        assert made_of_documents(own, WORTH + 1).speed_up == 0
    assert "documents are not embedded in int8: " in caplog.text
    assert conversions.int8_made == (1 if lasting else 2), "what is wrong with the model is remembered"
    if lasting:
        assert "; documents too, for int8 finds less (delete " in engine_in_words(load_settings(**own))
    with pytest.raises(ModelError, match=r"RAG_EMBEDDING_ENGINE=openvino-int8 cannot be had: (int8 finds|no sample)"):
        made_of_documents(own, 1, embedding_engine="openvino-int8")


def test_int8_that_was_asked_for_and_failed_is_not_passed_over_the_next_time(
    conversions: Conversions, own: dict[str, Any]
) -> None:
    conversions.int8 = ModelError("no sample_docs")
    engine = load_embeddings(load_settings(**own, embedding_engine="openvino-int8"), lambda _: None)
    assert isinstance(engine, PairedEmbeddings)
    for _ in range(2):
        with pytest.raises(ModelError, match="openvino-int8 cannot be had: no sample_docs"):
            engine.for_documents(1)
    conversions.int8 = QUICK
    used: Any = engine.for_documents(1)
    assert used.made.speed_up == 1.5


def test_a_question_is_embedded_while_int8_is_made(conversions: Conversions, own: dict[str, Any]) -> None:
    making, go_on = threading.Event(), threading.Event()

    def quantize(*args: Any) -> Conversion:
        making.set()
        assert go_on.wait(20)
        return Conversions.quantize(conversions, *args)

    conversions.quantize = quantize  # type: ignore[method-assign]
    engine = load_embeddings(load_settings(**own), lambda _: None)
    assert isinstance(engine, PairedEmbeddings)
    documents = threading.Thread(target=engine.for_documents, args=(WORTH + 1,))
    documents.start()
    assert making.wait(20)
    found: list[Any] = []
    question = threading.Thread(target=lambda: found.append(engine.for_questions()))
    question.start()
    question.join(5)
    waited = question.is_alive()
    go_on.set()
    documents.join()
    question.join()
    assert not waited and found[0].made.speed_up == 0


def test_without_what_makes_int8_all_else_goes_on(
    conversions: Conversions, own: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def installed(name: str) -> str:
        if name == "nncf":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(embeddings_module, "version", installed)
    conversions.int8 = ModelError("No module named 'nncf'")
    assert made_of_documents(own, WORTH + 1).speed_up == 0
    assert "documents in int8, once" in engine_in_words(load_settings(**own))


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
