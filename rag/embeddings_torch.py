"""Texts to vectors by torch, through sentence-transformers: on a GPU, and on CPUs where OpenVINO is not faster."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from transformers.utils import logging as transformers_logging

from rag.embeddings_batches import BatchedEmbeddings
from rag.errors import ModelError

_BATCH = 32

transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # progress is told in one voice, ours


class TorchEmbeddings(BatchedEmbeddings):
    """A sentence-transformers model in torch; `model` is it itself."""

    def __init__(self, folder: Path, fingerprint: str, device: str, dtype: torch.dtype) -> None:
        """Load the model in `folder`. Raises ModelError."""
        _refuse_pickles(folder)
        try:
            self.model = SentenceTransformer(
                str(folder),
                device=device,
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"dtype": dtype, "use_safetensors": True},
            ).eval()
        except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
            raise ModelError(f"{folder} cannot be loaded as an embedding model: {error}") from error
        dimension, max_tokens = self.model.get_embedding_dimension(), self.model.max_seq_length
        super().__init__(fingerprint, int(dimension or 0), int(max_tokens or 0), _BATCH)

    def _encode(self, texts: list[str]) -> np.ndarray:
        encoded = self.model.encode(
            texts, batch_size=_BATCH, show_progress_bar=False, convert_to_numpy=False, convert_to_tensor=True
        )
        vectors: np.ndarray = encoded.float().cpu().numpy()
        return vectors


def best_device() -> tuple[str, torch.dtype]:
    """Where to compute, and in what precision: bf16 on a GPU or CPU that calculates in it natively, else fp32."""
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
