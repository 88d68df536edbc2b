"""One compute budget within a process: documents are not embedded while a question is being answered.

Two engines that compute at once on the same cores are many times slower than the same two in turns. A batch takes about
a second, so that is what a question waits, and all that ingestion loses is the time that answers take.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST = 30.0  # seconds that a batch waits at most, so that questions without end do not stop ingestion for good


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
