"""How fast mpnet embeds in each engine of this machine: python -m benchmarks.embedding FOLDER

Chunks of the text files in FOLDER go through every engine in turns, so that whatever else the machine does slows all
of them. The table gives the median of the rounds; how many times as fast as torch in fp32 is the median of each
round's own ratio, with the least and the greatest.

The last column is how near that comes to what the machine can do: the arithmetic that the texts need (their padding
not counted), done in a second of a core, beside what one multiplication of the model's widest layer does in a second of
a core, at the same precision, by torch (oneDNN, but in fp32 MKL). It is by seconds of the cores, for those of the clock
tell of what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from langchain_text_splitters import RecursiveCharacterTextSplitter

from benchmarks.ratios import spread
from rag.config import load_settings
from rag.embeddings import converted_folder, int8_folder, load_embeddings
from rag.embeddings_batches import BatchedEmbeddings
from rag.embeddings_openvino import OpenvinoEmbeddings, read_conversion
from rag.embeddings_torch import TorchEmbeddings
from rag.tokens import embedding_folder, load_tokens

QUESTION = "How long is the warranty on the power base?"
QUESTIONS = 15  # in a round
TYPES = {"fp32": "float32", "bf16": "bfloat16"}
ROWS = 1024  # of the multiplication that the ceiling is measured by


def main() -> None:
    """Time the engines in turns and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.embedding", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a folder of .txt files")
    parser.add_argument("--chunks", type=int, default=32, metavar="N", help="chunks of each size (32)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="how often every engine runs (5)")
    options = parser.parse_args()
    settings = load_settings()
    folder, tokens = embedding_folder(settings, lambda _: None), load_tokens(settings, lambda _: None)

    def load_torch(dtype: torch.dtype) -> BatchedEmbeddings:
        return TorchEmbeddings(folder, "", "cpu", dtype)

    made = settings.model_copy(update={"embedding_engine": "openvino-int8"})
    load_embeddings(made, lambda _: None).embed_documents(["x"])  # converts it, to int8 too
    converted, quantized = converted_folder(settings), int8_folder(settings)
    conversion, quick = read_conversion(converted), read_conversion(quantized)
    assert conversion is not None and quick is not None
    engines: dict[str, BatchedEmbeddings] = {
        "torch fp32": load_torch(torch.float32),
        "torch bf16": load_torch(torch.bfloat16),
        "OpenVINO fp32": OpenvinoEmbeddings(folder, converted, replace(conversion, precision="f32"), ""),
    }
    if conversion.precision == "bf16":
        engines["OpenVINO bf16"] = OpenvinoEmbeddings(folder, converted, conversion, "")
    engines["OpenVINO int8"] = OpenvinoEmbeddings(folder, quantized, quick, "")
    print("| what | engine | median | times torch fp32 | least cosine to it | of the GEMM ceiling |")
    print("| --- | --- | --- | --- | --- | --- |")
    sizes = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for size in (1000, 600):
        chunks = split_folder(options.folder, size, options.chunks)
        counts = [min(count, tokens.max_tokens) for count in tokens.count_all(chunks)]
        work = sum(arithmetic(sizes, count) for count in counts)
        exact = np.array(engines["torch fp32"].embed_documents(chunks))
        cosines = {
            name: float((exact * np.array(engine.embed_documents(chunks))).sum(axis=1).min())
            for name, engine in engines.items()
        }
        runs: dict[str, Callable[[], object]] = {
            name: partial(engine.embed_documents, chunks) for name, engine in engines.items()
        }
        ceilings = {name: ceiling(name.split()[1], sizes) for name in engines}
        for name, timed in in_turns(runs, options.rounds).items():
            told = f"{sum(counts) / timed.seconds:,.0f} tokens/s"
            of_ceiling = f"{work / timed.cores / ceilings[name]:.2f}"
            show(f"{size} characters", name, told, timed.ratios, f"{cosines[name]:.4f}", of_ceiling)
    runs = {name: partial(ask, engine) for name, engine in engines.items()}
    for name, timed in in_turns(runs, options.rounds).items():
        show("one question", name, f"{timed.seconds / QUESTIONS * 1000:.0f} ms", timed.ratios, "", "")


def split_folder(folder: Path, size: int, count: int) -> list[str]:
    """That many chunks of the folder's text, drawn at random but the same ones each time."""
    text = "\n\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt")))
    chunks = RecursiveCharacterTextSplitter(chunk_size=size, chunk_overlap=0).split_text(text)
    random.Random(0).shuffle(chunks)
    return chunks[:count]


def ask(engine: BatchedEmbeddings) -> None:
    """A round of questions, one at a time."""
    for _ in range(QUESTIONS):
        engine.embed_query(QUESTION)


def arithmetic(sizes: dict[str, int], tokens: int) -> float:
    """Floating-point operations that a model with this config.json takes for a text of so many tokens."""
    hidden, layers = sizes["hidden_size"], sizes["num_hidden_layers"]
    weights = 4 * hidden**2 + 2 * hidden * sizes["intermediate_size"]
    return 2.0 * layers * tokens * (weights + 2 * tokens * hidden)


def ceiling(precision: str, sizes: dict[str, int]) -> float:
    """Operations a second of one core in a multiplication of the model's widest layer: the best of twenty."""
    shapes = ((ROWS, sizes["hidden_size"]), (sizes["hidden_size"], sizes["intermediate_size"]))
    if precision == "int8":
        left, right = (torch.randint(-100, 100, shape, dtype=torch.int8) for shape in shapes)
        multiply = torch._int_mm  # the only way that torch has to the instructions for int8
    else:
        left, right = (torch.randn(shape, dtype=getattr(torch, TYPES[precision])) for shape in shapes)
        multiply = torch.mm
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several would wait for one another, which counts as work
    taken = []
    for _ in range(20):
        began = time.thread_time()
        multiply(left, right)
        taken.append(time.thread_time() - began)
    torch.set_num_threads(threads)
    return 2.0 * ROWS * shapes[1][0] * shapes[1][1] / min(taken)


class Timed(NamedTuple):
    """A run's median seconds by the clock and of the cores, and in each round how many times as fast it was."""

    seconds: float
    cores: float
    ratios: list[float]


def in_turns(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, Timed]:
    """What each took, beside the first of them."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    cores: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()  # the first run allocates
    for _ in range(rounds):
        for name, run in runs.items():
            began, used = time.perf_counter(), time.process_time()
            run()
            seconds[name].append(time.perf_counter() - began)
            cores[name].append(time.process_time() - used)
    first = next(iter(seconds.values()))
    return {
        name: Timed(
            statistics.median(taken),
            statistics.median(cores[name]),
            [ours / its for ours, its in zip(first, taken, strict=True)],
        )
        for name, taken in seconds.items()
    }


def show(what: str, engine: str, median: str, ratios: list[float], cosine: str, of_ceiling: str) -> None:
    """A row of the table."""
    print(f"| {what} | {engine} | {median} | {spread(ratios)} | {cosine} | {of_ceiling} |", flush=True)


if __name__ == "__main__":
    main()
