"""OpenVINO on trial: the model converted once, its vectors held against torch's, and both engines timed."""

from __future__ import annotations

import errno
import logging
import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

from rag.embeddings_batches import BatchedEmbeddings, Trial
from rag.embeddings_openvino import MODEL_FILE, OpenvinoEmbeddings, write_stamp
from rag.embeddings_torch import TorchEmbeddings, best_device
from rag.errors import ModelError

_ROUNDS = 3
_PARAGRAPH = (
    "The kettle was returned on a Tuesday with a note: the lid no longer closes, and the base hums for a minute after "
    "it is lifted. We replaced the switch, measured the current twice and found nothing else. Customers who report the "
    "same fault should be sent a new base at once and need not return the old one; what they paid for carriage is "
    "refunded within five working days, on the card that they paid with. "
)
# Of our own writing; what chunks and questions look like, and what they should not but may.
PROBES = (
    "How long is the warranty on the base?",
    "E3 means that the heater is dry.",
    "x",
    "",
    "1. 14 2. 15 3. 92 | total: 1,204.50 EUR",
    "def area(width, height):\n    return width * height",
    "Der Wasserkocher wurde am Dienstag zurückgegeben.",
    "退货需要在五天内完成。",
    "The meeting began at nine. " * 6,
    _PARAGRAPH,
    _PARAGRAPH[100:] + "Nothing was found. " * 20,
    "A long report that nobody read to its end. " + _PARAGRAPH * 8,
)
_TIMED = [_PARAGRAPH[start:] + _PARAGRAPH[:start] for start in range(0, 160, 20)]


def try_openvino(folder: Path, converted: Path, fingerprint: str) -> Trial:
    """Convert the model in `folder`, unless `converted` holds it, and try it. Raises ModelError for weights that
    torch cannot load, OSError where the conversion cannot be kept."""
    exact = TorchEmbeddings(folder, fingerprint, "cpu", torch.float32)
    try:
        engine = _load(exact, folder, converted, fingerprint)
        cosine = least_cosine(exact, engine)
    except ModelError as error:
        return Trial(0.0, 0.0, str(error))
    _, dtype = best_device()
    rival = exact if dtype == torch.float32 else TorchEmbeddings(folder, fingerprint, "cpu", dtype)
    return Trial(cosine, _speedup(rival, engine), "")


def least_cosine(exact: BatchedEmbeddings, other: BatchedEmbeddings) -> float:
    """The least cosine between the two engines' vectors of one text."""
    wanted, found = (np.array(engine.embed_documents(list(PROBES))) for engine in (exact, other))
    return float((wanted * found).sum(axis=1).min())


def _speedup(rival: BatchedEmbeddings, engine: BatchedEmbeddings) -> float:
    """Ratio of the fastest runs, in turns: what else the machine does only ever adds to a run."""
    seconds: dict[BatchedEmbeddings, list[float]] = {rival: [], engine: []}
    for number in range(_ROUNDS + 1):
        for one, taken in seconds.items():
            began = time.perf_counter()
            one.embed_documents(_TIMED)
            if number:  # the first run allocates
                taken.append(time.perf_counter() - began)
    return min(seconds[rival]) / min(seconds[engine])


def _load(exact: TorchEmbeddings, folder: Path, converted: Path, fingerprint: str) -> OpenvinoEmbeddings:
    try:
        return OpenvinoEmbeddings(folder, converted, fingerprint)
    except ModelError:  # it was never made, or is damaged
        shutil.rmtree(converted, ignore_errors=True)
        convert(exact, converted)
        return OpenvinoEmbeddings(folder, converted, fingerprint)


def convert(model: TorchEmbeddings, converted: Path) -> None:
    """Convert a model in fp32, its pooling included, into a folder that gets its name when it is whole.

    Raises ModelError where the architecture cannot be converted, OSError where the folder cannot be written.
    """
    size = sum(weights.nbytes for weights in model.model.parameters())
    if shutil.disk_usage(converted.parent).free < size:
        raise OSError(errno.ENOSPC, f"No space left on device for {size} bytes", str(converted.parent))
    try:
        graph = _graph(model)
    except Exception as error:
        # Tracing runs the model's own code, which fails in ways of its own.
        raise ModelError(f"the model cannot be converted for OpenVINO: {error}") from error
    partial = converted.with_name(converted.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:  # in fp16, which takes half the disk and holds weights more exactly than the bf16 they are used in
        openvino.save_model(graph, partial / MODEL_FILE, compress_to_fp16=True)
    except RuntimeError as error:
        raise OSError(errno.EIO, f"the converted model cannot be written: {error}", str(partial)) from error
    write_stamp(
        partial,
        pad=int(model.model.tokenizer.pad_token_id or 0),
        dimension=model.dimension,
        max_tokens=model.max_tokens,
    )
    partial.rename(converted)


class _Pooled(torch.nn.Module):
    def __init__(self, model: TorchEmbeddings) -> None:
        super().__init__()
        self.model = model.model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        features = self.model({"input_ids": input_ids, "attention_mask": attention_mask})
        vectors: torch.Tensor = features["sentence_embedding"]
        return vectors


def _graph(model: TorchEmbeddings) -> Any:
    """The traced model, for any number of texts and tokens.

    By the frontend and not by openvino.convert_model, which reports its use over the network.
    """
    example = model.model.tokenizer(["Two texts", "of which one is longer"], padding=True, return_tensors="pt")
    inputs = {name: example[name] for name in ("input_ids", "attention_mask")}
    with torch.inference_mode(), _hushed():
        decoder = TorchScriptPythonDecoder(_Pooled(model).eval(), example_input=inputs)  # must outlive what it loads
        frontend = FrontEndManager().load_by_framework("pytorch")
        graph = frontend.convert(frontend.load(decoder))
    graph.reshape({port: openvino.PartialShape([-1, -1]) for port in graph.inputs})
    return graph


@contextmanager
def _hushed() -> Iterator[None]:
    """Without the warnings of a tracer that looks at every attribute, deprecated ones too."""
    loggers = [logging.getLogger(name) for name in ("sentence_transformers", "transformers")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
