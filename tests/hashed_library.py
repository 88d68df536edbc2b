"""A library with an embedder that needs no model, and the questions every state of a library must answer rightly."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings

from rag.config import load_settings
from rag.headings import embedded_text
from rag.ingestion import Ingester
from rag.manifest import Manifest, vector_key
from rag.parsing import ParserPool
from rag.store import VectorIndex
from rag.types import FileReport, IngestReport, Progress

DIMENSION = 768


@cache
def _direction(word: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
    return np.random.default_rng(seed).standard_normal(DIMENSION).astype(np.float32)


class HashedEmbeddings(Embeddings):
    """A text is the sum of its words' random directions, and of its own: near what shares words, nearest itself."""

    def __init__(self, fingerprint: str = "hashed@1") -> None:
        self.fingerprint = fingerprint
        self.max_tokens = 384
        self.embedded: list[str] = []

    def count_tokens(self, text: str) -> int:
        return len(text.split()) + 2

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.embedded += texts
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        vector = np.sum([_direction(word) for word in text.lower().split()], axis=0) + _direction(
            self.fingerprint + text
        )
        return list(map(float, vector / np.linalg.norm(vector)))


@cache
def parsers() -> ParserPool:
    """One pool for all libraries of a test run: its worker starts once."""
    return ParserPool(timeout=60, memory_mb=2048)


class HashedLibrary:
    """A library in a folder, opened as rag.library does it, but with HashedEmbeddings."""

    def __init__(self, folder: Path, fingerprint: str = "hashed@1", **settings: Any) -> None:
        self.settings = load_settings(library=folder, **settings)
        self.embedder = HashedEmbeddings(fingerprint)
        self.manifest = Manifest(folder / "manifest.sqlite")
        self.index = VectorIndex(folder / "chroma", self.manifest)
        self.ingester = Ingester(self.settings, self.manifest, self.index, self.embedder, parsers())

    def events(self, *paths: Path, **options: bool) -> tuple[list[Progress | FileReport], IngestReport]:
        events, run = [], self.ingester.ingest(paths, **options)
        while True:
            try:
                events.append(next(run))
            except StopIteration as end:
                return events, end.value

    def ingest(self, *paths: Path, **options: bool) -> IngestReport:
        return self.events(*paths, **options)[1]

    def states(self, *paths: Path, **options: bool) -> dict[str, str]:
        """What became of each file, by source."""
        return {file.source: file.state for file in self.ingest(*paths, **options).files}

    def search(self, text: str, k: int = 3) -> list[str]:
        """The texts of the visible chunks nearest to a text."""
        ids = self.index.search(self.settings.collection, self.embedder.embed_query(text), k)
        return [chunk.page_content for chunk in self.manifest.chunks(ids).values()]

    def problems(self) -> list[str]:
        return problems(self.manifest, self.index)


def table(manifest: Manifest, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Rows of the manifest's file, read past the manifest's own functions."""
    with closing(sqlite3.connect(manifest.path)) as db:
        return db.execute(query, values).fetchall()


def problems(manifest: Manifest, index: VectorIndex) -> list[str]:
    """What is wrong with a library at rest; nothing should be."""
    found = []
    if unfinished := table(manifest, "SELECT id, state FROM documents WHERE state IN ('indexing', 'deleting')"):
        found.append(f"unfinished documents {unfinished}")
    keys = dict(table(manifest, "SELECT id, vector_key FROM chunks"))
    if leftover := {key for (key,) in table(manifest, "SELECT key FROM vectors")} - set(keys.values()):
        found.append(f"{len(leftover)} vectors of no chunk")
    chunks = table(manifest, "SELECT id, text, headings FROM chunks")
    if wrong := [i for i, text, headings in chunks if keys[i] != vector_key(embedded_text(text, headings))]:
        found.append(f"chunks under another text's vector {wrong}")
    (orphans,) = table(manifest, "SELECT count(*) FROM keywords_docsize WHERE id NOT IN (SELECT id FROM chunks)")[0]
    if orphans:
        found.append(f"{orphans} keywords of no chunk")
    for collection in manifest.collections():
        ids = manifest.all_chunk_ids(collection)
        if index.ids(collection) != ids:
            found.append(f"{collection}: Chroma holds {index.ids(collection)}, the manifest {ids}")
        lost = 0
        for chunk_id, vector in zip(ids, manifest.vectors(ids) if ids else [], strict=True):
            nearest = index.search(collection, vector.tolist(), 1)
            lost += not nearest or keys.get(nearest[0]) != keys[chunk_id]
        if lost:
            found.append(f"{collection}: {lost} of {len(ids)} vectors not found by themselves")
    return found


def contents(manifest: Manifest) -> dict[str, Any]:
    """All that two libraries made from the same folder must agree on."""
    return {
        "documents": table(
            manifest,
            "SELECT collection, source, state, reason, sha256, size, recipe FROM documents ORDER BY 1, 2, path",
        ),
        "pages": table(
            manifest,
            "SELECT d.source, p.position, p.number, p.label, p.text "
            "FROM pages p JOIN documents d ON d.id = p.document_id ORDER BY d.source, d.path, p.position",
        ),
        "chunks": table(
            manifest,
            "SELECT d.source, c.page, c.page_label, c.start, c.end, c.text, c.headings, hex(c.vector_key) "
            "FROM chunks c JOIN documents d ON d.id = c.document_id ORDER BY d.source, d.path, c.start",
        ),
        "vectors": table(manifest, "SELECT hex(key) FROM vectors ORDER BY 1"),
    }
