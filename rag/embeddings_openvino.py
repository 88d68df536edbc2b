"""Texts to vectors by OpenVINO on a CPU, from a model that embeddings_convert.py converted once. Loads no torch."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import openvino

from rag.device import let_go_of_mapped
from rag.embeddings_batches import BatchedEmbeddings
from rag.errors import ModelError
from rag.tokens import read_tokenizer

MODEL_FILE = "openvino_model.xml"
_FILES = (MODEL_FILE, "openvino_model.bin")
_STAMP = "converted.json"
_TOGETHER = 4  # texts in one request: fewer leave the matrices thin, more are padded to a longer text
_TURN = 2  # requests a stream in one turn
_MAX_STREAMS = 8


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of converting a model: `refusal` says why it may not be used here, and is empty where it may.

    `cosine` is the least between its vector of a probe text and torch's in fp32, `precision` what it computes in;
    `pad`, `dimension` and `max_tokens` are the model's; `files` the bytes of each file that was made. Of one in int8,
    the cosine is to the vectors of the conversion it was made from, and `speed_up` how many times as fast it was.
    """

    refusal: str = ""
    cosine: float = 0.0
    precision: str = ""
    pad: int = 0
    dimension: int = 0
    max_tokens: int = 0
    files: dict[str, int] = field(default_factory=dict)
    speed_up: float = 0.0


class OpenvinoEmbeddings(BatchedEmbeddings):
    """A converted model. Every core is a stream of its own: threads that share a matrix wait for one another."""

    def __init__(self, folder: Path, converted: Path, conversion: Conversion, fingerprint: str) -> None:
        """`folder` holds the model's tokenizer, `converted` what was made of its weights. Raises ModelError."""
        self._pad = conversion.pad
        streams = min(len(os.sched_getaffinity(0)), _MAX_STREAMS)
        # To compile an int8 model takes 1.5 s of a core, to load it compiled 0.3; in bf16 it would save half a second
        kept: dict[str, Any] = {"CACHE_DIR": str(converted)} if conversion.speed_up else {}
        try:
            compiled = openvino.Core().compile_model(
                converted / MODEL_FILE,
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": conversion.precision,
                    "NUM_STREAMS": streams,
                    # Pinned threads would stay on a core that another program, or the chat model, keeps busy.
                    "ENABLE_CPU_PINNING": False,
                    **kept,
                },
            )
            self._requests = openvino.AsyncInferQueue(compiled, streams)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot load what was made of {folder.name}: {error}") from error
        super().__init__(fingerprint, conversion.dimension, conversion.max_tokens, streams * _TOGETHER * _TURN)
        self._tokenizer = read_tokenizer(folder)
        self._tokenizer.enable_truncation(self.max_tokens)
        self._encode(["1"])  # the first run lays the weights out anew for the processor
        let_go_of_mapped(converted)

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


def read_conversion(converted: Path) -> Conversion | None:
    """What is known of the conversion in a folder; None where there is none, or not all of it."""
    try:
        conversion = Conversion(**json.loads((converted / _STAMP).read_text(encoding="utf-8")))
        whole = conversion.refusal or conversion.files == sizes(converted)
    except (OSError, ValueError, TypeError):
        return None
    return conversion if whole else None


def write_conversion(converted: Path, conversion: Conversion) -> None:
    """Keep what is known of the conversion in a folder. Raises OSError."""
    (converted / _STAMP).write_text(json.dumps(asdict(conversion)), encoding="utf-8")


def sizes(converted: Path) -> dict[str, int]:
    """Bytes of each file. A cut file is found by it without reading 200 MB at every start. Raises OSError."""
    return {name: (converted / name).stat().st_size for name in _FILES}


def best_precision() -> str:
    """bf16 where OpenVINO itself would choose it, the CPU having instructions for it, else f32 (never f16)."""
    chosen = openvino.Core().get_property("CPU", "INFERENCE_PRECISION_HINT")
    return "bf16" if chosen == openvino.Type.bf16 else "f32"
