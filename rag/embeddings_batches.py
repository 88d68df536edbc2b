"""What the embedding engines share: texts go in batches of like length, one batch at a time."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np


class Turns:
    """Who computes, for any number of threads: one batch at a time, in order of arrival."""

    def __init__(self) -> None:
        self._queue = threading.Lock()
        self._engine = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The engine, for one batch. A bare lock may go back to the thread that left it; the queue stops that."""
        with self._queue:
            self._engine.acquire()
        try:
            yield
        finally:
            self._engine.release()


class BatchedEmbeddings(ABC):
    """Unit-length float32 vectors of `dimension` numbers; text beyond `max_tokens` tokens is not seen.

    One batch runs at a time, in order of arrival: two threads computing at once on two cores are many times slower
    than taking turns, and so a question waits for one batch of an ingest run at most. `give_way` is called before each
    batch of documents.
    """

    def __init__(self, fingerprint: str, dimension: int, max_tokens: int, batch: int) -> None:
        """`fingerprint` names the model and its exact weights; `batch` is how many texts a turn takes."""
        self.fingerprint = fingerprint
        self.dimension = dimension
        self.max_tokens = max_tokens
        self._batch = batch
        self.turns = Turns()
        self.give_way: Callable[[], None] = lambda: None

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text, in the same order."""
        vectors: list[list[float]] = [[]] * len(texts)
        # Texts that run together are padded to the longest of them, so those of like length go together.
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]), reverse=True)
        for start in range(0, len(order), self._batch):
            batch = order[start : start + self._batch]
            self.give_way()
            for index, vector in zip(batch, self._in_turn([texts[index] for index in batch]), strict=True):
                vectors[index] = vector.tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question; mpnet has one prompt for questions and documents: none."""
        vector: list[float] = self._in_turn([text])[0].tolist()
        return vector

    @abstractmethod
    def _encode(self, texts: list[str]) -> np.ndarray:
        """The vectors of one batch, float32, a row a text, of any length."""

    def _in_turn(self, texts: list[str]) -> np.ndarray:
        with self.turns.turn():
            vectors = self._encode(texts)
        # Here, in float32: what bf16 normalised would have lengths that are off by half a percent.
        normalized: np.ndarray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return normalized
