"""OpenVINO's engine and its conversion: on the real mpnet, and on a small random model that converts in a moment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rag.config import Settings, load_settings
from rag.errors import ModelError
from rag.tokens import embedding_fingerprint, embedding_folder

pytestmark = pytest.mark.slow

LONG = "Geysers erupt. " * 300
TEXTS = [
    "Insulin costs at most 35 dollars a month.",
    "What does insulin cost?",
    "x",
    "",
    "Die Katze schläft. " * 9,
]


@pytest.fixture(scope="module")
def small(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of mpnet's kind with mpnet's tokenizer, one thin layer and random weights."""
    import torch
    from transformers import MPNetConfig, MPNetModel

    mpnet, folder = embedding_folder(settings, lambda _: None), tmp_path_factory.mktemp("small") / "small"
    shutil.copytree(mpnet, folder, ignore=shutil.ignore_patterns("*.safetensors", "verified.json"))
    torch.manual_seed(0)
    known = json.loads((mpnet / "config.json").read_text())
    config = MPNetConfig(
        **{**known, "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 128}
    )
    MPNetModel(config).save_pretrained(folder)
    pooling = json.loads((folder / "1_Pooling/config.json").read_text())
    (folder / "1_Pooling/config.json").write_text(json.dumps({**pooling, "word_embedding_dimension": 64}))
    return folder


@pytest.fixture(scope="module")
def kept(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings for the small model, offline and in OpenVINO, its conversion made."""
    from rag.embeddings import load_embeddings

    cache = tmp_path_factory.mktemp("cache")
    made = load_settings(embedding_model=str(small), cache=cache, embedding_engine="openvino", offline=True)
    load_embeddings(made, lambda _: None)
    return made


def test_engines_of_mpnet_may_be_mixed_in_one_library(settings: Settings) -> None:
    import torch

    from rag.embeddings import load_embeddings
    from rag.embeddings_torch import TorchEmbeddings

    openvino, native = (
        load_embeddings(settings.model_copy(update={"embedding_engine": engine}), lambda _: None)
        for engine in ("openvino", "torch")
    )
    assert openvino.fingerprint == native.fingerprint == embedding_fingerprint(settings)
    exact = TorchEmbeddings(embedding_folder(settings, lambda _: None), "", "cpu", torch.float32)
    wanted, found, others = (np.array(engine.embed_documents(TEXTS)) for engine in (exact, openvino, native))
    assert (wanted * found).sum(axis=1).min() > 0.999 and (others * found).sum(axis=1).min() > 0.999
    # What a text is near to, and how near, is the same whichever engine embedded which side.
    assert np.abs(others @ found.T - wanted @ wanted.T).max() < 0.02
    assert (openvino.dimension, openvino.max_tokens) == (exact.dimension, exact.max_tokens) == (768, 384)
    whole, cut = np.array(openvino.embed_documents([LONG, LONG + "A sentence that is never read."]))
    assert whole @ cut == pytest.approx(1, abs=1e-5)


def test_the_order_is_kept_whatever_the_lengths(kept: Settings) -> None:
    from rag.embeddings import load_embeddings

    engine = load_embeddings(kept, lambda _: None)
    texts = [f"Item {number} " + "of the list " * (number * 7 % 50) for number in range(60)]
    together = np.array(engine.embed_documents(texts))
    alone = np.array([engine.embed_query(text) for text in texts])
    assert (together * alone).sum(axis=1).min() > 0.999
    assert ((together @ alone.T).argmax(axis=1) == np.arange(60)).all()


def run(kept: Settings, code: str, library: Path) -> subprocess.Popen[str]:
    """A Python of its own, under the same settings."""
    given = {**os.environ, "RAG_CACHE": str(kept.cache), "RAG_EMBEDDING_MODEL": kept.embedding_model}
    given |= {"RAG_EMBEDDING_ENGINE": "openvino", "RAG_OFFLINE": "1", "RAG_LIBRARY": str(library)}
    root = Path(__file__).parents[1]
    return subprocess.Popen([sys.executable, "-c", code], cwd=root, env=given, stdout=subprocess.PIPE, text=True)


def test_ingesting_and_searching_load_no_torch(kept: Settings, tmp_path: Path) -> None:
    (tmp_path / "geysers.txt").write_text(LONG)
    code = (
        "import sys; from pathlib import Path; import rag.__main__; from rag.config import load_settings\n"
        "from rag.library import Library\n"
        f"list(Library(load_settings()).ingest([Path({str(tmp_path / 'geysers.txt')!r})]))\n"
        "print(rag.__main__.main(['search', 'What do geysers do?', '--json', '-k', '1']))\n"
        "print(sorted({'openvino', 'sentence_transformers', 'torch', 'transformers'} & set(sys.modules)))\n"
    )
    searched, status, loaded = run(kept, code, tmp_path / "library").communicate(timeout=60)[0].splitlines()
    assert json.loads(searched)["results"][0]["source"] == "geysers.txt"
    assert (status, loaded) == ("0", "['openvino']")


def test_two_processes_at_once_convert_once(kept: Settings, tmp_path: Path) -> None:
    code = (
        "import sys; from rag.config import load_settings; from rag.embeddings import load_embeddings\n"
        "sys.addaudithook(lambda event, _: print(event) if event.startswith('socket.') else None)\n"
        "load_embeddings(load_settings(), lambda step: print(step.what, step.done, step.total))"
    )
    fresh = kept.model_copy(update={"cache": tmp_path})
    both = [run(fresh, code, tmp_path / "library") for _ in range(2)]
    told = "".join(process.communicate(timeout=120)[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert told.count("Preparing small for this machine (once) 2 3") == 1
    assert "socket.connect" not in told and "socket.getaddrinfo" not in told, "nothing is reported"
    assert len(list(tmp_path.glob("openvino/*/converted.json"))) == 1


def test_a_damaged_conversion_is_made_again(kept: Settings) -> None:
    from rag.embeddings import load_embeddings

    before = load_embeddings(kept, lambda _: None).embed_query("one text")
    (graph,) = kept.cache.glob("openvino/*/openvino_model.xml")
    graph.write_bytes(b"?" * graph.stat().st_size)
    seen: list[str] = []
    again = load_embeddings(kept, lambda step: seen.append(step.what)).embed_query("one text")
    assert "Preparing small for this machine (once)" in seen
    assert np.dot(before, again) > 0.99999
    assert not list(kept.cache.glob("openvino/*.partial"))


def test_vectors_that_stray_are_refused(
    kept: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    from rag.embeddings import load_embeddings
    from rag.embeddings_openvino import OpenvinoEmbeddings
    from rag.embeddings_torch import TorchEmbeddings

    right = OpenvinoEmbeddings._encode
    noise = np.random.default_rng(0).normal(size=64)
    monkeypatch.setattr(OpenvinoEmbeddings, "_encode", lambda self, texts: right(self, texts) + 0.01 * noise)
    strict = kept.model_copy(update={"cache": tmp_path})
    with pytest.raises(ModelError, match=r"RAG_EMBEDDING_ENGINE=openvino.*stray"):
        load_embeddings(strict, lambda _: None)
    auto = load_embeddings(strict.model_copy(update={"embedding_engine": "auto"}), lambda _: None)
    assert isinstance(auto, TorchEmbeddings) and "stray from torch's" in caplog.text
    assert [path.name for path in tmp_path.glob("openvino/*/*")] == ["converted.json"]


def test_a_model_that_cannot_be_traced_stays_with_torch(
    kept: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from rag import embeddings_convert
    from rag.embeddings import engine_in_words, load_embeddings
    from rag.embeddings_torch import TorchEmbeddings

    def fail(*_: object, **__: object) -> None:
        raise TypeError("no such operation")

    monkeypatch.setattr(embeddings_convert, "TorchScriptPythonDecoder", fail)
    auto = kept.model_copy(update={"embedding_engine": "auto", "cache": tmp_path})
    assert isinstance(load_embeddings(auto, lambda _: None), TorchEmbeddings)
    assert engine_in_words(auto).startswith("torch: the model cannot be converted for OpenVINO: no such operation")


def test_the_int8_form_is_made_by_a_child_and_judged(kept: Settings, tmp_path: Path) -> None:
    from rag.embeddings import converted_folder
    from rag.embeddings_int8 import LEAST_SPEED_UP, quantize
    from rag.embeddings_openvino import OpenvinoEmbeddings, read_conversion

    folder, converted = embedding_folder(kept, lambda _: None), converted_folder(kept)
    conversion = read_conversion(converted)
    assert conversion
    steps: list[int] = []
    made = quantize(folder, converted, conversion, tmp_path / "int8", lambda done, total: steps.append(done))
    assert steps == [0, 1, 2] and "nncf" not in sys.modules
    assert read_conversion(tmp_path / "int8") == made and made.cosine > 0.5
    if not made.refusal:  # so small a model may be no faster
        assert made.speed_up >= LEAST_SPEED_UP
        vectors = np.array(OpenvinoEmbeddings(folder, tmp_path / "int8", made, "").embed_documents(TEXTS))
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
