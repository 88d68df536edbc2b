"""One compute budget within a process: questions before documents, and the question before the one that came later.

Two engines that compute at once on the same cores are many times slower than the same two in turns. A batch takes about
a second, so that is what a question waits, and all that ingestion loses is the time that answers take.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST = 30.0  # seconds that a batch waits at most, so that questions without end do not stop ingestion for good
RESERVED = 0.1  # seconds that a turn is kept for the thread that had it: it may only be between two passages
LAPSE = 2.0  # seconds without a turn or a wait for one after which a thread's next is that of another question


class Precedence:
    """Who goes first, for any number of threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._questions = 0

    @contextmanager
    def question(self) -> Iterator[None]:
        """Go first: no batch of documents begins until this ends."""
        with self._changed:
            self._questions += 1
        try:
            yield
        finally:
            with self._changed:
                self._questions -= 1
                self._changed.notify_all()

    def give_way(self) -> None:
        """Return when no question is being answered, or the wait has been long enough."""
        with self._changed:
            self._changed.wait_for(lambda: not self._questions, LONGEST)


class Turns:
    """One thread at a time; the thread that came first goes first, and keeps its place until its last turn.

    A question is read passage by passage and then answered. Were each of these calls a turn like any other, two that
    are asked together would both wait twice as long for their first word; so only the later one does.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[int] = []
        self._numbers = itertools.count()
        self._mine = threading.local()
        self._taken = False
        self._last, self._released = -1, 0.0  # whose turn it was, and when that ended

    @contextmanager
    def take(self, *, last: bool = False) -> Iterator[None]:
        """Wait for this thread's turn, and have it; after the `last` one its next is that of another question.

        So it is after LAPSE, too: a question that is refused has no last turn, and its thread answers others.
        """
        place = self._place()
        with self._changed:
            self._waiting.append(place)
            try:
                while (wait := self._wait(place)) != 0:
                    self._changed.wait(wait)
            finally:
                self._waiting.remove(place)
            self._taken = True
        if last:  # now: what is streamed may be ended by another thread
            self._mine.place = None
        try:
            yield
        finally:
            with self._changed:
                self._taken = False
                self._last, self._released = (-1 if last else place), time.monotonic()
                self._changed.notify_all()
            self._mine.left = time.monotonic()

    def _place(self) -> int:
        place: int | None = getattr(self._mine, "place", None)
        if place is None or time.monotonic() - self._mine.left > LAPSE:
            place = self._mine.place = next(self._numbers)
            self._mine.left = math.inf
        return place

    def _wait(self, place: int) -> float | None:
        """Seconds until it may be the turn of this place; None: until something changes."""
        if self._taken or place != min(self._waiting):
            return None
        kept_for_earlier = 0 <= self._last < place
        return max(0.0, self._released + RESERVED - time.monotonic()) if kept_for_earlier else 0.0
