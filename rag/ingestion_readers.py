"""Several files read at once, ahead of the one who writes: threads, each of which follows a worker of the pool."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from rag.ingestion_changes import Candidate, Known, NotRead, report_of
from rag.types import FileReport, Progress

if TYPE_CHECKING:
    from langchain_core.documents import Document

_AHEAD = 64  # files looked at and not yet taken: enough small ones to fill a batch of chunks
_BUDGET = 2**22  # characters read and not yet taken; beyond it no other file is begun
_PATIENCE = 1.0  # seconds that the writer waits, the first worker being up, before another thread is started


@dataclass(frozen=True, slots=True)
class Contents:
    """A file that was read: its pages, and the chunks that they were split into."""

    candidate: Candidate
    pages: list[Document]
    chunks: list[Document]

    @property
    def unread(self) -> str | None:
        """What of it was not read, in words, where a loader marked pages with metadata["unread"]."""
        unread = [page for page in self.pages if page.metadata.get("unread")]
        if not unread:
            return None
        reasons = "; ".join(dict.fromkeys(page.metadata["unread"] for page in unread))
        numbers = ", ".join(str(page.metadata["page"]) for page in unread[:9]) + (" ..." if len(unread) > 9 else "")
        return f"{len(unread)} of {len(self.pages)} pages not read ({numbers}): {reasons}"

    @property
    def try_again(self) -> bool:
        """Whether a part of it may be readable tomorrow, the file being what it is."""
        return any(page.metadata.get("try_again") for page in self.pages)

    @property
    def characters(self) -> int:
        """How much text it is."""
        return sum(len(page.page_content) for page in self.pages)

    @property
    def report(self) -> FileReport:
        """What it comes to when it is brought in."""
        row, unread = self.candidate.row, self.unread
        misnamed = self.pages[0].metadata.get("misnamed")
        return report_of(
            self.candidate,
            "changed" if row and row.state == "ready" else "added",
            "; ".join(filter(None, (unread, misnamed))) or None,
            "partial" if unread else "ready",
            pages=sum(page.metadata["page"] is not None for page in self.pages),
            chunks=len(self.chunks),
        )


Outcome = Contents | Known | NotRead
Read = Callable[[Candidate, threading.Event], Generator[Progress, None, Outcome]]


class Readers:
    """At most `most` threads that run `read`. Leaving the `with` stops them: `read` hears of it by its event.

    One thread begins; each of the others begins when the writer has had to wait, so that a folder of text, which takes
    far longer to embed than to read, starts one worker, and a folder of scans one for each core.
    """

    def __init__(self, read: Read, most: int) -> None:
        self._read = read
        self._most = most
        self._threads: list[threading.Thread] = []
        self._stopped = threading.Event()
        self._changed = threading.Condition()  # guards all that follows
        self._waiting: deque[Candidate] = deque()
        self._reading: dict[int, Progress | None] = {}
        self._done: dict[int, Outcome | Exception] = {}
        self._characters = 0
        self._heard = False  # of any worker: that a file is begun, or done

    def __enter__(self) -> Readers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    @property
    def room(self) -> bool:
        """Whether another file may be added."""
        return len(self._waiting) + len(self._reading) + len(self._done) < _AHEAD

    @property
    def busy(self) -> bool:
        """Whether any file was added that has not been taken."""
        return bool(self._waiting or self._reading or self._done)

    def add(self, candidate: Candidate) -> None:
        """Have a file read."""
        with self._changed:
            self._waiting.append(candidate)
            self._changed.notify_all()
        if not self._threads:
            self._start_thread()

    def take(self, chunks: int) -> Generator[Progress, None, list[Outcome]]:
        """What has been read, in the files' order, up to this many chunks and at least one file.

        Waits for it where there is nothing yet, and yields how far the first of the files being read is. Raises what
        `read` raised.
        """
        began, said = time.monotonic(), None
        while True:
            with self._changed:
                if not self._done and self._progress() == said:
                    self._changed.wait(_PATIENCE)
                if self._done:
                    return self._pop(chunks)
                progress, said = said, self._progress()
            if said and said != progress:
                yield said
            if not self._heard:
                began = time.monotonic()
            elif time.monotonic() - began > _PATIENCE and self._waiting and len(self._threads) < self._most:
                self._start_thread()
                began = time.monotonic()

    def _progress(self) -> Progress | None:
        return next(iter(self._reading.values()), None)

    def _pop(self, chunks: int) -> list[Outcome]:
        taken: list[Outcome] = []
        for number in sorted(self._done):
            if chunks <= 0:
                break
            outcome = self._done.pop(number)
            if isinstance(outcome, Exception):
                raise outcome
            if isinstance(outcome, Contents):
                chunks -= len(outcome.chunks)
                self._characters -= outcome.characters
            taken.append(outcome)
        self._changed.notify_all()
        return taken

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._work, name="read", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while candidate := self._next():
            try:
                outcome: Outcome | Exception = self._follow(candidate)
            except Exception as error:  # noqa: BLE001 - raised again by take
                outcome = error
            with self._changed:
                del self._reading[candidate.number]
                self._done[candidate.number] = outcome
                self._heard = True
                if isinstance(outcome, Contents):
                    self._characters += outcome.characters
                self._changed.notify_all()

    def _next(self) -> Candidate | None:
        with self._changed:
            while not self._stopped.is_set():
                if self._waiting and self._characters < _BUDGET:
                    candidate = self._waiting.popleft()
                    self._reading[candidate.number] = None
                    return candidate
                self._changed.wait()
        return None

    def _follow(self, candidate: Candidate) -> Outcome:
        run = self._read(candidate, self._stopped)
        while True:
            try:
                progress = next(run)
            except StopIteration as end:
                outcome: Outcome = end.value
                return outcome
            with self._changed:
                self._reading[candidate.number] = progress
                self._heard = True
                self._changed.notify_all()
