"""Which engine embeds; mpnet on its real weights, in whichever that is: its vectors, and taking turns."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rag.config import Settings, load_settings
from rag.errors import ModelError

if TYPE_CHECKING:
    from rag.embeddings_batches import BatchedEmbeddings

pytestmark = pytest.mark.slow

INSULIN = "Insulin costs at most 35 dollars a month."
TEXTS = [
    INSULIN,
    "What does insulin cost?",
    "How do I renew my passport?",
    "Die Katze schläft.",
    "x",
    "",
    "Geysers " * 500,
]


@pytest.fixture(scope="module")
def mpnet_folder(settings: Settings) -> Path:
    from rag.tokens import embedding_folder

    return embedding_folder(settings, lambda _: None)


@pytest.fixture(scope="module")
def exact(mpnet_folder: Path) -> np.ndarray:
    """The vectors of TEXTS in fp32, by the model's published recipe: mean of the token vectors, unit length."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(mpnet_folder, local_files_only=True)
    model = AutoModel.from_pretrained(mpnet_folder, local_files_only=True, dtype=torch.float32).eval()
    rows = []
    with torch.inference_mode():
        for text in TEXTS:
            hidden = model(**tokenizer(text, truncation=True, max_length=384, return_tensors="pt")).last_hidden_state
            rows.append(torch.nn.functional.normalize(hidden.mean(dim=1), dim=1)[0].numpy())
    return np.stack(rows)


def test_golden_values(embeddings: BatchedEmbeddings) -> None:
    vector = embeddings.embed_query(INSULIN)
    assert vector[:6] == pytest.approx([0.0374, -0.0069, 0.0125, -0.0024, 0.0913, 0.0124], abs=0.001)
    insulin, cost, passport = np.array(embeddings.embed_documents(TEXTS[:3]))
    assert insulin @ cost == pytest.approx(0.791, abs=0.005)
    assert insulin @ passport == pytest.approx(-0.028, abs=0.005)
    assert cost @ passport == pytest.approx(-0.018, abs=0.005)


def test_vectors_agree_with_the_published_recipe_in_fp32(embeddings: BatchedEmbeddings, exact: np.ndarray) -> None:
    vectors = np.array(embeddings.embed_documents(TEXTS))
    assert (vectors * exact).sum(axis=1).min() > 0.999


def test_bf16_and_fp32_give_the_same_vectors(mpnet_folder: Path, exact: np.ndarray) -> None:
    import torch

    from rag.embeddings_torch import TorchEmbeddings

    for dtype, least in ((torch.float32, 0.99999), (torch.bfloat16, 0.999)):
        model = TorchEmbeddings(mpnet_folder, "test", "cpu", dtype)
        assert (np.array(model.embed_documents(TEXTS)) * exact).sum(axis=1).min() > least


def test_torch_takes_bf16_where_the_cpu_calculates_in_it(mpnet_folder: Path) -> None:
    import torch

    from rag.embeddings_torch import TorchEmbeddings, best_device

    device, dtype = best_device()
    if device == "cpu":
        native = any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
        assert dtype == (torch.bfloat16 if native else torch.float32)
    model = TorchEmbeddings(mpnet_folder, "test", device, dtype).model
    assert {parameter.dtype for parameter in model.parameters()} == {dtype}


def test_shape_length_and_name(embeddings: BatchedEmbeddings) -> None:
    assert embeddings.dimension == 768 and embeddings.max_tokens == 384
    assert embeddings.fingerprint == "all-mpnet-base-v2@e8c3b32edf5434bc2275fc9bab85f82640a19130"
    assert embeddings.embed_documents([]) == []
    lengths = np.linalg.norm(np.array(embeddings.embed_documents(TEXTS)), axis=1)
    assert lengths == pytest.approx(1, abs=1e-6)


def test_order_is_kept_over_many_batches_of_all_lengths(embeddings: BatchedEmbeddings) -> None:
    texts = [f"Item {number} " + "of the list " * (number * 7 % 5) for number in range(70)]
    together = np.array(embeddings.embed_documents(texts))
    for index in (0, 31, 32, 33, 69):
        alone = np.array(embeddings.embed_query(texts[index]))
        assert int((together @ alone).argmax()) == index
        assert together[index] @ alone == pytest.approx(1, abs=1e-3)


def test_a_question_waits_for_one_batch_not_for_all(embeddings: BatchedEmbeddings) -> None:
    documents = threading.Thread(target=embeddings.embed_documents, args=(["A page of a long document. " * 5] * 256,))
    documents.start()
    time.sleep(0.2)
    embeddings.embed_query("How long must I wait?")
    assert documents.is_alive()
    documents.join()


def test_who_waits_for_the_engine_is_next(embeddings: BatchedEmbeddings) -> None:
    def wait(order: list[str]) -> None:
        with embeddings.turns.turn():
            order.append("waiting")

    for _ in range(50):  # a bare lock mostly goes back to the thread that left it
        order: list[str] = []
        waiting = threading.Thread(target=wait, args=(order,))
        with embeddings.turns.turn():
            waiting.start()
            time.sleep(0.02)
        with embeddings.turns.turn():
            order.append("again")
        waiting.join()
        assert order == ["waiting", "again"]


def test_a_folder_is_named_by_its_weights(mpnet_folder: Path, tmp_path: Path) -> None:
    from rag.embeddings import load_embeddings

    copy = tmp_path / "mine"
    shutil.copytree(mpnet_folder, copy)
    settings = load_settings(embedding_model=str(copy), embedding_engine="torch", cache=tmp_path / "cache")
    first = load_embeddings(settings, lambda _: None)
    assert first.fingerprint.startswith("mine@") and len(first.fingerprint) >= len("mine@") + 16
    assert np.dot(first.embed_query(INSULIN), first.embed_query("What does insulin cost?")) > 0.78

    with (copy / "model.safetensors").open("r+b") as weights:
        weights.seek(-2, 2)
        weights.write(b"\x11\x22")
    assert load_embeddings(settings, lambda _: None).fingerprint != first.fingerprint


def test_weights_that_cannot_be_trusted_or_read_are_refused(mpnet_folder: Path, tmp_path: Path) -> None:
    from rag.embeddings import load_embeddings

    copy = tmp_path / "mine"
    shutil.copytree(mpnet_folder, copy, ignore=shutil.ignore_patterns("*.safetensors"))
    (copy / "pytorch_model.bin").write_bytes(b"a pickle")
    settings = load_settings(embedding_model=str(copy), embedding_engine="torch", cache=tmp_path / "cache")
    with pytest.raises(ModelError, match=r"holds no model\.safetensors"):
        load_embeddings(settings, lambda _: None)
    (copy / "model.safetensors").write_bytes(b"cut short")
    with pytest.raises(ModelError, match="cannot be loaded as an embedding model"):
        load_embeddings(settings, lambda _: None)
