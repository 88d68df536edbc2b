"""Questions before documents."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

import rag.precedence
from rag.embeddings_batches import BatchedEmbeddings
from rag.precedence import Precedence, Turns


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


@pytest.mark.timeout(30)
def test_a_question_keeps_its_turn_between_its_passages_and_the_next_one_follows() -> None:
    """Two that ask at once: all of the first one's passages are read before any of the second's."""
    turns, read = Turns(), list[str]()
    begun = threading.Event()

    def ask(name: str) -> None:
        for number in range(3):
            with turns.take():
                begun.set()
                read.append(f"{name}{number}")
                time.sleep(0.05)  # the other waits by now
        with turns.take(last=True):
            read.append(f"{name} answered")
        with turns.take():
            read.append(f"{name} again")

    threads = [threading.Thread(target=ask, args=(name,)) for name in "ab"]
    threads[0].start()
    begun.wait(10)
    threads[1].start()
    for thread in threads:
        thread.join(10)
    assert read[:4] == ["a0", "a1", "a2", "a answered"]
    assert read.index("b0") < read.index("a again")  # who has been answered comes after those that waited


@pytest.mark.timeout(30)
def test_a_turn_is_not_kept_for_long() -> None:
    """A question that was refused says no word of its end."""
    turns = Turns()

    def refused() -> None:
        with turns.take():
            pass

    first = threading.Thread(target=refused)
    first.start()
    first.join(10)
    began = time.monotonic()
    with turns.take():
        assert time.monotonic() - began < 10 * rag.precedence.RESERVED


@pytest.mark.timeout(30)
@pytest.mark.parametrize("ended", ["refused", "by another thread"])
def test_the_place_of_a_question_that_is_over_is_not_that_of_the_next(
    ended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread answers one question after another; the later one is not to go before those that waited."""
    monkeypatch.setattr(rag.precedence, "LAPSE", 0.05 if ended == "refused" else 1000)
    turns, read = Turns(), list[str]()
    stopped, waiting = threading.Event(), threading.Event()

    def first() -> None:
        with turns.take():
            pass
        if ended == "refused":
            time.sleep(0.2)
        else:
            stream = turns.take(last=True)
            stream.__enter__()
            closer = threading.Thread(target=stream.__exit__, args=(None, None, None))
            closer.start()
            closer.join()
        stopped.set()
        waiting.wait(10)
        with turns.take():
            read.append("the next of the first")

    def second() -> None:
        with turns.take():
            read.append("the second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    stopped.wait(10)
    with turns.take():
        threads[1].start()
        while not turns._waiting:
            time.sleep(0.01)
        waiting.set()
        while len(turns._waiting) < 2:
            time.sleep(0.01)
    for thread in threads:
        thread.join(10)
    assert read == ["the second", "the next of the first"]


@pytest.mark.timeout(30)
def test_turns_are_one_at_a_time_and_an_error_gives_one_back() -> None:
    turns, inside, most = Turns(), list[int](), list[int]()

    def work(number: int) -> None:
        with pytest.raises(InterruptedError), turns.take():
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.01)
            inside.remove(number)
            raise InterruptedError

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == [1] * 5
