"""How fast mpnet embeds in each engine of this machine: python benchmarks/embedding.py FOLDER

Chunks of the text files in FOLDER go through every engine in turns, so that whatever else the machine does slows all of
them; the table gives medians, and ratios of medians to torch in fp32.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from langchain_text_splitters import RecursiveCharacterTextSplitter

from rag.config import load_settings
from rag.embeddings import load_embeddings
from rag.embeddings_batches import BatchedEmbeddings
from rag.embeddings_torch import TorchEmbeddings
from rag.tokens import embedding_fingerprint, embedding_folder, load_tokens

QUESTION = "How long is the warranty on the power base?"
QUESTIONS = 15  # in a round


def main() -> None:
    """Time the engines in turns and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks/embedding.py", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a folder of .txt files")
    parser.add_argument("--chunks", type=int, default=32, metavar="N", help="chunks of each size (32)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="how often every engine runs (5)")
    options = parser.parse_args()
    settings = load_settings()
    folder, tokens = embedding_folder(settings, lambda _: None), load_tokens(settings, lambda _: None)

    def load_torch(dtype: torch.dtype) -> BatchedEmbeddings:
        return TorchEmbeddings(folder, embedding_fingerprint(settings), "cpu", dtype)

    engines: dict[str, BatchedEmbeddings] = {
        "torch fp32": load_torch(torch.float32),
        "torch bf16": load_torch(torch.bfloat16),
        "OpenVINO": load_embeddings(settings.model_copy(update={"embedding_engine": "openvino"}), lambda _: None),
    }
    print("| what | engine | median | times torch fp32 | least cosine to it |\n| --- | --- | --- | --- | --- |")
    for size in (1000, 600):
        chunks = split_folder(options.folder, size, options.chunks)
        counted = sum(min(count, tokens.max_tokens) for count in tokens.count_all(chunks))
        exact = np.array(engines["torch fp32"].embed_documents(chunks))
        cosines = {
            name: float((exact * np.array(engine.embed_documents(chunks))).sum(axis=1).min())
            for name, engine in engines.items()
        }
        runs = {name: partial(engine.embed_documents, chunks) for name, engine in engines.items()}
        for name, seconds in in_turns(runs, options.rounds).items():
            show(f"{size} characters", name, f"{counted / seconds[0]:,.0f} tokens/s", seconds[1], cosines[name])
    runs = {name: partial(ask, engine) for name, engine in engines.items()}
    for name, seconds in in_turns(runs, options.rounds).items():
        show("one question", name, f"{seconds[0] / QUESTIONS * 1000:.0f} ms", seconds[1], None)


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


def in_turns(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, tuple[float, float]]:
    """Median seconds of each, and how many times as fast as the first it is: the ratio of the medians."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()  # the first run allocates
    for _ in range(rounds):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    first = next(iter(medians.values()))
    return {name: (median, first / median) for name, median in medians.items()}


def show(what: str, engine: str, median: str, ratio: float, cosine: float | None) -> None:
    """A row of the table."""
    print(f"| {what} | {engine} | {median} | {ratio:.1f} | {'' if cosine is None else f'{cosine:.4f}'} |", flush=True)


if __name__ == "__main__":
    main()
