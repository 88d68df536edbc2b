"""A model converted for OpenVINO, once, and its vectors held against torch's. Loads both engines."""

from __future__ import annotations

import errno
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

from rag.embeddings_batches import BatchedEmbeddings
from rag.embeddings_openvino import MODEL_FILE, Conversion, OpenvinoEmbeddings, best_precision, sizes, write_conversion
from rag.embeddings_torch import TorchEmbeddings
from rag.errors import ModelError

# For good: other threads load libraries meanwhile, and what they silence would be heard again at the end of a block.
warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")

LEAST_COSINE = 0.999  # between the vectors of an engine and those of torch in fp32
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


_STEPS = 3


def convert(folder: Path, converted: Path, step: Callable[[int, int], None]) -> Conversion:
    """Make `converted` of the model in `folder`, its vectors checked. `step` hears how many steps are done of how many.

    The folder gets its name when it is whole and checked. A model that OpenVINO cannot compute, or not right, leaves
    the reason there. Raises ModelError for weights that torch cannot load, OSError where the folder cannot be written.
    """
    step(0, _STEPS)
    exact = TorchEmbeddings(folder, "", "cpu", torch.float32)
    partial = converted.with_name(converted.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        step(1, _STEPS)
        made = _save(exact, partial)
        step(2, _STEPS)
        cosine = least_cosine(exact, OpenvinoEmbeddings(folder, partial, made, ""))
        refusal = (
            ""
            if cosine >= LEAST_COSINE
            else (f"OpenVINO's vectors stray from torch's to a cosine of {cosine:.4f}, and {LEAST_COSINE} is the least")
        )
        made = replace(made, cosine=cosine, refusal=refusal)
    except ModelError as error:
        made = Conversion(refusal=str(error))
    if made.refusal:
        for file in partial.iterdir():
            file.unlink()
    write_conversion(partial, made)
    shutil.rmtree(converted, ignore_errors=True)
    partial.rename(converted)
    return made


def least_cosine(exact: BatchedEmbeddings, other: BatchedEmbeddings) -> float:
    """The least cosine between the two engines' vectors of one text."""
    wanted, found = (np.array(engine.embed_documents(list(PROBES))) for engine in (exact, other))
    return float((wanted * found).sum(axis=1).min())


def _save(model: TorchEmbeddings, folder: Path) -> Conversion:
    """The model's graph and weights, saved in a folder. Raises ModelError where it cannot be converted, and OSError."""
    size = sum(weights.nbytes for weights in model.model.parameters())
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, f"No space left on device for {size} bytes", str(folder.parent))
    try:
        graph = _graph(model)
    except Exception as error:
        # Tracing runs the model's own code, which fails in ways of its own.
        raise ModelError(f"the model cannot be converted for OpenVINO: {error}") from error
    try:  # in fp16, which takes half the disk and holds weights more exactly than the bf16 they are used in
        openvino.save_model(graph, folder / MODEL_FILE, compress_to_fp16=True)
    except RuntimeError as error:
        raise OSError(errno.EIO, f"the converted model cannot be written: {error}", str(folder)) from error
    return Conversion(
        precision=best_precision(),
        pad=int(model.model.tokenizer.pad_token_id or 0),
        dimension=model.dimension,
        max_tokens=model.max_tokens,
        files=sizes(folder),
    )


class _Pooled(torch.nn.Module):
    def __init__(self, model: TorchEmbeddings) -> None:
        super().__init__()
        self.model = model.model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        features = self.model({"input_ids": input_ids, "attention_mask": attention_mask})
        vectors: torch.Tensor = features["sentence_embedding"]
        return vectors


def _graph(model: TorchEmbeddings) -> Any:
    """The traced model, for any number of texts and tokens."""
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
    """Without the complaints of attributes that are deprecated: a tracer looks at every one."""
    loggers = [logging.getLogger(name) for name in ("sentence_transformers", "transformers")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
