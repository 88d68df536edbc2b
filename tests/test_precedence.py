"""Questions before documents."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

import rag.precedence
from rag.embeddings_batches import BatchedEmbeddings
from rag.precedence import Precedence


def test_nobody_waits_where_nobody_asks() -> None:
    began = time.monotonic()
    Precedence().give_way()
    assert time.monotonic() - began < 1


@pytest.mark.timeout(30)
def test_who_gives_way_waits_until_the_last_question_is_answered() -> None:
    precedence = Precedence()
    first, second = precedence.question(), precedence.question()
    first.__enter__()
    second.__enter__()
    passed = threading.Event()
    waiting = threading.Thread(target=lambda: (precedence.give_way(), passed.set()))
    waiting.start()
    first.__exit__(None, None, None)
    assert not passed.wait(0.2)
    second.__exit__(None, None, None)
    assert passed.wait(10)
    waiting.join()


def test_nobody_waits_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rag.precedence, "LONGEST", 0.1)
    precedence = Precedence()
    with precedence.question():
        began = time.monotonic()
        precedence.give_way()
        assert 0.05 < time.monotonic() - began < 5


def test_way_is_given_before_each_batch_of_documents_and_never_by_a_question() -> None:
    class Ones(BatchedEmbeddings):
        def _encode(self, texts: list[str]) -> np.ndarray:
            return np.ones((len(texts), 2), np.float32)

    model = Ones("ones@1", 2, 384, batch=2)
    given = []
    model.give_way = lambda: given.append(True)
    assert len(model.embed_documents(["a", "b", "c", "d", "e"])) == 5
    assert len(given) == 3
    model.embed_query("f")
    assert len(given) == 3
