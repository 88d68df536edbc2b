"""What one browser tab holds, and the work done for it: streaming an answer and adding uploads.

The functions change the session's records and yield each time there is something new to draw.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal, TypeVar

from rag import ui_texts as texts
from rag.errors import RagError
from rag.types import Answer, AnswerEvent, Citation, DocumentInfo, FileReport, Progress, Sources, Token, Turn

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Phase = Literal["waiting", "queued", "searching", "reading", "writing", "done", "stopped", "failed"]
Ask = Callable[[str, Sequence[Turn]], Iterator[AnswerEvent]]
Add = Callable[[Sequence[Path]], Iterator[Progress | FileReport]]
Starting = Callable[[], Progress | str | None]

RUNNING: tuple[Phase, ...] = ("waiting", "queued", "searching", "reading", "writing")
DRAW_S = 0.04  # tokens that come closer together than this are drawn together
BEAT_S = 0.5  # with nothing new, the page is still drawn this often, so that a closed tab is noticed


@dataclass(slots=True)
class TurnView:
    """A question and what is known of its answer so far. `seconds` counts from the question."""

    question: str
    phase: Phase = "searching"
    sources: tuple[Citation, ...] = ()
    text: str = ""
    answer: Answer | None = None
    error: str = ""
    progress: Progress | None = None
    seconds: float = 0.0

    @property
    def running(self) -> bool:
        """Whether more is to come."""
        return self.phase in RUNNING

    def take(self, event: AnswerEvent) -> None:
        """Fold in the next event of the answer."""
        if isinstance(event, Sources):
            self.sources, self.phase = event.citations, "reading"
        elif isinstance(event, Token):
            self.text, self.phase = self.text + event.text, "writing"
        else:
            self.answer, self.sources, self.phase = event, event.sources, "done"

    def fail(self, message: str) -> None:
        """End with a message; what was written so far stays."""
        self.error, self.phase = message, "failed"


@dataclass(slots=True)
class UploadRow:
    """One uploaded file on its way into the library. `reason` is set when it failed, `taken` once it is queued."""

    path: Path
    state: Literal["waiting", "reading", "ready", "known", "failed"] = "waiting"
    progress: Progress | None = None
    reason: str = ""
    taken: bool = False

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to this file."""
        return self.state in ("ready", "known", "failed")


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
            self._error = RagError(texts.UNEXPECTED)
        finally:
            self._gate.release()
            self._items.put(None)


@dataclass(slots=True)
class Session:
    """The conversation of one tab. `shown` is the turn whose sources stand at the right, `opened` the number marked."""

    turns: list[TurnView] = field(default_factory=list)
    uploads: list[UploadRow] = field(default_factory=list)
    documents: list[DocumentInfo] = field(default_factory=list)
    shown: int | None = None
    opened: int | None = None
    pump: Pump[AnswerEvent] | None = None

    def history(self) -> list[Turn]:
        """The earlier turns that have an answer, for a follow-up question."""
        texts_of = ((turn.question, turn.answer.text if turn.answer else turn.text) for turn in self.turns)
        return [Turn(question, text) for question, text in texts_of if text]

    def shown_turn(self) -> TurnView | None:
        """The turn whose sources stand at the right."""
        return None if self.shown is None or self.shown >= len(self.turns) else self.turns[self.shown]

    def citation(self, turn: int | None, number: int | None) -> Citation | None:
        """The source that a number of a turn stands for; None where there is none (both come from the browser)."""
        if turn is None or turn >= len(self.turns):
            return None
        return next((source for source in self.turns[turn].sources if source.number == number), None)

    def clear(self) -> None:
        """Stop what runs and forget the conversation."""
        if self.pump is not None:
            self.pump.stop()
        self.turns, self.shown, self.opened = [], None, None


def stream_turn(
    session: Session, question: str, ask: Ask, starting: Starting, gate: threading.Semaphore
) -> Generator[TurnView, None, None]:
    """Ask the question in this session; yields its turn at each change. Closing it stops the model."""
    turn, history, pump = TurnView(question), session.history(), Pump[AnswerEvent](gate)
    session.turns.append(turn)
    session.shown, session.opened, session.pump = len(session.turns) - 1, None, pump
    begun = time.monotonic()
    try:
        yield turn
        while (state := starting()) is not None:
            if isinstance(state, str):
                raise RagError(state)
            turn.phase, turn.progress = "waiting", state
            yield turn
            if pump.stopped.wait(BEAT_S):
                break
        turn.phase = "searching"
        pump.start(lambda: ask(question, history))
        for events in pump.watch():
            if turn.phase in ("searching", "queued"):
                turn.phase = "queued" if pump.queued else "searching"
            for event in events:
                turn.take(event)
            turn.seconds = time.monotonic() - begun
            yield turn
    except RagError as error:
        turn.fail(str(error))
    except Exception:
        log.exception("asking failed")
        turn.fail(texts.UNEXPECTED)
    finally:
        pump.stop()
        session.pump = None
        if turn.running:
            turn.phase = "stopped"
    yield turn


def stream_uploads(rows: Sequence[UploadRow], add: Add) -> Generator[UploadRow, None, None]:
    """Add the files one at a time, so that each has its own progress; yields the row that changed."""
    for row in rows:
        row.state = "reading"
        yield row
        try:
            for event in add([row.path]):
                if isinstance(event, Progress):
                    row.progress = event
                else:
                    _finish(row, event)
                yield row
        except RagError as error:
            row.state, row.reason = "failed", str(error)
        except Exception:
            log.exception("adding %s failed", row.path.name)
            row.state, row.reason = "failed", texts.ADD_FAILED
        if row.state == "reading":
            row.state, row.reason = "failed", texts.ADD_FAILED
        yield row


def _finish(row: UploadRow, report: FileReport) -> None:
    if report.state == "failed":
        row.state, row.reason = "failed", report.reason or texts.ADD_FAILED
    else:
        row.state = "known" if report.state == "unchanged" else "ready"
