"""OpenVINO's engine and its trial: on the real mpnet, and on a small random model that converts in a moment."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rag.config import Settings, load_settings
from rag.errors import ModelError
from rag.tokens import embedding_folder

pytestmark = pytest.mark.slow

LONG = "Geysers erupt. " * 300
TEXTS = [
    "Insulin costs at most 35 dollars a month.",
    "What does insulin cost?",
    "x",
    "",
    LONG,
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


def test_mpnet_has_the_vectors_of_torch(settings: Settings) -> None:
    import torch

    from rag.embeddings import load_embeddings
    from rag.embeddings_torch import TorchEmbeddings

    openvino = load_embeddings(settings.model_copy(update={"embedding_engine": "openvino"}), lambda _: None)
    exact = TorchEmbeddings(embedding_folder(settings, lambda _: None), "", "cpu", torch.float32)
    wanted, found = (np.array(engine.embed_documents(TEXTS)) for engine in (exact, openvino))
    assert (wanted * found).sum(axis=1).min() > 0.999
    assert (openvino.dimension, openvino.max_tokens) == (exact.dimension, exact.max_tokens) == (768, 384)
    cut = np.array(openvino.embed_query(LONG + "A sentence that is never read."))
    assert cut @ found[TEXTS.index(LONG)] == pytest.approx(1, abs=1e-5)


def test_the_order_is_kept_whatever_the_lengths(kept: Settings) -> None:
    from rag.embeddings import load_embeddings

    engine = load_embeddings(kept, lambda _: None)
    texts = [f"Item {number} " + "of the list " * (number * 7 % 50) for number in range(60)]
    together = np.array(engine.embed_documents(texts))
    alone = np.array([engine.embed_query(text) for text in texts])
    assert (together * alone).sum(axis=1).min() > 0.999
    assert ((together @ alone.T).argmax(axis=1) == np.arange(60)).all()


def test_a_converted_model_is_loaded_without_torch(kept: Settings) -> None:
    code = (
        "import sys; from rag.config import load_settings; from rag.embeddings import load_embeddings\n"
        f"made = load_settings(embedding_model={kept.embedding_model!r}, cache={str(kept.cache)!r},"
        " embedding_engine='openvino', offline=True)\n"
        "print(len(load_embeddings(made, lambda _: None).embed_query('x')), 'torch' in sys.modules)"
    )
    root = Path(__file__).parents[1]
    told = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["64", "False"]


@pytest.mark.parametrize("damage", ["cut", "altered", "gone"])
def test_a_damaged_conversion_is_made_again(kept: Settings, damage: str) -> None:
    from rag.embeddings import load_embeddings

    before = load_embeddings(kept, lambda _: None).embed_query("one text")
    (weights,) = kept.cache.glob("openvino/*/openvino_model.bin")
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-1000])
    elif damage == "altered":
        graph = weights.with_suffix(".xml")
        graph.write_bytes(b"?" * graph.stat().st_size)
    else:
        shutil.rmtree(weights.parent)
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


def test_a_model_that_cannot_be_traced_stays_with_torch(
    kept: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from rag import embeddings_trial
    from rag.embeddings import engine_in_words, load_embeddings
    from rag.embeddings_torch import TorchEmbeddings

    def fail(*_: object, **__: object) -> None:
        raise TypeError("no such operation")

    monkeypatch.setattr(embeddings_trial, "TorchScriptPythonDecoder", fail)
    auto = kept.model_copy(update={"embedding_engine": "auto", "cache": tmp_path})
    assert isinstance(load_embeddings(auto, lambda _: None), TorchEmbeddings)
    assert engine_in_words(auto) == "torch: the model cannot be converted for OpenVINO: no such operation"
