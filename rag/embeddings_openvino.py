"""Texts to vectors by OpenVINO on a CPU, from a model that embeddings_trial.py converted once. Loads no torch."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import openvino

from rag.embeddings_batches import BatchedEmbeddings
from rag.errors import ModelError
from rag.tokens import read_tokenizer

MODEL_FILE, STAMP_FILE = "openvino_model.xml", "converted.json"
_WEIGHTS_FILE = "openvino_model.bin"
_TOGETHER = 4  # texts in one request: fewer leave the matrices thin, more are padded to a longer text
_TURN = 2  # requests a stream in one turn
_MAX_STREAMS = 8


class OpenvinoEmbeddings(BatchedEmbeddings):
    """A converted model. Every core is a stream of its own: threads that share a matrix wait for one another."""

    def __init__(self, folder: Path, converted: Path, fingerprint: str) -> None:
        """`folder` holds the model's tokenizer, `converted` what was made of its weights. Raises ModelError."""
        stamp = _read_stamp(converted)
        self._pad = int(stamp["pad"])
        streams = min(os.cpu_count() or 1, _MAX_STREAMS)
        try:
            core = openvino.Core()
            compiled = core.compile_model(
                converted / MODEL_FILE,
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": _precision(core),
                    "NUM_STREAMS": streams,
                    # Pinned threads would stay on a core that another program, or the chat model, keeps busy.
                    "ENABLE_CPU_PINNING": False,
                },
            )
            self._requests = openvino.AsyncInferQueue(compiled, streams)
        except RuntimeError as error:
            raise ModelError(
                f"{converted} cannot be loaded by OpenVINO: {error}; delete it to have it made again"
            ) from error
        super().__init__(fingerprint, int(stamp["dimension"]), int(stamp["max_tokens"]), streams * _TOGETHER * _TURN)
        self._tokenizer = read_tokenizer(folder)
        self._tokenizer.enable_truncation(self.max_tokens)

    def _encode(self, texts: list[str]) -> np.ndarray:
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]), reverse=True)
        vectors = np.empty((len(rows), self.dimension), np.float32)

        def keep(request: Any, indices: list[int]) -> None:
            vectors[indices] = request.get_output_tensor(0).data

        self._requests.set_callback(keep)
        try:
            for start in range(0, len(order), _TOGETHER):
                indices = order[start : start + _TOGETHER]
                self._requests.start_async(self._pack([rows[index] for index in indices]), indices)
            self._requests.wait_all()
        except RuntimeError as error:
            raise ModelError(
                f"OpenVINO failed while embedding: {error}; RAG_EMBEDDING_ENGINE=torch avoids it"
            ) from error
        return vectors

    def _pack(self, rows: list[list[int]]) -> dict[str, np.ndarray]:
        """Token ids padded to the longest row, and the mask of those that count; both int64, rows x tokens."""
        ids = np.full((len(rows), max(map(len, rows))), self._pad, np.int64)
        mask = np.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
            mask[number, : len(row)] = 1
        return {"input_ids": ids, "attention_mask": mask}


def write_stamp(converted: Path, *, pad: int, dimension: int, max_tokens: int) -> None:
    """Say what the converted model in a folder is, and that it is whole. Raises OSError."""
    told = {"pad": pad, "dimension": dimension, "max_tokens": max_tokens, "files": _sizes(converted)}
    (converted / STAMP_FILE).write_text(json.dumps(told), encoding="utf-8")


def _read_stamp(converted: Path) -> dict[str, Any]:
    try:
        stamp: dict[str, Any] = json.loads((converted / STAMP_FILE).read_text(encoding="utf-8"))
        whole = stamp["files"] == _sizes(converted)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{converted} holds no converted model ({error})") from error
    if not whole:
        raise ModelError(f"{converted} is not whole; delete it to have it made again")
    return stamp


def _sizes(converted: Path) -> dict[str, int]:
    """Bytes of each file. A cut file is found by it without reading 200 MB at every start."""
    return {name: (converted / name).stat().st_size for name in (MODEL_FILE, _WEIGHTS_FILE)}


def _precision(core: Any) -> str:
    """bf16 where OpenVINO itself would choose it, the CPU having instructions for it, else f32 (never f16)."""
    chosen = core.get_property("CPU", "INFERENCE_PRECISION_HINT")
    return "bf16" if chosen == openvino.Type.bf16 else "f32"
