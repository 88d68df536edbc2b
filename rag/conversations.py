"""Conversations on disk: a small SQLite file beside the manifest, each conversation with its owner.

On one's own machine all belong to the library, and their owner is `EVERYONE`. Where others can reach the page, the
owner is a visitor: a secret that his browser keeps and this file does not hold (only its digest). Whoever does not know
it finds nothing, and what he said is removed `hours` after his last word. The secret of an account, which begins with
`ACCOUNT`, is derived where it has signed in; what it said stays.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from rag.database import Database
from rag.errors import LibraryError
from rag.types import ConversationInfo, KeptTurn

EVERYONE = ""
ACCOUNT = "@"
_NAME_CHARACTERS = 120
_SCHEMA = """
CREATE TABLE conversations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,             -- '' for the library's own, else the digest of a visitor's secret, or an account's
    name TEXT,                       -- NULL: the first question names it
    updated REAL NOT NULL            -- seconds since 1970
);
CREATE INDEX conversations_owner ON conversations (owner, updated);
CREATE TABLE turns (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation_id INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
    question TEXT NOT NULL,
    record TEXT NOT NULL             -- a KeptTurn in JSON
);
CREATE INDEX turns_conversation ON turns (conversation_id);
"""
_STAYS = f"owner = '' OR owner LIKE '{ACCOUNT}%'"  # until it is removed
_OWN = f"c.owner = ? AND ({_STAYS} OR c.updated > ?)"  # the owner's, and its time is not over
_INFO = f"""
SELECT c.id, substr(coalesce(c.name, (SELECT question FROM turns WHERE conversation_id = c.id ORDER BY id LIMIT 1)), 1,
    {_NAME_CHARACTERS}), (SELECT count(*) FROM turns WHERE conversation_id = c.id),
    strftime('%Y-%m-%dT%H:%M:%SZ', c.updated, 'unixepoch')
FROM conversations c WHERE {_OWN}
"""
_TURN = TypeAdapter(KeptTurn)


class Conversations(Database):
    """The conversations of one library, for any number of threads. Raises LibraryError.

    `hours` is how long a visitor's conversation stays after its last question. An owner is `EVERYONE` or a visitor's
    secret; the conversations of another are as if they were not there.
    """

    what = "the file of the conversations"

    def __init__(self, path: Path, hours: float) -> None:
        super().__init__(path)
        self._seconds = hours * 3600
        self._create("conversations", _SCHEMA)
        self.drop_expired()

    def infos(self, owner: str) -> list[ConversationInfo]:
        """An owner's conversations, the latest first."""
        rows = self._read(f"{_INFO} ORDER BY c.updated DESC, c.id DESC", [_digest(owner), self._oldest()])
        return [ConversationInfo(*row) for row in rows]

    def info(self, owner: str, conversation_id: int) -> ConversationInfo:
        """One conversation; LibraryError when this owner has none such."""
        row = self._row(f"{_INFO} AND c.id = ?", [_digest(owner), self._oldest(), conversation_id])
        if row is None:
            raise LibraryError("this conversation is no longer kept")
        return ConversationInfo(*row)

    def turns(self, owner: str, conversation_id: int) -> list[tuple[int, KeptTurn]]:
        """What was asked and answered, in order, each with its id; LibraryError when this owner has none such."""
        self.info(owner, conversation_id)
        rows = self._read("SELECT id, record FROM turns WHERE conversation_id = ? ORDER BY id", [conversation_id])
        try:
            return [(turn_id, _TURN.validate_json(record)) for turn_id, record in rows]
        except ValidationError as error:
            raise LibraryError("this conversation was kept by another version of Footnote") from error

    def add_turn(
        self, owner: str, conversation_id: int | None, turn: KeptTurn, replaces: int | None = None
    ) -> tuple[int, int]:
        """Keep a turn at the end of a conversation, a new one where there is none such; `replaces` is a turn to drop.

        Returns the ids of the conversation and the turn.
        """
        digest, now = _digest(owner), time.time()
        with self._write() as db:
            found = db.execute(
                f"UPDATE conversations AS c SET updated = ? WHERE id = ? AND {_OWN}",
                [now, conversation_id, digest, self._oldest()],
            ).rowcount
            if not found or conversation_id is None:
                query = "INSERT INTO conversations (owner, updated) VALUES (?, ?) RETURNING id"
                conversation_id = int(db.execute(query, [digest, now]).fetchone()[0])
            db.execute("DELETE FROM turns WHERE id = ? AND conversation_id = ?", [replaces, conversation_id])
            row = db.execute(
                "INSERT INTO turns (conversation_id, question, record) VALUES (?, ?, ?) RETURNING id",
                [conversation_id, turn.question, _TURN.dump_json(turn).decode()],
            ).fetchone()
        return conversation_id, int(row[0])

    def change_turn(self, owner: str, turn_id: int, turn: KeptTurn) -> None:
        """Keep a turn as it is now; harmless when it is gone, or another's."""
        mine = f"SELECT c.id FROM conversations c WHERE {_OWN}"
        with self._write() as db:
            db.execute(
                f"UPDATE turns SET record = ? WHERE id = ? AND conversation_id IN ({mine})",
                [_TURN.dump_json(turn).decode(), turn_id, _digest(owner), self._oldest()],
            )

    def rename(self, owner: str, conversation_id: int, name: str) -> None:
        """Give a conversation a name; an empty one gives it that of its first question again."""
        kept = " ".join(name.split())[:_NAME_CHARACTERS] or None
        with self._write() as db:
            db.execute(
                "UPDATE conversations SET name = ? WHERE id = ? AND owner = ?", [kept, conversation_id, _digest(owner)]
            )

    def delete(self, owner: str, conversation_id: int) -> None:
        """Remove a conversation; harmless when it is gone already."""
        with self._write() as db:
            db.execute("DELETE FROM conversations WHERE id = ? AND owner = ?", [conversation_id, _digest(owner)])

    def delete_all(self, owner: str) -> None:
        """Remove all conversations of an owner."""
        with self._write() as db:
            db.execute("DELETE FROM conversations WHERE owner = ?", [_digest(owner)])
        self._read("PRAGMA wal_checkpoint(TRUNCATE)")

    def drop_expired(self) -> None:
        """Remove from the disk the visitors' conversations whose time is over. They are not listed before that."""
        with self._write() as db:
            db.execute(f"DELETE FROM conversations WHERE NOT ({_STAYS}) AND updated <= ?", [self._oldest()])
        self._read("PRAGMA wal_checkpoint(TRUNCATE)")  # the log, too, holds what was said

    def _oldest(self) -> float:
        return time.time() - self._seconds


def _digest(owner: str) -> str:
    kept = ACCOUNT if owner.startswith(ACCOUNT) else ""
    return kept + hashlib.sha256(owner.encode()).hexdigest() if owner else EVERYONE
