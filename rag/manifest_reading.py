"""What a reader asks of the manifest: documents, their text, chunks, and the search by words. manifest.py writes it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rag.database import Database
from rag.errors import LibraryError
from rag.headings import embedded_text
from rag.types import DocumentInfo, Scope

if TYPE_CHECKING:  # numpy and LangChain are imported where they are used: what finds nothing new needs neither
    import numpy as np
    from langchain_core.documents import Document

    Vector = np.ndarray[Any, np.dtype[np.float32]]

COUNTS = """
    (SELECT count(*) FROM pages WHERE document_id = d.id AND number IS NOT NULL),
    (SELECT count(*) FROM chunks WHERE document_id = d.id)
"""
_OUTCOME = """
    CASE WHEN d.state = 'failed' THEN coalesce(f.outcome, 'corrupt')
    WHEN d.unread IS NOT NULL THEN 'partial' ELSE 'ready' END
"""
_INFO = f"""
SELECT d.id, d.collection, d.source, d.path, d.state, coalesce(d.reason, d.unread), {COUNTS}, d.size, d.updated,
    {_OUTCOME}
FROM documents d LEFT JOIN failures f ON f.document_id = d.id WHERE d.state IN ('ready', 'failed')
"""
# Scripts without spaces between words: Thai and Lao, Burmese, Khmer, Japanese, Chinese
UNSPACED = "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
_UNSPACED_RUN = re.compile(UNSPACED + "{3,}")
_WORD = re.compile(r"\w+")
_LISTED = "json_each(?) AS listed"  # ids as one value, in their order: a question for each takes ten times as long
FEW = 400  # chunks that a search by words weighs in any case


class ManifestReader(Database):
    """The reading side of a manifest: only what is visible, for any number of threads. Raises LibraryError.

    A search by words weighs this `share` of the chunks, and this many at the `most`, some 2 µs each: the words that
    more of them have only blur what rare ones tell.
    """

    share = 0.25
    most = 15_000

    def documents(self, collection: str | None = None) -> list[DocumentInfo]:
        """The visible documents, of one collection or of all, by source."""
        where, values = ("AND d.collection = ?", [collection]) if collection else ("", [])
        return [DocumentInfo(*row) for row in self._read(f"{_INFO} {where} ORDER BY d.source, d.path", values)]

    def document(self, document_id: int) -> DocumentInfo:
        """One visible document; LibraryError when it has been deleted."""
        row = self._row(f"{_INFO} AND d.id = ?", [document_id])
        if row is None:
            raise LibraryError("this document is no longer in the library")
        return DocumentInfo(*row)

    def answers(self, scope: Scope) -> bool:
        """Whether any document of the scope is ready."""
        within, values = _within(scope)
        return self._row(f"SELECT 1 FROM documents d WHERE d.state = 'ready' AND {within}", values) is not None

    def named(self, collection: str, name: str) -> DocumentInfo:
        """The document whose source, or path, is this name; LibraryError when there is none, or more than one."""
        found = [info for info in self.documents(collection) if name in (info.source, info.path)]
        if not found:
            raise LibraryError(
                f"no document {name!r} in collection {collection!r}; `python -m rag documents` lists them"
            )
        if len(found) > 1:
            paths = ", ".join(info.path for info in found)
            raise LibraryError(f"{len(found)} documents are called {name!r}; give the path of one: {paths}")
        return found[0]

    def pages(self, document_id: int) -> list[Document]:
        """The extracted text of a document, page by page."""
        from langchain_core.documents import Document  # late, as above

        rows = self._read(
            "SELECT number, label, text FROM pages WHERE document_id = ? ORDER BY position", [document_id]
        )
        return [Document(text, metadata={"page": number, "page_label": label}) for number, label, text in rows]

    def lines(self, document_id: int, position: int) -> list[tuple[int, int, float, float, float, float]]:
        """Where the lines of a page stand that were recognised in its picture: start, end, left, top, right, bottom.

        In characters of the page's text and shares of the picture. Nothing of a page that was read in another way, or
        before schema 4.
        """
        return self._read(
            'SELECT start, end, "left", top, "right", bottom FROM lines WHERE document_id = ? AND position = ? '
            "ORDER BY start",
            [document_id, position],
        )

    def moments(self, document_id: int, position: int) -> list[tuple[int, int, float]]:
        """From which second on the parts of a page are heard: start and end in its text, second. As for `lines`."""
        return self._read(
            "SELECT start, end, second FROM moments WHERE document_id = ? AND position = ? ORDER BY start",
            [document_id, position],
        )

    def chunk_ids(self, document_id: int) -> list[int]:
        """The ids of a document's chunks, in reading order."""
        return [row[0] for row in self._read("SELECT id FROM chunks WHERE document_id = ? ORDER BY id", [document_id])]

    def chunks(self, ids: Iterable[int]) -> dict[int, Document]:
        """Chunks of visible documents by id; ids that are not visible are left out."""
        from langchain_core.documents import Document  # late, as above

        query = (
            "SELECT c.id, c.text, d.source, c.document_id, c.page, c.page_label, c.start, c.end, c.headings "
            f"FROM {_LISTED} CROSS JOIN chunks c ON c.id = listed.value JOIN documents d ON d.id = c.document_id "
            "WHERE d.state = 'ready' ORDER BY listed.key"
        )
        names = ("source", "document_id", "page", "page_label", "start", "end", "headings")
        return {
            row[0]: Document(row[1], id=str(row[0]), metadata=dict(zip(names, row[2:], strict=True)))
            for row in self._read(query, [json.dumps(list(ids))])
        }

    def openings(self, document_ids: Iterable[int], length: int) -> dict[int, str]:
        """The names of documents, and what the chunks of their first pages say in the first `length` characters.

        Of the chunks, since SQLite would read all of a long page for its beginning.
        """
        query = (
            "SELECT d.source, c.page, c.start, c.text FROM documents d JOIN chunks c ON c.document_id = d.id "
            "WHERE d.id = ? ORDER BY c.id"
        )
        found: dict[int, str] = {}
        with self._explained():
            for document_id in document_ids:
                first: int | None = None
                said: list[str] = []
                for source, page, start, text in self._connection().execute(query, [document_id]):
                    if not said:
                        first, said = page, [source]
                    if page != first or start >= length:
                        break
                    said.append(text[: length - start])
                found[document_id] = "\n".join(said)
        return found

    def keyword_search(self, scope: Scope, question: str, k: int) -> dict[int, float]:
        """The k visible chunks of a scope that match the question's words best: id to BM25 score (above 0).

        A chunk has the words of the headings over it as well.

        They come best first. Only chunks of the scope are counted, so that a narrow one has its k as well. Where a
        script writes no spaces between words, three characters in a row count as a word.
        """
        found: dict[int, float] = {}
        for index, terms in (("keywords", _WORD.findall(question.lower())), ("trigrams", _trigrams(question.lower()))):
            for chunk_id, score in self._match(index, scope, dict.fromkeys(terms), k):
                found[chunk_id] = found.get(chunk_id, 0.0) + score
        best = sorted(found, key=lambda chunk_id: -found[chunk_id])[:k]
        return {chunk_id: found[chunk_id] for chunk_id in best}

    def _match(self, index: str, scope: Scope, terms: Iterable[str], k: int) -> list[tuple[int, float]]:
        if not terms:
            return []
        within, values = _within(scope)
        terms = self._telling(index, list(terms))
        return self._read(
            f"SELECT c.id, -{index}.rank FROM {index} "
            f"JOIN chunks c ON c.id = {index}.rowid JOIN documents d ON d.id = c.document_id "
            f"WHERE {index} MATCH ? AND d.state = 'ready' AND {within} ORDER BY {index}.rank LIMIT ?",
            [" OR ".join(f'"{term}"' for term in terms), *values, k],
        )

    def _telling(self, index: str, terms: list[str]) -> list[str]:
        """The terms that a library is searched for: the rarest of these.

        They are as many as have no more than `share` of its chunks together, FEW of them to `most`, and one at least of
        those that any chunk has: BM25 weighs every chunk that has any of the terms, though what nearly all have tells
        next to nothing.
        """
        most = min(max(int(self.share * self._read("SELECT count(*) FROM chunks")[0][0]), FEW), self.most)
        count = f"SELECT count(*) FROM (SELECT 1 FROM {index} WHERE {index} MATCH ? LIMIT ?)"
        found = {term: self._read(count, [f'"{term}"', most + 1])[0][0] for term in terms}
        rarest = sorted(filter(found.__getitem__, terms), key=found.__getitem__)
        together = list(itertools.accumulate(found[term] for term in rarest))
        return [term for term, chunks in zip(rarest, together, strict=True) if chunks <= most] or rarest[:1] or terms

    def vectors(self, ids: Sequence[int]) -> Vector:
        """The vectors of these chunks, shape (len(ids), dimension). LibraryError when a chunk is gone."""
        import numpy as np  # late, as above

        query = (
            f"SELECT v.vector FROM {_LISTED} CROSS JOIN chunks c ON c.id = listed.value "
            "JOIN vectors v ON v.key = c.vector_key ORDER BY listed.key"
        )
        rows = self._read(query, [json.dumps(list(ids))])
        if len(rows) < len(ids):
            raise LibraryError("a document was removed from the library in this moment; try again")
        return np.stack([np.frombuffer(vector, np.float32) for (vector,) in rows])

    def collections(self) -> list[str]:
        """The names of the collections that hold anything."""
        return [row[0] for row in self._read("SELECT DISTINCT collection FROM documents ORDER BY 1")]

    def nearest(self, scope: Scope, vector: Vector, k: int) -> list[int]:
        """The k visible chunks of a scope nearest to a unit vector by cosine, nearest first; each of them is compared.

        For single documents: Chroma takes a second to be told some thousands of ids, and refuses 40,000.
        """
        import numpy as np  # late, as above

        within, values = _within(scope)
        rows = self._read(
            "SELECT c.id, v.vector FROM documents d JOIN chunks c ON c.document_id = d.id "
            f"JOIN vectors v ON v.key = c.vector_key WHERE d.state = 'ready' AND {within}",
            values,
        )
        if not rows:
            return []
        cosines = np.frombuffer(b"".join(row[1] for row in rows), np.float32).reshape(len(rows), -1) @ vector
        return [rows[at][0] for at in np.argsort(-cosines, kind="stable")[:k].tolist()]

    def all_chunk_ids(self, collection: str) -> list[int]:
        """The ids of every chunk of a collection, also of documents being indexed, but not of those being deleted."""
        query = (
            "SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document_id "
            "WHERE d.collection = ? AND d.state != 'deleting' ORDER BY c.id"
        )
        return [row[0] for row in self._read(query, [collection])]

    def all_texts(self) -> Iterator[str]:
        """Every distinct text of the library that has a vector: those of the chunks, under their headings."""
        for text, headings in self._read("SELECT text, headings FROM chunks GROUP BY vector_key"):
            yield embedded_text(text, headings)


def _within(scope: Scope) -> tuple[str, list[str]]:
    """The condition that a document d is in a scope, and its values; one value a list, however long that is."""
    condition, values = "d.collection IN (SELECT value FROM json_each(?))", [json.dumps(scope.collections)]
    if scope.documents:
        condition += " AND d.id IN (SELECT value FROM json_each(?))"
        values.append(json.dumps(scope.documents))
    return condition, values


def _trigrams(text: str) -> list[str]:
    """Each three characters in a row of a script without spaces."""
    return [run[at : at + 3] for run in _UNSPACED_RUN.findall(text) for at in range(len(run) - 2)]
