"""What one browser tab holds, and the answer that is streamed into it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rag.errors import RagError
from rag.types import (
    AS_SET,
    Answer,
    AnswerEvent,
    AskOptions,
    Citation,
    ConversationInfo,
    DocumentInfo,
    KeptTurn,
    Progress,
    Sources,
    Token,
    Turn,
)
from rag.ui_listing import Listing, Reader
from rag.ui_pump import BEAT_S, Pump
from rag.ui_removal import Removal
from rag.ui_scope import Choice
from rag.ui_texts import ENGLISH, Texts
from rag.ui_uploads import Batch, UploadRow

log = logging.getLogger(__name__)

Phase = Literal["waiting", "queued", "searching", "reading", "writing", "done", "stopped", "failed"]
Ask = Callable[[str, Sequence[Turn], AskOptions], Iterator[AnswerEvent]]
Starting = Callable[[], Progress | str | None]

RUNNING: tuple[Phase, ...] = ("waiting", "queued", "searching", "reading", "writing")


@dataclass(slots=True)
class TurnView:
    """A question and what is known of its answer so far.

    `seconds` counts from the question, `searched` the documents it was asked of, which `asked` names if they were
    chosen; `id` is set once it is kept. `alone` is the same question asked of the model without the documents, for
    comparison.
    """

    question: str
    phase: Phase = "searching"
    sources: tuple[Citation, ...] = ()
    text: str = ""
    answer: Answer | None = None
    error: str = ""
    progress: Progress | None = None
    seconds: float = 0.0
    searched: int = 0
    id: int | None = None
    asked: str = ""
    alone: TurnView | None = None

    @classmethod
    def of(cls, number: int | None, kept: KeptTurn) -> TurnView:
        """A turn that was kept, as the page shows it."""
        return cls(
            kept.question,
            kept.state,
            kept.sources,
            kept.text,
            kept.answer,
            kept.error,
            searched=kept.searched,
            id=number,
            asked=kept.asked,
            alone=cls.of(None, kept.alone) if kept.alone else None,
        )

    def kept(self) -> KeptTurn:
        """The turn as it is kept; one that is not finished counts as stopped."""
        state = self.phase if self.phase == "done" or self.phase == "failed" else "stopped"
        text, alone = "" if self.answer else self.text, self.alone.kept() if self.alone else None
        return KeptTurn(
            self.question, state, self.searched, self.sources, text, self.answer, self.error, self.asked, alone
        )

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
class Session:
    """The conversation of one tab. `shown` is the turn whose sources stand at the right, `opened` the number marked.

    `owner` is whose conversations are listed; None: not known yet, so nothing is listed or kept. `name` is that of the
    account that is signed in, and the browser keeps no secret of its owner. `conversation` is the
    id under which this one is kept. While `editing`, the next question takes the place of the last one. `removals` are
    what was deleted a moment ago, `sent` counts the files given to the browser to save. `busy` says what is being done
    with a document, by its id; `reader` is the document that is read in place of a proof; `sorted_by` is what the
    field for sorting said last; `choice` is what questions are asked of. `texts` are the words in the language of
    whoever looks, `options` what they chose for their answers. `topics` are what the documents can be asked about,
    `collections` are the names of those that may be changed, `target` is the one that files are added to ("" for the
    usual one). `adding` is the work on uploads that can be cancelled, `latest` the number of the last event of each
    kind that the browser counts.
    """

    owner: str | None = None
    name: str = ""
    conversation: int | None = None
    kept: list[ConversationInfo] = field(default_factory=list)
    editing: bool = False
    turns: list[TurnView] = field(default_factory=list)
    uploads: list[UploadRow] = field(default_factory=list)
    documents: list[DocumentInfo] = field(default_factory=list)
    shown: int | None = None
    opened: int | None = None
    pump: Pump[AnswerEvent] | None = None
    removals: list[Removal] = field(default_factory=list)
    sent: int = 0
    listing: Listing = field(default_factory=Listing)
    sorted_by: str = "name"
    busy: dict[int, str] = field(default_factory=dict)
    reader: Reader | None = None
    collections: list[str] = field(default_factory=list)
    target: str = ""
    choice: Choice = field(default_factory=Choice)
    texts: Texts = ENGLISH
    options: AskOptions = AS_SET
    latest: dict[str, int] = field(default_factory=dict)
    adding: list[Batch] = field(default_factory=list)
    topics: list[tuple[str, str]] = field(default_factory=list)

    @property
    def who(self) -> str:
        """Who asks; nobody in particular as long as that is not known."""
        return self.owner or ""

    def is_latest(self, kind: str, serial: int | None) -> bool:
        """Whether an event of a kind is the last one so far, for they may overtake one another. It is kept in mind."""
        self.latest[kind] = max(self.latest.get(kind, 0), serial or 0)
        return self.latest[kind] == serial

    def history(self, before: int | None = None) -> list[Turn]:
        """The turns that have an answer, all or those before one, for a follow-up question."""
        texts_of = ((turn.question, turn.answer.text if turn.answer else turn.text) for turn in self.turns[:before])
        return [Turn(question, text) for question, text in texts_of if text]

    def starters(self) -> list[str]:
        """Questions to begin with, drawn from the library itself."""
        return [
            topic if topic.endswith("?") else self.texts.STARTER.format(name=source, topic=topic)
            for source, topic in self.topics
        ]

    def shown_turn(self) -> TurnView | None:
        """The turn whose sources stand at the right."""
        return None if self.shown is None or self.shown >= len(self.turns) else self.turns[self.shown]

    def citation(self, turn: int | None, number: int | None) -> Citation | None:
        """The source that a number of a turn stands for; None where there is none (both come from the browser)."""
        if turn is None or turn >= len(self.turns):
            return None
        return next((source for source in self.turns[turn].sources if source.number == number), None)

    def forget_listed(self) -> None:
        """Of the files that could not be added, those that stand in the library's list, with the reason, go."""
        listed = {Path(each.source).name for each in self.documents if each.state == "failed"}
        self.uploads = [row for row in self.uploads if row.state != "failed" or row.path.name not in listed]

    def failed_removal(self) -> str:
        """Why the latest thing to be deleted is still there, if it failed."""
        return self.removals[-1].problem if self.removals else ""

    def clear(self) -> None:
        """Stop what runs and forget the conversation."""
        if self.pump is not None:
            self.pump.stop()
        self.turns, self.shown, self.opened = [], None, None
        self.conversation, self.editing, self.reader = None, False, None

    def reopen(self, conversation: int, turns: Sequence[tuple[int, KeptTurn]]) -> None:
        """Show a conversation that was kept, at its last answer."""
        self.clear()
        self.conversation = conversation
        self.turns = [TurnView.of(number, turn) for number, turn in turns]
        self.shown = len(self.turns) - 1 if self.turns else None
        self.open_first()

    def open_first(self) -> bool:
        """Open the first source that the last answer cites, unless one is open; whether there is one to open."""
        answer = self.turns[-1].answer if self.turns else None
        if self.opened is not None or answer is None or not answer.citations:
            return False
        self.shown, self.opened = len(self.turns) - 1, answer.citations[0].number
        return True

    def take_back(self) -> int | None:
        """Remove the last turn, so that another takes its place; returns the id under which it is kept."""
        self.editing = False
        return self.turns.pop().id if self.turns else None


def stream_turn(
    session: Session, question: str, ask: Ask, starting: Starting, gate: threading.Semaphore
) -> Generator[TurnView, None, None]:
    """Ask the question in this session; yields its turn at each change. Closing it stops the model."""
    turn, history = TurnView(question), session.history()
    turn.searched = len(session.choice.asked(session.documents))
    turn.asked = session.choice.told(session.texts, session.documents)
    session.turns.append(turn)
    session.shown, session.opened = len(session.turns) - 1, None
    yield from _stream(session, turn, lambda: ask(question, history, session.options), starting, gate)


def stream_alone(
    session: Session, at: int, ask: Ask, starting: Starting, gate: threading.Semaphore
) -> Generator[TurnView, None, None]:
    """Ask the question of a turn again, without the documents; yields its view at each change, like `stream_turn`."""
    turn, history = session.turns[at], session.history(before=at)
    turn.alone = TurnView(turn.question)
    yield from _stream(session, turn.alone, lambda: ask(turn.question, history, session.options), starting, gate)


def _stream(
    session: Session,
    turn: TurnView,
    work: Callable[[], Iterator[AnswerEvent]],
    starting: Starting,
    gate: threading.Semaphore,
) -> Generator[TurnView, None, None]:
    session.pump = pump = Pump[AnswerEvent](gate)
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
        pump.start(work)
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
        turn.fail(ENGLISH.UNEXPECTED)
    finally:
        pump.stop()
        session.pump = None
        if turn.running:
            turn.phase = "stopped"
    yield turn
