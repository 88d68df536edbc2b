"""How retrieval grows with the library: python -m benchmarks.scale CHUNKS...

For each size a library is made in a temporary folder from generated documents: words drawn by Zipf's law, and vectors
that lie around their document's own direction, so that no model is needed and none is measured. Printed are the
chunks per second of ingestion without embedding, and the milliseconds of a search without embedding the question.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings

from rag.config import load_settings
from rag.ingestion import Ingester
from rag.manifest import Manifest
from rag.retriever import LibraryRetriever
from rag.store import VectorIndex
from rag.types import Scope

DIMENSION = 768
VOCABULARY = 50_000
CHUNKS_A_DOCUMENT = 400
QUESTIONS = 200
QUESTION_WORDS = 9
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


def questions(manifest: Manifest, chance: np.random.Generator) -> list[str]:
    """Words that stand together somewhere, after their document's own."""
    texts = list(manifest.all_texts())
    chosen = (texts[at].split() for at in chance.choice(len(texts), QUESTIONS))
    return [" ".join([words[0], *words[2 : 2 + QUESTION_WORDS]]) for words in chosen]


def measure(chunks: int) -> str:
    """A row of the table."""
    chance, embeddings = np.random.default_rng(0), Directions()
    with tempfile.TemporaryDirectory() as name:
        (docs := Path(name) / "docs").mkdir()
        write_documents(docs, chunks, chance)
        settings = load_settings(library=Path(name) / "library")
        manifest = Manifest(settings.library / "manifest.sqlite")
        index = VectorIndex(settings.library / "chroma", manifest)
        began = time.monotonic()
        for _ in Ingester(settings, manifest, index, embeddings).ingest([docs]):
            pass
        seconds = time.monotonic() - began
        retriever = LibraryRetriever(
            manifest=manifest, index=index, embeddings=embeddings, scope=Scope((settings.collection,)), k=settings.top_k
        )
        retriever.invoke("warm up")
        taken = [search_ms(retriever, question) for question in questions(manifest, chance)]
        size = sum(path.stat().st_size for path in settings.library.rglob("*") if path.is_file())
        count = len(manifest.all_chunk_ids(settings.collection))
    p50, p95 = np.percentile(taken, [50, 95])
    return f"| {count:,} | {count / seconds:,.0f} | {p50:.0f} | {p95:.0f} | {size / 2**20:,.0f} |"


def search_ms(retriever: LibraryRetriever, question: str) -> float:
    """Milliseconds of a search, but for the vector of the question."""
    began = time.monotonic()
    retriever.invoke(question)
    whole = time.monotonic() - began
    began = time.monotonic()
    retriever.embeddings.embed_query(question)
    return 1000 * (whole - (time.monotonic() - began))


def main(args: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("chunks", nargs="+", type=int, metavar="CHUNKS", help="about how many chunks the library has")
    print("| chunks | ingested a second | search p50, ms | p95, ms | MiB on disk |\n| --- | --- | --- | --- | --- |")
    for chunks in parser.parse_args(args).chunks:
        print(measure(chunks), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
