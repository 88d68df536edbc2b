"""Texts to vectors: mpnet through sentence-transformers. Importing this loads torch; to count, see tokens.py."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from langchain_core.embeddings import Embeddings
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from transformers.utils import logging as transformers_logging

from rag.config import Settings
from rag.errors import ModelError
from rag.models import Report
from rag.tokens import embedding_fingerprint, embedding_folder
from rag.types import Progress

_BATCH = 32

transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # progress is told in one voice, ours


class MpnetEmbeddings(Embeddings):
    """Unit-length float32 vectors of `dimension` numbers; text beyond `max_tokens` tokens is not seen.

    One batch runs at a time, in order of arrival: two threads computing at once on two cores are many times slower
    than taking turns, and so a question waits for one batch of an ingest run at most.
    """

    def __init__(self, folder: Path, fingerprint: str, device: str, dtype: torch.dtype) -> None:
        """Load the model in `folder`. `fingerprint` names it and its exact weights."""
        _refuse_pickles(folder)
        try:
            self._model = SentenceTransformer(
                str(folder),
                device=device,
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"dtype": dtype, "use_safetensors": True},
            ).eval()
        except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
            raise ModelError(f"{folder} cannot be loaded as an embedding model: {error}") from error
        self.fingerprint = fingerprint
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.max_tokens = int(self._model.max_seq_length or 0)
        self._queue = threading.Lock()
        self._engine = threading.Lock()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text, in the same order."""
        vectors: list[list[float]] = [[]] * len(texts)
        # Texts of a batch are padded to the longest of them, so those of like length go together.
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]), reverse=True)
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            for index, vector in zip(batch, self._encode([texts[index] for index in batch]), strict=True):
                vectors[index] = vector.tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question; mpnet has one prompt for questions and documents: none."""
        vector: list[float] = self._encode([text])[0].tolist()
        return vector

    def _encode(self, texts: list[str]) -> np.ndarray:
        with self._turn():
            encoded = self._model.encode(
                texts, batch_size=_BATCH, show_progress_bar=False, convert_to_numpy=False, convert_to_tensor=True
            )
        vectors = encoded.float()  # bf16 would leave lengths off by half a percent
        normalized: np.ndarray = torch.nn.functional.normalize(vectors, dim=1).cpu().numpy()
        return normalized

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """The engine, for one batch. A bare lock may go back to the thread that left it; the queue stops that."""
        with self._queue:
            self._engine.acquire()
        try:
            yield
        finally:
            self._engine.release()


def load_embeddings(settings: Settings, progress: Report) -> MpnetEmbeddings:
    """The embedding model that the settings name, ready; fetches its weights if they are missing.

    On a CUDA GPU and on CPUs that calculate in bf16 natively, the weights are bf16 (the vectors agree with fp32's to
    a cosine above .999); elsewhere they are fp32.
    """
    folder = embedding_folder(settings, progress)
    progress(Progress(f"Loading {folder.name} (embeddings)", 0, 0, "B"))
    device, dtype = best_device()
    return MpnetEmbeddings(folder, embedding_fingerprint(settings), device, dtype)


def best_device() -> tuple[str, torch.dtype]:
    """Where to compute, and in what precision."""
    if torch.cuda.is_available():
        return "cuda", torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    able = torch.cpu.get_capabilities()
    native = able.get("avx512_bf16") or able.get("amx_bf16") or able.get("bf16")
    return "cpu", torch.bfloat16 if native else torch.float32


def _refuse_pickles(folder: Path) -> None:
    """Weights may only be safetensors: a pickle can run any code when it is loaded."""
    if not (folder / "model.safetensors").exists():
        raise ModelError(f"{folder} holds no model.safetensors; save the model with safe_serialization=True")
    for pickle in folder.rglob("pytorch_model*.bin"):
        if not (pickle.parent / "model.safetensors").exists():
            raise ModelError(f"{pickle} is a pickle, which Footnote does not load; save it as model.safetensors")
