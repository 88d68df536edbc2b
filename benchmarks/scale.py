"""How retrieval grows with the library: python -m benchmarks.scale CHUNKS...

For each size a library is made of generated documents: words drawn by Zipf's law, and vectors that lie around their
document's own direction, so that no model is needed and none is measured. Printed are

* the chunks per second of ingestion without embedding,
* the milliseconds of a search without embedding the question, and those of its two halves alone, which run at once,
* which share of the ten chunks that are nearest by exact comparison are among the index's first ten,
* the most memory of the process that searched (MiB), the library's size on the disk, and the seconds that the vector
  index takes to be made anew.

Each library is made in a process of its own, and searched in another.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings

from rag.config import load_settings
from rag.ingestion import Ingester
from rag.manifest import Manifest
from rag.retriever import POOL, LibraryRetriever
from rag.store import VectorIndex
from rag.types import Scope

DIMENSION = 768
VOCABULARY = 50_000
CHUNKS_A_DOCUMENT = 400
QUESTIONS = 200
QUESTION_WORDS = 9
EXACT = 50  # of the questions are compared with every chunk
NEAREST = 10
_TOGETHER = 10_000  # chunks whose vectors are in memory at a time
_SPREAD = 0.7  # of a vector around its document's direction

Array = np.ndarray[Any, np.dtype[np.float32]]


class Directions(Embeddings):
    """Vectors of unit length, by what a text says: its first word names its document."""

    fingerprint = "directions@1"
    max_tokens = 384

    def count_tokens(self, text: str) -> int:
        """About as many as a tokenizer would make."""
        return len(text) // 4 + 2

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """A vector beside the direction of the text's document."""
        vector = direction(text.split(maxsplit=1)[0]) + _SPREAD * direction(text)
        return list(map(float, vector / np.linalg.norm(vector)))


def direction(text: str) -> Array:
    """A direction that a text has by chance, of unit length."""
    seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
    vector = np.random.default_rng(seed).standard_normal(DIMENSION, dtype=np.float32)
    return vector / np.linalg.norm(vector)


def write_documents(folder: Path, chunks: int, chance: np.random.Generator) -> None:
    """Documents that make about as many chunks; each paragraph begins with the document's own word."""
    ranks = np.arange(1, VOCABULARY + 1)
    shares = (1 / ranks) / (1 / ranks).sum()
    for number in range(max(1, chunks // CHUNKS_A_DOCUMENT)):
        paragraphs = []
        for _ in range(min(chunks, CHUNKS_A_DOCUMENT)):
            words = [f"w{rank}" for rank in chance.choice(ranks, 75, p=shares)]
            sentences = (" ".join(words[at : at + 15]) + "." for at in range(0, 75, 15))
            paragraphs.append(f"document{number} " + " W".join(sentences))
        (folder / f"{number}.txt").write_text("\n\n".join(paragraphs))


def questions(docs: Path, chance: np.random.Generator) -> Iterator[str]:
    """Words that stand together somewhere, after their document's own."""
    files = sorted(docs.iterdir())
    for _ in range(QUESTIONS):
        paragraphs = files[chance.integers(len(files))].read_text().split("\n\n")
        words = paragraphs[chance.integers(len(paragraphs))].split()
        yield " ".join([words[0], *words[2 : 2 + QUESTION_WORDS]])


def make(folder: Path, chunks: int) -> float:
    """Make the documents and the library; returns the chunks that came in a second."""
    (docs := folder / "docs").mkdir()
    write_documents(docs, chunks, np.random.default_rng(0))
    manifest, index, collection = library(folder)
    began = time.monotonic()
    for _ in Ingester(load_settings(library=manifest.path.parent), manifest, index, Directions()).ingest([docs]):
        pass
    return len(manifest.all_chunk_ids(collection)) / (time.monotonic() - began)


def library(folder: Path) -> tuple[Manifest, VectorIndex, str]:
    """The library in a folder, and the name of its one collection."""
    settings = load_settings(library=folder / "library")
    manifest = Manifest(settings.library / "manifest.sqlite")
    return manifest, VectorIndex(settings.library / "chroma", manifest), settings.collection


def measure(folder: Path, ingested: float) -> str:
    """A row of the table, of the library in a folder."""
    manifest, index, collection = library(folder)
    scope, embeddings = Scope((collection,)), Directions()
    retriever = LibraryRetriever(manifest=manifest, index=index, embeddings=embeddings, scope=scope, k=4)
    asked = list(questions(folder / "docs", np.random.default_rng(1)))
    vectors = [embeddings.embed_query(question) for question in asked]
    retriever.invoke("warm up")
    whole = [milliseconds(partial(retriever.invoke, question)) for question in asked]
    words = [milliseconds(partial(manifest.keyword_search, scope, question, POOL)) for question in asked]
    meaning = [milliseconds(partial(index.search, collection, vector, POOL)) for vector in vectors]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    count, recall = len(manifest.all_chunk_ids(collection)), recall_at_ten(manifest, index, collection, vectors[:EXACT])
    size = sum(path.stat().st_size for path in (folder / "library").rglob("*") if path.is_file()) / 2**20
    anew = milliseconds(index.rebuild) / 1000
    p50, p95 = np.percentile(whole, [50, 95])
    halves = f"{np.median(words):.0f} | {np.median(meaning):.0f}"
    return (
        f"| {count:,} | {ingested:,.0f} | {p50:.0f} | {p95:.0f} | {halves} | {recall:.3f} "
        f"| {memory:,.0f} | {size:,.0f} | {anew:,.2f} |"
    )


def milliseconds(act: Callable[[], object]) -> float:
    """How long something takes."""
    began = time.monotonic()
    act()
    return 1000 * (time.monotonic() - began)


def recall_at_ten(manifest: Manifest, index: VectorIndex, collection: str, vectors: Sequence[list[float]]) -> float:
    """The share of the chunks nearest to vectors, by comparison with each of them, that the index finds nearest."""
    wanted = np.asarray(vectors, np.float32).T
    cosines, ids = [], []
    every = manifest.all_chunk_ids(collection)
    for start in range(0, len(every), _TOGETHER):
        some = every[start : start + _TOGETHER]
        near = manifest.vectors(some) @ wanted
        best = np.argsort(-near, axis=0)[:NEAREST]
        cosines.append(np.take_along_axis(near, best, axis=0))
        ids.append(np.asarray(some)[best])
    best = np.argsort(-np.concatenate(cosines), axis=0)[:NEAREST]
    exact = np.take_along_axis(np.concatenate(ids), best, axis=0).T
    found = [index.search(collection, vector, POOL)[:NEAREST] for vector in vectors]
    return float(np.mean([np.isin(one, other).mean() for one, other in zip(exact, found, strict=True)]))


def alone(act: Callable[..., Any], *given: object) -> Any:
    """What a function returns, in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as own:
        return own.submit(act, *given).result()


def main(args: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("chunks", nargs="+", type=int, metavar="CHUNKS", help="about how many chunks the library has")
    options = parser.parse_args(args)
    print(
        "| chunks | ingested a second | search p50, ms | p95, ms | words alone p50, ms | meaning alone p50, ms "
        f"| recall@{NEAREST} | MiB in memory | MiB on disk | index anew, s |"
    )
    print("|" + " --- |" * 10)
    for chunks in options.chunks:
        with tempfile.TemporaryDirectory() as folder:
            print(alone(measure, Path(folder), alone(make, Path(folder), chunks)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
