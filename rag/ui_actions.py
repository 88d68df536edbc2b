"""What the page can do, handed to it from outside: it knows records and errors, and nothing behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rag.types import (
    Answer,
    AnswerEvent,
    AskLimits,
    AskOptions,
    Citation,
    ConversationInfo,
    DocumentInfo,
    FileReport,
    KeptTurn,
    Passage,
    Progress,
    Turn,
)


class ConversationStore(Protocol):
    """Where conversations are kept. What belongs to another owner is as if it were not there: RagError."""

    def infos(self, owner: str) -> list[ConversationInfo]:
        """An owner's conversations, the latest first."""

    def info(self, owner: str, conversation_id: int) -> ConversationInfo:
        """One conversation."""

    def turns(self, owner: str, conversation_id: int) -> list[tuple[int, KeptTurn]]:
        """What was asked and answered, in order, each with its id."""

    def add_turn(
        self, owner: str, conversation_id: int | None, turn: KeptTurn, replaces: int | None = None
    ) -> tuple[int, int]:
        """Keep a turn at the end of a conversation or of a new one; the ids of the conversation and the turn."""

    def rename(self, owner: str, conversation_id: int, name: str) -> None:
        """Give a conversation a name."""

    def delete(self, owner: str, conversation_id: int) -> None:
        """Remove a conversation."""


@dataclass(frozen=True, slots=True)
class Actions:
    """What the page can do. Errors to show are RagError; anything else is logged and shown as a plain sentence.

    `ask` yields Sources, Tokens, an Answer, and closing it stops the model within a token; `alone` does so without
    the documents, and `limits` are what may be chosen for either. `topics` are what documents can
    be asked about: a source and a heading or a question of it. `add` copies the uploaded
    files into the library and yields progress and a FileReport for each. `passage` shows a citation, and in it what
    supports this answer best. `pages` is a document's text: where each page stands, in words, and what is on it.
    `original` is the file it was read from, and `read_again` reads that anew. `starting` says what loads right now, a
    str for a failure, None when ready. With `apart` each browser has conversations of its own, else they are the
    library's.
    """

    ask: Callable[[str, Sequence[Turn], AskOptions], Iterator[AnswerEvent]]
    alone: Callable[[str, Sequence[Turn], AskOptions], Iterator[AnswerEvent]]
    limits: AskLimits
    topics: Callable[[Sequence[DocumentInfo]], list[tuple[str, str]]]
    documents: Callable[[], list[DocumentInfo]]
    add: Callable[[Sequence[Path]], Iterator[Progress | FileReport]]
    delete: Callable[[int], None]
    passage: Callable[[Citation, Answer | None], Passage]
    pages: Callable[[int], list[tuple[str, str]]]
    original: Callable[[int], Path]
    read_again: Callable[[int], Iterator[Progress | FileReport]]
    starting: Callable[[], Progress | str | None]
    conversations: ConversationStore
    apart: bool
