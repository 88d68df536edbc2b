"""An SQLite file: connections for threads, transactions, and errors a person can read."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rag.errors import LibraryError

_PATIENCE = 60  # seconds that one waits for others to have written


class Database:
    """One file in WAL mode: readers never wait, writers take turns. Every thread has its own connection.

    What is removed from it is overwritten.

    Raises LibraryError when the file cannot be opened, is not a database, or the disk is full. `what` names the file.
    """

    what = "the library's manifest"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)

    def _create(self, table: str, script: str) -> None:
        """Run the script's statements, all or none, unless the table is there already."""
        with self._write() as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [table]).fetchone():
                for statement in statements(script):
                    db.execute(statement)

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
            _set_wal(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")  # what is removed is overwritten, not only unlinked
            self._local.connection = connection
        return connection

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Whatever this thread reads inside is of one moment: what is found first is still there afterwards."""
        with self._explained():
            db = self._connection()
            db.execute("BEGIN")
        try:
            yield
        finally:
            db.execute("ROLLBACK")

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._explained():  # all of it at once: damage may show on any row, and an open cursor holds up writers
            return self._connection().execute(query, values).fetchall()

    def _row(self, query: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        return next(iter(self._read(query, values)), None)

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._explained(), self._transaction() as db:
            yield db

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._connection()
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            if db.in_transaction:  # a full disk has already rolled back
                db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, OSError) as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise LibraryError(
                    f"the disk that holds {self.path} is full; free some space and run this again: "
                    "what was added before is safe"
                ) from error
            told = str(error)[:200]  # it may hold a whole damaged row
            raise LibraryError(f"{self.what} {self.path} cannot be used: {told}") from error


def _set_wal(connection: sqlite3.Connection) -> None:
    """Of several that open a new file at once SQLite refuses all but one this, at once, whatever the timeout."""
    refused = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > refused:
                raise
            time.sleep(0.01)


def statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: sqlite3's own executescript would commit behind our back."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
