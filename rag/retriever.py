"""Chunks out: the nearest by meaning and the nearest by words, fused, each with its cosine, cut to a token budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from rag.manifest import Manifest
from rag.store import VectorIndex

POOL = 30  # candidates from each side before they are fused
_RRF_K = 60  # Cormack, Clarke and Buettcher 2009


class LibraryRetriever(BaseRetriever):
    """Finds chunks of one collection. Each comes with `number` (from 1), `score` (cosine, -1 to 1) and `place`."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    manifest: Manifest
    index: VectorIndex
    embeddings: Embeddings
    collection: str
    k: int
    token_budget: int | None = None
    size: Callable[[Document], int] = lambda chunk: 0  # tokens that a chunk takes in the prompt

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        vector = self.embeddings.embed_query(query)
        by_meaning = self.index.search(self.collection, vector, POOL)
        with self.manifest.snapshot():  # or a document could be deleted between its chunks and their vectors
            by_words = self.manifest.keyword_search(self.collection, query, POOL)
            chunks = self.manifest.chunks(fuse([by_meaning, by_words]))
            best = distinct(list(chunks.values()))[: self.k]
            if not best:
                return []
            scores = self.manifest.vectors([int(str(chunk.id)) for chunk in best]) @ np.asarray(vector, np.float32)
        numbered = [
            Document(
                chunk.page_content,
                id=chunk.id,
                metadata={
                    **chunk.metadata,
                    "number": number,
                    "score": round(float(score), 4),
                    "place": _place(chunk),
                },
            )
            for number, (chunk, score) in enumerate(zip(best, scores, strict=True), start=1)
        ]
        return numbered if self.token_budget is None else fit(numbered, self.token_budget, self.size)


def fuse(rankings: Sequence[Sequence[int]]) -> list[int]:
    """Reciprocal rank fusion: ids by the sum of 1 / (60 + rank) over the rankings, best first."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, chunk_id in enumerate(ranking, start=1):
            scores[chunk_id] = scores.get(chunk_id, 0.0) + 1 / (_RRF_K + rank)
    return sorted(scores, key=lambda chunk_id: -scores[chunk_id])


def distinct(chunks: Sequence[Document]) -> list[Document]:
    """The chunks without those whose text an earlier one has word for word."""
    seen: dict[str, Document] = {}
    for chunk in chunks:
        seen.setdefault(" ".join(chunk.page_content.split()), chunk)
    return list(seen.values())


def fit(chunks: Sequence[Document], budget: int, size: Callable[[Document], int]) -> list[Document]:
    """The first chunks that fit into a budget of tokens together; where not even the first does, its beginning."""
    kept: list[Document] = []
    left = budget
    for chunk in chunks:
        left -= size(chunk)
        if left < 0:
            break
        kept.append(chunk)
    return kept or [_longest_beginning(chunk, budget, size) for chunk in chunks[:1]]


def _longest_beginning(chunk: Document, budget: int, size: Callable[[Document], int]) -> Document:
    low, high = 0, len(chunk.page_content)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if size(_beginning(chunk, middle)) <= budget else (low, middle - 1)
    return _beginning(chunk, low)


def _beginning(chunk: Document, length: int) -> Document:
    end = chunk.metadata["start"] + length
    return Document(chunk.page_content[:length], id=chunk.id, metadata={**chunk.metadata, "end": end})


def _place(chunk: Document) -> str:
    page = chunk.metadata["page_label"] or chunk.metadata["page"]
    return f", page {page}" if page else ""
