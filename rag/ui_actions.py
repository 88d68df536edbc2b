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
    Scope,
    SignsIn,
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

    def change_turn(self, owner: str, turn_id: int, turn: KeptTurn) -> None:
        """Keep a turn as it is now."""

    def rename(self, owner: str, conversation_id: int, name: str) -> None:
        """Give a conversation a name."""

    def delete(self, owner: str, conversation_id: int) -> None:
        """Remove a conversation."""


class CollectionStore(Protocol):
    """The named collections of a library that whoever looks may change. RagError."""

    def names(self) -> list[str]:
        """All names, the one that files are added to where none is chosen first."""

    def make(self, name: str) -> str:
        """Make an empty one; its name."""

    def rename(self, name: str, wanted: str) -> str:
        """Give one another name; that name."""

    def drop(self, name: str) -> None:
        """Remove an empty one."""

    def move(self, documents: Sequence[int], name: str) -> None:
        """Move documents, by id, into one."""


@dataclass(frozen=True, slots=True)
class Actions:
    """What the page can do. Errors to show are RagError; anything else is logged and shown as a plain sentence.

    The first argument says who asks: a visitor's secret, or "" for everybody. `ask` yields Sources, Tokens, an Answer,
    and closing it stops the model within a token; `search` finds passages alone. Both take a scope, or None for the
    collections of `asked`. `alone` asks the model without the documents, so nobody need say who he is, and `limits` are
    what may be chosen for either. `topics` are what documents can be asked about: a source and a heading or a question
    of it. `add` copies the uploaded files into the library, into a collection or the usual one, and yields progress and
    a FileReport for each. `collections` is None where whoever looks has but one, and may make no other. `passage`
    shows a citation, and in it what supports this answer best. `pages` is a document's text: where each page stands, in
    words, and what is on it. `original` is the file it was read from, and `read_again` reads that anew. `forget`
    removes all that is a visitor's. `starting` says what loads right now, a str for a failure, None when ready; so does
    `loading` of the model that was chosen for an answer, whose loading begins with the first call. With
    `apart` each browser has documents and conversations of its own, else they are the library's. `signs_in` is how
    visitors sign in, if they can, and `account` who somebody is that did, by the key of his account.
    """

    ask: Callable[[str, str, Sequence[Turn], AskOptions, Scope | None], Iterator[AnswerEvent]]
    alone: Callable[[str, Sequence[Turn], AskOptions], Iterator[AnswerEvent]]
    limits: AskLimits
    topics: Callable[[Sequence[DocumentInfo]], list[tuple[str, str]]]
    search: Callable[[str, str, int | None, Scope | None], list[Citation]]
    documents: Callable[[str], list[DocumentInfo]]
    add: Callable[[str, Sequence[Path], str | None], Iterator[Progress | FileReport]]
    delete: Callable[[str, int], None]
    passage: Callable[[str, Citation, Answer | None], Passage]
    pages: Callable[[str, int], list[tuple[str, str]]]
    original: Callable[[str, int], Path]
    read_again: Callable[[str, int], Iterator[Progress | FileReport]]
    forget: Callable[[str], None]
    starting: Callable[[], Progress | str | None]
    conversations: ConversationStore
    collections: CollectionStore | None
    asked: tuple[str, ...]
    apart: bool
    loading: Callable[[AskOptions], Progress | str | None]
    signs_in: SignsIn
    account: Callable[[str], str]
