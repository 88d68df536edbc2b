"""The manifest: one SQLite file that holds the truth about a library.

Documents with their pages, chunks and vectors, and the keyword index over the chunks (FTS5). Here is what a writer
does; what is asked of it is in manifest_reading.py. The vector index of store.py is made from it and can be made again
at any time. A document that replaces another becomes visible, and the old one invisible, in one transaction:

    indexing --(publish)--> ready --(publish of its successor, or retire)--> deleting --(forget)--> gone

Readers see only what is `ready` or `failed`. A process that dies leaves rows in `indexing` or `deleting`; the next
writer retires and forgets them (`unfinished`). A vector stays until `drop_unused_vectors`, so that what a process had
embedded when it died is not embedded again.
"""

from __future__ import annotations

import hashlib
import sqlite3
import uuid
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.database import statements
from rag.errors import Failure, LibraryError
from rag.headings import embedded_text
from rag.manifest_reading import COUNTS, UNSPACED, ManifestReader

if TYPE_CHECKING:
    from langchain_core.documents import Document

SCHEMA_VERSION = "5"
_HERE = Path(__file__)
_SCHEMA = _HERE.with_name("manifest.sql").read_text()
_SEARCH = _HERE.with_name("manifest_keywords.sql").read_text() + _HERE.with_name(
    "manifest_trigrams.sql"
).read_text().format(unspaced=f"*{UNSPACED}*")
_PLACES = _HERE.with_name("manifest_places.sql").read_text()
_UPGRADES = {  # from an older schema to the next: what to run in place
    "1": (
        "ALTER TABLE documents ADD COLUMN unread TEXT",
        "CREATE TABLE failures (document_id INTEGER PRIMARY KEY REFERENCES documents ON DELETE CASCADE, "
        "outcome TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, "
        "recipe TEXT NOT NULL)",
        "UPDATE meta SET value = '2' WHERE key = 'schema'",
    ),
    "2": ("UPDATE meta SET value = '3' WHERE key = 'schema'",),  # it lacked what a later step makes anew
    "3": (*statements(_PLACES), "UPDATE meta SET value = '4' WHERE key = 'schema'"),
    "4": (
        "ALTER TABLE chunks ADD COLUMN headings TEXT NOT NULL DEFAULT ''",
        *(f"DROP TRIGGER IF EXISTS {name}" for name in ("chunks_added", "chunks_removed")),
        *(f"DROP TRIGGER IF EXISTS unspaced_{name}" for name in ("chunks_added", "chunks_removed")),
        *(f"DROP TABLE IF EXISTS {name}" for name in ("keywords", "trigrams")),
        *statements(_SEARCH),
        "UPDATE meta SET value = '5' WHERE key = 'schema'",
    ),
}
_ADD_PLACES = {  # by what a page's metadata call them
    "lines": "INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    "moments": "INSERT INTO moments VALUES (?, ?, ?, ?, ?)",
}


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a file was when it was read: its content, its place in time, and the recipe it was read by."""

    sha256: str
    size: int
    mtime_ns: int
    recipe: str


@dataclass(frozen=True, slots=True)
class Failed:
    """What a file was when it could not be read, and what it came to."""

    outcome: Failure
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A visible document as a writer sees it. `failure`: the file, or its newer version, that could not be read."""

    id: int
    path: str
    source: str
    state: str
    reason: str | None
    pages: int
    chunks: int
    fingerprint: Fingerprint
    unread: str | None
    failure: Failed | None


def vector_key(text: str) -> bytes:
    """The name under which the vector of a text that was embedded is kept, so that equal text is embedded once."""
    return hashlib.sha256(text.encode()).digest()


class Manifest(ManifestReader):
    """One library's manifest, for any number of threads.

    Raises LibraryError when the file cannot be opened, is not a manifest, or the disk is full.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._create("meta", _SCHEMA.format(version=SCHEMA_VERSION, identity=uuid.uuid4().hex) + _SEARCH + _PLACES)
        self._upgrade()
        found = self.get_meta("schema")
        if found != SCHEMA_VERSION:
            raise LibraryError(f"{path} was made by another version of Footnote (schema {found}, not {SCHEMA_VERSION})")

    def _upgrade(self) -> None:
        """Bring a library that an older version made to this schema, step by step."""
        while self.get_meta("schema") in _UPGRADES:
            with self._write() as db:  # asked again: another process may have been faster
                (found,) = db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
                for statement in _UPGRADES.get(found, ()):
                    db.execute(statement)

    # ---- meta

    @property
    def identity(self) -> str:
        """What tells this manifest from any other."""
        return self.get_meta("library") or ""

    def get_meta(self, key: str) -> str | None:
        """The value kept under a key, or None."""
        row = self._row("SELECT value FROM meta WHERE key = ?", [key])
        return row[0] if row else None

    def set_meta(self, key: str, value: str) -> None:
        """Keep a value under a key."""
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [key, value])

    def keep_meta(self, key: str, value: str) -> str:
        """Keep a value under a key that has none yet; the value that is kept."""
        with self._write() as db:
            db.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", [key, value])
            (kept,) = db.execute("SELECT value FROM meta WHERE key = ?", [key]).fetchone()
        return str(kept)

    def meta_keys(self, prefix: str) -> list[str]:
        """The keys that begin so."""
        return [row[0] for row in self._read("SELECT key FROM meta WHERE substr(key, 1, ?) = ?", [len(prefix), prefix])]

    def drop_meta(self, key: str) -> None:
        """Forget what is kept under a key."""
        with self._write() as db:
            db.execute("DELETE FROM meta WHERE key = ?", [key])

    # ---- what a writer does, in this order

    def find(self, collection: str, path: str) -> DocumentRow | None:
        """The visible document made from this file."""
        rows = self.rows(collection, "AND path = ?", [path])
        return rows[0] if rows else None

    def rows(self, collection: str, condition: str = "", values: Sequence[Any] = ()) -> list[DocumentRow]:
        """The visible documents of a collection, by source."""
        found = self._read(
            f"SELECT d.id, d.path, d.source, d.state, d.reason, {COUNTS}, d.sha256, d.size, d.mtime_ns, d.recipe, "
            "d.unread, f.outcome, f.sha256, f.size, f.mtime_ns, f.recipe "
            "FROM documents d LEFT JOIN failures f ON f.document_id = d.id "
            f"WHERE state IN ('ready', 'failed') AND collection = ? {condition} ORDER BY source, path",
            [collection, *values],
        )
        return [_document_row(*row) for row in found]

    def touch(self, document_id: int, source: str, mtime_ns: int) -> None:
        """The file holds the same, whatever its time and name are now: remember those, and that it is well."""
        with self._write() as db:
            db.execute(
                "UPDATE documents SET source = ?, mtime_ns = ?, reason = NULL WHERE id = ?",
                [source, mtime_ns, document_id],
            )
            db.execute("DELETE FROM failures WHERE document_id = ?", [document_id])

    def missing_vectors(self, texts: Iterable[str]) -> list[str]:
        """The distinct texts that have no vector yet, in the order given."""
        wanted = {vector_key(text): text for text in texts}
        return [text for key, text in wanted.items() if not self._has_vector(key)]

    def add_vectors(self, texts: Sequence[str], vectors: Sequence[Sequence[float]]) -> None:
        """Keep the vectors of these texts, so that a run that dies later does not compute them again."""
        with self._write() as db:
            db.executemany(
                "INSERT OR IGNORE INTO vectors VALUES (?, ?)",
                [(vector_key(text), array("f", vector).tobytes()) for text, vector in zip(texts, vectors, strict=True)],
            )

    def add_document(
        self,
        collection: str,
        path: str,
        source: str,
        fingerprint: Fingerprint,
        pages: Sequence[Document],
        chunks: Sequence[Document],
        unread: str | None = None,
    ) -> int:
        """Add a document, not yet visible, whose chunks all have their vectors. Returns its id.

        `unread` says what of it could not be read.
        """
        with self._write() as db:
            document_id = self._insert(db, collection, path, source, "indexing", None, fingerprint)
            db.execute("UPDATE documents SET unread = ? WHERE id = ?", [unread, document_id])
            db.executemany(
                "INSERT INTO pages VALUES (?, ?, ?, ?, ?)",
                [
                    (document_id, position, page.metadata["page"], page.metadata["page_label"], page.page_content)
                    for position, page in enumerate(pages)
                ],
            )
            for name, query in _ADD_PLACES.items():
                db.executemany(
                    query,
                    [
                        (document_id, position, *place)
                        for position, page in enumerate(pages)
                        for place in page.metadata.get(name, ())
                    ],
                )
            db.executemany(
                "INSERT INTO chunks (document_id, page, page_label, start, end, text, headings, vector_key) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        document_id,
                        chunk.metadata["page"],
                        chunk.metadata["page_label"],
                        chunk.metadata["start"],
                        chunk.metadata["end"],
                        chunk.page_content,
                        headings,
                        vector_key(embedded_text(chunk.page_content, headings)),
                    )
                    for chunk in chunks
                    for headings in [chunk.metadata.get("headings", "")]
                ],
            )
        return document_id

    def publish(self, document_id: int) -> None:
        """Make a document visible and retire the one it replaces, in one transaction."""
        with self._write() as db:
            db.execute(
                "UPDATE documents SET state = 'deleting' WHERE state IN ('ready', 'failed') AND (collection, path) = "
                "(SELECT collection, path FROM documents WHERE id = ?)",
                [document_id],
            )
            db.execute("UPDATE documents SET state = 'ready' WHERE id = ?", [document_id])

    def add_failure(
        self, collection: str, path: str, source: str, fingerprint: Fingerprint, reason: str, outcome: Failure
    ) -> None:
        """Remember that a file could not be read. A version of it that was read earlier keeps answering."""
        with self._write() as db:
            kept = db.execute(
                "UPDATE documents SET reason = ? WHERE collection = ? AND path = ? AND state = 'ready' RETURNING id",
                [reason, collection, path],
            ).fetchone()
            if not kept:
                db.execute(
                    "DELETE FROM documents WHERE collection = ? AND path = ? AND state = 'failed'", [collection, path]
                )
            document_id = kept[0] if kept else self._insert(db, collection, path, source, "failed", reason, fingerprint)
            db.execute(
                "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?, ?)",
                [
                    document_id,
                    outcome,
                    fingerprint.sha256,
                    fingerprint.size,
                    fingerprint.mtime_ns,
                    fingerprint.recipe,
                ],
            )

    def retire(self, document_id: int) -> None:
        """Make a document invisible."""
        with self._write() as db:
            db.execute("UPDATE documents SET state = 'deleting' WHERE id = ?", [document_id])

    def move(self, document_id: int, collection: str) -> None:
        """Put a visible document into another collection, as it is."""
        with self._write() as db:
            db.execute(
                "UPDATE documents SET collection = ? WHERE id = ? AND state IN ('ready', 'failed')",
                [collection, document_id],
            )

    def unfinished(self) -> list[tuple[int, str, list[int]]]:
        """Retire what a writer that died was indexing; all that should be forgotten: (id, collection, chunk ids)."""
        if self._row("SELECT 1 FROM documents WHERE state = 'indexing'"):
            with self._write() as db:
                db.execute("UPDATE documents SET state = 'deleting' WHERE state = 'indexing'")
        rows = self._read("SELECT id, collection FROM documents WHERE state = 'deleting'")
        return [(document_id, collection, self.chunk_ids(document_id)) for document_id, collection in rows]

    def forget(self, document_id: int) -> None:
        """Remove an invisible document with its pages and chunks."""
        with self._write() as db:
            db.execute("DELETE FROM documents WHERE id = ?", [document_id])

    def drop_unused_vectors(self) -> None:
        """Remove the vectors that no chunk has: those of documents that were forgotten or never finished."""
        with self._write() as db:  # both sides of EXCEPT are read from an index, not from the vectors themselves
            unused = "SELECT key FROM vectors EXCEPT SELECT vector_key FROM chunks"
            db.execute(f"DELETE FROM vectors WHERE key IN ({unused})")

    def replace_vectors(self, texts: Sequence[str], vectors: Sequence[Sequence[float]]) -> None:
        """Put new vectors in the place of those of these texts (another embedding model)."""
        with self._write() as db:
            db.executemany(
                "UPDATE vectors SET vector = ? WHERE key = ?",
                [(array("f", vector).tobytes(), vector_key(text)) for text, vector in zip(texts, vectors, strict=True)],
            )

    @contextmanager
    def erasing(self) -> Iterator[None]:
        """Of what is removed inside no trace is left in the file: not in the words of the keyword index either."""
        yield
        with self._write() as db:
            db.execute("INSERT INTO keywords (keywords) VALUES ('optimize')")  # till then it only notes what is gone
        self._read("PRAGMA wal_checkpoint(TRUNCATE)")

    # ---- SQLite

    def _has_vector(self, key: bytes) -> bool:
        return self._row("SELECT 1 FROM vectors WHERE key = ?", [key]) is not None

    @staticmethod
    def _insert(
        db: sqlite3.Connection,
        collection: str,
        path: str,
        source: str,
        state: str,
        reason: str | None,
        fingerprint: Fingerprint,
    ) -> int:
        row = db.execute(
            "INSERT INTO documents (collection, path, source, state, reason, sha256, size, mtime_ns, recipe) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            [
                collection,
                path,
                source,
                state,
                reason,
                fingerprint.sha256,
                fingerprint.size,
                fingerprint.mtime_ns,
                fingerprint.recipe,
            ],
        ).fetchone()
        return int(row[0])


def _document_row(
    document_id: int, path: str, source: str, state: str, reason: str | None, pages: int, chunks: int, *rest: Any
) -> DocumentRow:
    unread, outcome = rest[4:6]
    failure = Failed(outcome, Fingerprint(*rest[6:])) if outcome else None
    return DocumentRow(document_id, path, source, state, reason, pages, chunks, Fingerprint(*rest[:4]), unread, failure)
