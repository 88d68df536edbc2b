"""Work on a thread of its own, watched from the page."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from rag.errors import RagError
from rag.ui_texts import ENGLISH

log = logging.getLogger(__name__)

Item = TypeVar("Item")

DRAW_S = 0.04  # tokens that come closer together than this are drawn together
BEAT_S = 0.5  # with nothing new, the page is still drawn this often, so that a closed tab is noticed


class Pump(Generic[Item]):
    """Runs an iterator on a thread of its own, so that whoever watches can leave, or stop it, at any moment.

    `stop` ends the watching at once and closes the iterator before its next item. The iterator starts when `gate` lets
    it; `queued` says that it still waits there.
    """

    def __init__(self, gate: threading.Semaphore) -> None:
        self.queued = False
        self.stopped = threading.Event()
        self._gate = gate
        self._items: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._error: RagError | None = None

    def start(self, work: Callable[[], Iterator[Item]]) -> None:
        """Begin; call once."""
        threading.Thread(target=self._run, args=(work,), name="footnote-pump", daemon=True).start()

    def stop(self) -> None:
        """End the watching and close the iterator; harmless when it has already ended."""
        self.stopped.set()
        self._items.put(None)

    def watch(self) -> Iterator[list[Item]]:
        """Batches of items in their order; an empty one is a beat without news. Raises RagError if the work failed."""
        while not self.stopped.is_set():
            batch: list[Item | None] = []
            try:
                batch.append(self._items.get(timeout=BEAT_S))
                self.stopped.wait(DRAW_S)
                while True:
                    batch.append(self._items.get_nowait())
            except queue.Empty:
                pass
            yield [item for item in batch if item is not None]
            if None in batch:
                break
        if self._error is not None and not self.stopped.is_set():
            raise self._error

    def _run(self, work: Callable[[], Iterator[Item]]) -> None:
        while not self._gate.acquire(timeout=0.1):
            self.queued = True
            if self.stopped.is_set():
                return
        self.queued = False
        try:
            items = work()
            try:
                while not self.stopped.is_set() and (item := next(items, None)) is not None:
                    self._items.put(item)
            finally:
                close = getattr(items, "close", None)
                if close is not None:
                    close()
        except RagError as error:
            self._error = error
        except Exception:
            log.exception("the work behind the page failed")
            self._error = RagError(ENGLISH.UNEXPECTED)
        finally:
            self._gate.release()
            self._items.put(None)
