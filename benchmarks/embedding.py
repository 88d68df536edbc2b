"""How fast mpnet embeds in each engine of this machine: python -m benchmarks.embedding FOLDER

Chunks of the text files in FOLDER go through every engine in turns, so that whatever else the machine does slows all
of them. The table gives the median of the rounds; how many times as fast as torch in fp32 is the median of each
round's own ratio, with the least and the greatest.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from langchain_text_splitters import RecursiveCharacterTextSplitter

from rag.config import load_settings
from rag.embeddings import converted_folder, load_embeddings
from rag.embeddings_batches import BatchedEmbeddings
from rag.embeddings_openvino import OpenvinoEmbeddings, read_conversion
from rag.embeddings_torch import TorchEmbeddings
from rag.tokens import embedding_folder, load_tokens

QUESTION = "How long is the warranty on the power base?"
QUESTIONS = 15  # in a round


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

    load_embeddings(settings.model_copy(update={"embedding_engine": "openvino"}), lambda _: None)  # converts it
    converted = converted_folder(settings)
    conversion = read_conversion(converted)
    assert conversion is not None
    engines: dict[str, BatchedEmbeddings] = {
        "torch fp32": load_torch(torch.float32),
        "torch bf16": load_torch(torch.bfloat16),
        "OpenVINO fp32": OpenvinoEmbeddings(folder, converted, replace(conversion, precision="f32"), ""),
    }
    if conversion.precision == "bf16":
        engines["OpenVINO bf16"] = OpenvinoEmbeddings(folder, converted, conversion, "")
    print("| what | engine | median | times torch fp32 | least cosine to it |\n| --- | --- | --- | --- | --- |")
    for size in (1000, 600):
        chunks = split_folder(options.folder, size, options.chunks)
        counted = sum(min(count, tokens.max_tokens) for count in tokens.count_all(chunks))
        exact = np.array(engines["torch fp32"].embed_documents(chunks))
        cosines = {
            name: float((exact * np.array(engine.embed_documents(chunks))).sum(axis=1).min())
            for name, engine in engines.items()
        }
        runs: dict[str, Callable[[], object]] = {
            name: partial(engine.embed_documents, chunks) for name, engine in engines.items()
        }
        for name, (seconds, ratios) in in_turns(runs, options.rounds).items():
            show(f"{size} characters", name, f"{counted / seconds:,.0f} tokens/s", ratios, f"{cosines[name]:.4f}")
    runs = {name: partial(ask, engine) for name, engine in engines.items()}
    for name, (seconds, ratios) in in_turns(runs, options.rounds).items():
        show("one question", name, f"{seconds / QUESTIONS * 1000:.0f} ms", ratios, "")


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


def in_turns(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, tuple[float, list[float]]]:
    """Median seconds of each, and in each round how many times as fast as the first it was."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()  # the first run allocates
    for _ in range(rounds):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    first = next(iter(seconds.values()))
    return {
        name: (statistics.median(taken), [ours / its for ours, its in zip(first, taken, strict=True)])
        for name, taken in seconds.items()
    }


def show(what: str, engine: str, median: str, ratios: list[float], cosine: str) -> None:
    """A row of the table."""
    times = f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
    print(f"| {what} | {engine} | {median} | {times} | {cosine} |", flush=True)


if __name__ == "__main__":
    main()
