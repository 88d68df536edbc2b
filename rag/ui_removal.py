"""Deleting with a moment to take it back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from rag.ui_guard import guard

UNDO_S = 6.0


class Removal:
    """Deletes after a few seconds unless it is taken back, also when the page has been left by then.

    `documents` and `conversation` are not to be shown meanwhile; `problem` says why deleting failed.
    """

    def __init__(
        self,
        label: str,
        work: Callable[[], None],
        *,
        documents: Collection[int] = (),
        conversation: int | None = None,
        seconds: float | None = None,
    ) -> None:
        self.label, self.documents, self.conversation = label, frozenset(documents), conversation
        self.problem = ""
        self.done = threading.Event()
        self._undone = threading.Event()
        self._over = threading.Event()
        seconds = UNDO_S if seconds is None else seconds
        threading.Thread(target=self._run, args=(work, seconds), name="footnote-removal", daemon=True).start()

    @property
    def open(self) -> bool:
        """Whether it can still be taken back."""
        return not self._over.is_set() and not self._undone.is_set()

    @property
    def undone(self) -> bool:
        """Whether it was taken back."""
        return self._undone.is_set()

    @property
    def hides(self) -> bool:
        """Whether what it deletes is not to be shown: it will go, or is gone."""
        return not self.undone and not self.problem

    def undo(self) -> None:
        """Take it back; too late once the time is over."""
        self._undone.set()

    def _run(self, work: Callable[[], None], seconds: float) -> None:
        if not self._undone.wait(seconds):
            self._over.set()
            _, self.problem = guard(work, None)
        self.done.set()
