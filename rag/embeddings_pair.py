"""Two engines of one model: documents by the quicker, questions by the more exact."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rag.embeddings_batches import BatchedEmbeddings, Turns


class PairedEmbeddings:
    """Each engine is loaded when it is first needed, and both take turns. Their vectors may be mixed in one library.

    `quick` is asked once, when `after` texts of documents have come; None keeps documents with `exact`, too.
    """

    def __init__(
        self,
        fingerprint: str,
        exact: Callable[[], BatchedEmbeddings],
        quick: Callable[[], BatchedEmbeddings | None],
        after: int,
    ) -> None:
        self.fingerprint = fingerprint
        self.give_way: Callable[[], None] = lambda: None
        self._load_exact = exact
        self._load_quick = quick
        self._left = after
        self._asked = False
        self.turns = Turns()
        self._exact: BatchedEmbeddings | None = None
        self._quick: BatchedEmbeddings | None = None
        self._lock = threading.Lock()
        self._quick_lock = threading.Lock()  # another one: a question does not wait for minutes while int8 is made

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self.for_questions().dimension

    @property
    def max_tokens(self) -> int:
        """The most tokens that are read of a text."""
        return self.for_questions().max_tokens

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text, in the same order."""
        engine = self.for_documents(len(texts))
        engine.give_way = self.give_way
        return engine.embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question."""
        return self.for_questions().embed_query(text)

    def for_questions(self) -> BatchedEmbeddings:
        """The engine of questions."""
        with self._lock:
            if self._exact is None:
                self._exact = self._load_exact()
                self._exact.turns = self.turns
            return self._exact

    def for_documents(self, count: int) -> BatchedEmbeddings:
        """The engine of documents, of which so many texts come now."""
        with self._quick_lock:
            self._left -= count
            if self._left < 0 and not self._asked:
                if (quick := self._load_quick()) is not None:
                    quick.turns = self.turns
                    self._quick = quick
                self._asked = True  # only now: what it raises is raised again the next time
            if self._quick is not None:
                return self._quick
        return self.for_questions()
