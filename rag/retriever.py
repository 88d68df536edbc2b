"""Passages out: candidates by meaning and by words, ranked, neighbours merged, cut to a token budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from rag.headings import embedded_text
from rag.manifest import Manifest
from rag.names import absent_names, file_words
from rag.ranking import LONGEST, Candidates, Weights, distinct, extent, merge, part, rank
from rag.splitter import document_text
from rag.store import VectorIndex
from rag.types import Embedder, Scope, place

CONSIDERED = 16  # nearest chunks in which a question's names must occur, more than are shown to the model
POOL = 100  # candidates from each side; the index finds its nearest approximately, and the more asked for, the better
OPENING = 2000  # characters that tell what a document is about


class LibraryRetriever(BaseRetriever):
    """Finds passages of a scope: chunks, or neighbouring chunks in one.

    Each comes with `number` (from 1), `score` (its best chunk's cosine, -1 to 1), `place`, and in `absent` the names of
    the question that not even the nearest chunks mention.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    manifest: Manifest
    index: VectorIndex
    embeddings: Embedder
    scope: Scope
    k: int
    token_budget: int | None = None
    size: Callable[[Document], int] = lambda chunk: 0  # tokens that a chunk takes in the prompt
    weights: Weights = Weights()
    longest: int = LONGEST

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        # The two searches at once: each waits for its own files and computes outside of Python. And all that is read of
        # the manifest in one snapshot, or a document could be deleted between its chunks and their vectors
        with ThreadPoolExecutor(1) as beside, self.manifest.snapshot():
            meaning = beside.submit(self._search_by_meaning, query)
            by_words = self.manifest.keyword_search(self.scope, query, POOL)
            vector, by_meaning = meaning.result()
            chunks = self.manifest.chunks(dict.fromkeys([*by_meaning, *by_words]))
            if not chunks:
                return []
            vectors = self.manifest.vectors(list(chunks))
            cosines = dict(zip(chunks, (vectors @ vector).tolist(), strict=True))
            openings = self.manifest.openings({chunk.metadata["document_id"] for chunk in chunks.values()}, OPENING)
            ranked = rank(query, Candidates(chunks, cosines, by_words, openings), self.weights)
            nearest = distinct(chunks[chunk_id] for chunk_id in ranked)
            text_of = cache(lambda document_id: document_text(self.manifest.pages(document_id)))
            passages = [_passage(parts, text_of) for parts in self._merge(nearest)]
        near = nearest[: max(self.k, CONSIDERED)]
        begun = {openings.get(chunk.metadata["document_id"], "") for chunk in near}
        said = [*begun, *(embedded_text(chunk.page_content, chunk.metadata["headings"]) for chunk in near)]
        said += [file_words(chunk.metadata["source"]) for chunk in near]
        absent = absent_names(query, said, misspelt=True)
        return [
            _numbered(passage, number, score=round(cosines[int(str(passage.id))], 4), absent=absent)
            for number, passage in enumerate(passages, start=1)
        ]

    def _search_by_meaning(self, query: str) -> tuple[np.ndarray, list[int]]:
        vector = np.asarray(self.embeddings.embed_query(query), np.float32)
        if self.scope.documents:  # what is outside takes no place among the nearest
            return vector, self.manifest.nearest(self.scope, vector, POOL)
        return vector, self.index.search_all(self.scope.collections, vector.tolist(), POOL)

    def _merge(self, nearest: Sequence[Document]) -> list[list[Document]]:
        if self.token_budget is None:
            return merge(nearest, self.k, longest=self.longest)
        passages = merge(nearest, self.k, self.token_budget, self._shown_size, self.longest)
        if self._shown_size(passages[0][0]) > self.token_budget:
            passages[0] = [beginning(passages[0][0], self.token_budget, self._shown_size)]
        return passages

    def _shown_size(self, chunk: Document) -> int:
        return self.size(_numbered(chunk, self.k))


def beginning(passage: Document, budget: int, size: Callable[[Document], int]) -> Document:
    """As much from the start of a passage as fits into a budget of tokens."""
    start = passage.metadata["start"]
    low, high = 0, len(passage.page_content)
    while low < high:
        middle = (low + high + 1) // 2
        fits = size(part(passage, start, start + middle)) <= budget
        low, high = (middle, high) if fits else (low, middle - 1)
    return part(passage, start, start + low)


def _passage(chunks: Sequence[Document], text_of: Callable[[int], str]) -> Document:
    """The passage that chunks make, under the best one's id and the first one's headings.

    `text_of` gives a document's text.
    """
    best = chunks[0]
    if len(chunks) == 1:
        return best
    start, end = extent(chunks)
    text = text_of(best.metadata["document_id"])[start:end]
    first = min(chunks, key=lambda chunk: int(chunk.metadata["start"]))
    headings = first.metadata["headings"]
    return Document(text, id=best.id, metadata={**best.metadata, "start": start, "end": end, "headings": headings})


def _numbered(passage: Document, number: int, **more: object) -> Document:
    meta = passage.metadata
    where = [part for part in (place(meta["page"], meta["page_label"]), meta["headings"]) if part]
    metadata = {**meta, "number": number, "place": "".join(f", {part}" for part in where), **more}
    return Document(passage.page_content, id=passage.id, metadata=metadata)
