"""The manifest: what becomes visible when, what stays, and what a damaged or a foreign file says."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hashed_library import HashedEmbeddings, table
from langchain_core.documents import Document

import rag.manifest_reading
from rag.errors import LibraryError
from rag.manifest import Failed, Fingerprint, Manifest, vector_key
from rag.types import Scope

DEFAULT = Scope(("default",))
PRINT = Fingerprint("abc", 3, 4, "recipe")


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return Manifest(tmp_path / "library" / "manifest.sqlite")


def add(manifest: Manifest, embedder: HashedEmbeddings, path: str, *texts: str, collection: str = "default") -> int:
    """Add a document, one chunk a text, not yet visible."""
    manifest.add_vectors(texts, embedder.embed_documents(list(texts)))
    pages = [Document("\n".join(texts), metadata={"page": None, "page_label": None})]
    marks = {"page": None, "page_label": None, "start": 0, "end": 1}
    return manifest.add_document(
        collection, path, Path(path).name, PRINT, pages, [Document(text, metadata=marks) for text in texts]
    )


def publish(manifest: Manifest, embedder: HashedEmbeddings, path: str, *texts: str) -> int:
    document_id = add(manifest, embedder, path, *texts)
    manifest.publish(document_id)
    return document_id


def test_a_document_is_invisible_until_it_is_published(manifest: Manifest, hashed_embeddings: HashedEmbeddings) -> None:
    document_id = add(manifest, hashed_embeddings, "/a", "green apples")
    assert manifest.documents() == []
    assert manifest.keyword_search(DEFAULT, "apples", 5) == {}
    assert manifest.chunks(manifest.chunk_ids(document_id)) == {}
    manifest.publish(document_id)
    assert [info.source for info in manifest.documents()] == ["a"]
    (found,) = manifest.keyword_search(DEFAULT, "Apple?", 5)
    assert manifest.chunks([found])[found].page_content == "green apples"


def test_where_and_when_a_page_is_seen_and_heard_goes_with_its_document(
    manifest: Manifest, hashed_embeddings: HashedEmbeddings
) -> None:
    lines = [(0, 5, 0.1, 0.2, 0.5, 0.25), (6, 9, 0.1, 0.3, 0.4, 0.35)]
    pages = [
        Document("Plain.", metadata={"page": 1, "page_label": None}),
        Document("Seen, lit", metadata={"page": 2, "page_label": None, "lines": [list(line) for line in lines]}),
        Document("Said", metadata={"page": 3, "page_label": "at 0:01-0:02", "moments": [(0, 4, 1.25)]}),
    ]
    document_id = manifest.add_document("default", "/a", "a", PRINT, pages, [])
    manifest.publish(document_id)
    assert [manifest.lines(document_id, position) for position in range(3)] == [[], lines, []]
    assert [manifest.moments(document_id, position) for position in range(3)] == [[], [], [(0, 4, 1.25)]]
    manifest.retire(document_id)
    manifest.forget(document_id)
    assert table(manifest, "SELECT count(*) FROM lines UNION ALL SELECT count(*) FROM moments") == [(0,), (0,)]


def test_a_successor_takes_over_in_one_step(manifest: Manifest, hashed_embeddings: HashedEmbeddings) -> None:
    old = publish(manifest, hashed_embeddings, "/a", "green apples")
    new = publish(manifest, hashed_embeddings, "/a", "red apples")
    assert [info.id for info in manifest.documents()] == [new]
    assert [row[0] for row in manifest.unfinished()] == [old]
    assert len(manifest.keyword_search(DEFAULT, "apples", 5)) == 1


def test_what_a_dead_writer_was_indexing_is_retired_but_its_vectors_stay(
    manifest: Manifest, hashed_embeddings: HashedEmbeddings
) -> None:
    document_id = add(manifest, hashed_embeddings, "/a", "one", "two")
    assert len(manifest.all_chunk_ids("default")) == 2
    ((found, collection, chunk_ids),) = manifest.unfinished()
    assert (found, collection, len(chunk_ids)) == (document_id, "default", 2)
    assert manifest.all_chunk_ids("default") == []  # an index made in this moment must not hold them
    manifest.forget(document_id)
    assert manifest.missing_vectors(["one", "two", "three"]) == ["three"]
    manifest.drop_unused_vectors()
    assert manifest.missing_vectors(["one", "two"]) == ["one", "two"]


def test_forgetting_leaves_nothing_behind(manifest: Manifest, hashed_embeddings: HashedEmbeddings) -> None:
    document_id = publish(manifest, hashed_embeddings, "/a", "apples", "pears")
    publish(manifest, hashed_embeddings, "/b", "pears")
    manifest.retire(document_id)
    manifest.forget(document_id)
    manifest.drop_unused_vectors()
    assert table(manifest, "SELECT text FROM chunks") == [("pears",)]
    assert table(manifest, "SELECT key FROM vectors") == [(vector_key("pears"),)]
    assert table(manifest, "SELECT count(*) FROM pages") == [(1,)]
    assert table(manifest, "SELECT count(*) FROM keywords_docsize") == [(1,)]


def test_equal_text_has_one_vector(manifest: Manifest, hashed_embeddings: HashedEmbeddings) -> None:
    assert manifest.missing_vectors(["same", "same"]) == ["same"]
    first, second = (publish(manifest, hashed_embeddings, path, "same") for path in ("/a", "/b"))
    ids = manifest.chunk_ids(first) + manifest.chunk_ids(second)
    one, other = manifest.vectors(ids)
    assert np.array_equal(one, other)
    assert np.allclose(one, hashed_embeddings.embed_query("same"))


def test_a_failure_is_remembered_and_an_earlier_version_goes_on(
    manifest: Manifest, hashed_embeddings: HashedEmbeddings
) -> None:
    manifest.add_failure("default", "/new", "new", PRINT, "it is empty", "empty")
    manifest.add_failure("default", "/new", "new", PRINT, "it is encrypted", "password")
    publish(manifest, hashed_embeddings, "/old", "apples")
    manifest.add_failure("default", "/old", "old", PRINT, "it is empty", "empty")
    assert [(info.source, info.state, info.reason, info.outcome) for info in manifest.documents()] == [
        ("new", "failed", "it is encrypted", "password"),
        ("old", "ready", "it is empty", "ready"),
    ]
    failures = [row.failure for row in manifest.rows("default")]
    assert failures == [Failed("password", PRINT), Failed("empty", PRINT)]
    assert len(manifest.keyword_search(DEFAULT, "apples", 5)) == 1
    publish(manifest, hashed_embeddings, "/new", "pears")
    assert [(info.state, info.reason) for info in manifest.documents() if info.source == "new"] == [("ready", None)]


@pytest.mark.parametrize("path", ["Manual > Safety > Disposal", "手册 > 安全 > 如何处理旧机器"])
def test_a_chunk_is_found_by_its_headings_and_has_a_vector_of_its_own_under_them(
    manifest: Manifest, hashed_embeddings: HashedEmbeddings, path: str
) -> None:
    publish(manifest, hashed_embeddings, "/other", "Drain it first.")
    asked = f"Is there {path.rpartition(' ')[2]}?"
    assert manifest.keyword_search(DEFAULT, asked, 5) == {}
    embedded = f"{path}\nDrain it first."
    assert manifest.missing_vectors([embedded, "Drain it first."]) == [embedded]
    manifest.add_vectors([embedded], hashed_embeddings.embed_documents([embedded]))
    marks = {"page": None, "page_label": None, "start": 0, "end": 15, "headings": path}
    chunk = Document("Drain it first.", metadata=marks)
    document_id = manifest.add_document("default", "/a", "a", PRINT, [], [chunk])
    manifest.publish(document_id)
    (found,) = manifest.keyword_search(DEFAULT, asked, 5)
    read = manifest.chunks([found])[found]
    assert (read.page_content, read.metadata["headings"]) == ("Drain it first.", path)
    assert np.allclose(manifest.vectors([found]), hashed_embeddings.embed_query(embedded))
    assert set(manifest.all_texts()) == {embedded, "Drain it first."}
    manifest.forget(document_id)
    assert manifest.keyword_search(DEFAULT, asked, 5) == {}


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("水壶的保修期为两年，从购买之日起算。", "这个水壶的保修期是多久？"),
        ("ケトルの保証期間は二年です。", "保証期間はどのくらいですか"),
        ("กาต้มน้ำรับประกันสองปี", "รับประกันกี่ปี"),
        ("The K3 is 水壶的保修期 in Chinese.", "K3"),
    ],
)
def test_words_are_found_where_no_spaces_part_them(
    manifest: Manifest, hashed_embeddings: HashedEmbeddings, text: str, question: str
) -> None:
    publish(manifest, hashed_embeddings, "/other", "充电底座请勿浸入水中。充電台を水に浸さない。 ห้ามแช่ฐานในน้ำ")
    publish(manifest, hashed_embeddings, "/told", text)
    (found,) = manifest.keyword_search(DEFAULT, question, 5)
    assert manifest.chunks([found])[found].page_content == text
    manifest.retire(next(row.id for row in manifest.rows("default") if row.path == "/told"))
    for document_id, *_ in manifest.unfinished():
        manifest.forget(document_id)
    assert manifest.keyword_search(DEFAULT, question, 5) == {}


def test_a_library_of_the_first_schema_is_brought_to_this_one(
    tmp_path: Path, hashed_embeddings: HashedEmbeddings
) -> None:
    path = tmp_path / "library" / "manifest.sqlite"
    made = Manifest(path)
    publish(made, hashed_embeddings, "/a", "水壶的保修期为两年")
    made.add_failure("default", "/b", "b", PRINT, "it is damaged", "corrupt")
    with closing(sqlite3.connect(path)) as db:  # what the first schema did not have
        db.executescript(
            "DROP TABLE failures; ALTER TABLE documents DROP COLUMN unread; "
            "DROP TABLE lines; DROP TABLE moments; "
            "DROP TABLE trigrams; DROP TRIGGER unspaced_chunks_added; DROP TRIGGER unspaced_chunks_removed; "
            "DROP TABLE keywords; DROP TRIGGER chunks_added; DROP TRIGGER chunks_removed; "
            "ALTER TABLE chunks DROP COLUMN headings; "
            "CREATE VIRTUAL TABLE keywords USING fts5 (text, content = 'chunks', content_rowid = 'id'); "
            "INSERT INTO keywords (keywords) VALUES ('rebuild'); "
            "UPDATE meta SET value = '1' WHERE key = 'schema'"
        )
    barrier = threading.Barrier(4)

    def open_it(_: int) -> list[tuple[str, str, str]]:
        barrier.wait()
        return [(info.source, info.state, info.outcome) for info in Manifest(path).documents()]

    with ThreadPoolExecutor(4) as threads:
        for seen in threads.map(open_it, range(4)):
            assert seen == [("a", "ready", "ready"), ("b", "failed", "corrupt")]
    assert len(Manifest(path).keyword_search(DEFAULT, "保修期", 5)) == 1
    manifest = Manifest(path)
    assert [row.failure for row in manifest.rows("default")] == [None, None]
    manifest.add_failure("default", "/b", "b", PRINT, "it is empty", "empty")
    assert [row.failure for row in manifest.rows("default")] == [None, Failed("empty", PRINT)]
    columns = "SELECT name, type, \"notnull\", pk FROM pragma_table_info('{}') ORDER BY name"
    fresh = Manifest(tmp_path / "fresh.sqlite")
    assert manifest.lines(manifest.documents()[0].id, 0) == []
    for name in ("documents", "failures", "chunks", "keywords", "trigrams", "lines", "moments"):
        assert table(manifest, columns.format(name)) == table(fresh, columns.format(name))


def test_names_find_by_source_and_by_path_and_say_when_they_are_ambiguous(
    manifest: Manifest, hashed_embeddings: HashedEmbeddings
) -> None:
    for path in ("/x/a", "/y/a", "/y/b"):
        publish(manifest, hashed_embeddings, path, path)
    assert manifest.named("default", "b").path == "/y/b"
    assert manifest.named("default", "/x/a").path == "/x/a"
    with pytest.raises(LibraryError, match=r"2 documents are called 'a'; give the path of one: /x/a, /y/a"):
        manifest.named("default", "a")
    with pytest.raises(LibraryError, match=r"no document 'c' in collection 'default'"):
        manifest.named("default", "c")
    with pytest.raises(LibraryError, match="no document 'a' in collection 'other'"):
        manifest.named("other", "a")


@pytest.mark.parametrize("question", ["", "?!", 'apples" OR', "NEAR(", "apples*", "-apples", "text:apples", "a AND"])
def test_any_question_is_a_keyword_search(
    manifest: Manifest, hashed_embeddings: HashedEmbeddings, question: str
) -> None:
    publish(manifest, hashed_embeddings, "/a", "green apples")
    assert len(manifest.keyword_search(DEFAULT, question, 5)) == ("apples" in question)


def test_a_snapshot_keeps_what_it_has_found(manifest: Manifest, hashed_embeddings: HashedEmbeddings) -> None:
    document_id = publish(manifest, hashed_embeddings, "/a", "apples")
    ids = manifest.chunk_ids(document_id)

    def delete() -> None:
        manifest.retire(document_id)
        manifest.forget(document_id)
        manifest.drop_unused_vectors()

    with manifest.snapshot():
        assert manifest.chunks(ids)
        writer = threading.Thread(target=delete)
        writer.start()
        writer.join()
        assert manifest.vectors(ids).shape == (1, 768)
    assert manifest.chunks(ids) == {}
    with pytest.raises(LibraryError, match="try again"):
        manifest.vectors(ids)


def test_a_failed_write_leaves_nothing(manifest: Manifest, hashed_embeddings: HashedEmbeddings) -> None:
    chunk = Document("no vector", metadata={"page": None, "page_label": None, "start": 0, "end": 9})
    with pytest.raises(LibraryError, match="FOREIGN KEY"):
        manifest.add_document("default", "/a", "a", PRINT, [], [chunk])
    assert table(manifest, "SELECT count(*) FROM documents") == [(0,)]
    publish(manifest, hashed_embeddings, "/a", "fine")


def test_a_full_disk_says_so(manifest: Manifest, hashed_embeddings: HashedEmbeddings) -> None:
    publish(manifest, hashed_embeddings, "/a", "apples")
    (pages,) = table(manifest, "PRAGMA page_count")[0]
    manifest._connection().execute(f"PRAGMA max_page_count = {pages + 2}")
    texts = [f"text {n}" for n in range(20)]
    with pytest.raises(LibraryError, match=r"the disk that holds .*manifest\.sqlite is full"):
        manifest.add_vectors(texts, hashed_embeddings.embed_documents(texts))
    assert manifest.missing_vectors(texts) == texts
    manifest._connection().execute(f"PRAGMA max_page_count = {2**30}")
    manifest.add_vectors(texts, hashed_embeddings.embed_documents(texts))
    assert manifest.missing_vectors(texts) == []


def test_another_version_is_refused(manifest: Manifest) -> None:
    manifest.set_meta("schema", "0")
    with pytest.raises(LibraryError, match=r"made by another version of Footnote \(schema 0, not 5\)"):
        Manifest(manifest.path)


def test_a_file_that_is_no_manifest_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "manifest.sqlite"
    path.write_text("my notes " * 500)
    with pytest.raises(LibraryError) as error:
        Manifest(path)
    assert str(error.value) == f"the library's manifest {path} cannot be used: file is not a database"
    assert path.read_text() == "my notes " * 500


def test_a_damaged_manifest_is_told_whichever_row_shows_it(manifest: Manifest) -> None:
    texts = [Document(f"page {number} " * 200, metadata={"page": number, "page_label": None}) for number in range(99)]
    document_id = manifest.add_document("default", "/a", "a", PRINT, texts, [])
    table(manifest, "PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(manifest.path.read_bytes())
    last = data.index(b"page 90 ") // 4096 * 4096
    data[last : last + 4096] = b"\xa5" * 4096
    manifest.path.write_bytes(data)
    with pytest.raises(LibraryError, match=r"cannot be used: (database disk image is malformed|Could not decode)"):
        Manifest(manifest.path).pages(document_id)


def test_a_library_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "library").write_text("")
    with pytest.raises(LibraryError, match="cannot be used"):
        Manifest(tmp_path / "library" / "manifest.sqlite")


def test_many_may_open_a_new_library_at_once(tmp_path: Path) -> None:
    """SQLite does not wait for one that makes the same file, and refuses about one in a thousand."""

    def open_and_write(number: int) -> str:
        manifest = Manifest(tmp_path / str(number // 16) / "manifest.sqlite")
        manifest.set_meta(f"key {number}", "value")
        return manifest.identity

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(open_and_write, range(320)))) == 20
    made = Manifest(tmp_path / "0" / "manifest.sqlite")
    assert len(table(made, "SELECT * FROM meta WHERE key LIKE 'key %'")) == 16


def test_a_writer_waits_for_another(manifest: Manifest) -> None:
    other = sqlite3.connect(manifest.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writer = threading.Thread(target=manifest.set_meta, args=("a", "b"))
    writer.start()
    assert manifest.get_meta("a") is None  # reading goes on meanwhile
    other.execute("COMMIT")
    writer.join()
    other.close()
    assert manifest.get_meta("a") == "b"


def test_a_library_is_searched_for_the_rarest_words_alone(
    manifest: Manifest, hashed_embeddings: HashedEmbeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What every chunk has is left out: it tells nothing, and takes the longer the larger the library is."""
    everywhere = [f"the kettle number {number}" for number in range(30)]
    publish(manifest, hashed_embeddings, "/a", *everywhere, "the red apple of the kettle", "a red pear", "a red plum")
    question = "the kettle of the red apple"
    whole = manifest.keyword_search(DEFAULT, question, 50)
    assert len(whole) == 33
    assert manifest._telling("keywords", ["the", "red"]) == ["red", "the"]
    monkeypatch.setattr(rag.manifest_reading, "FEW", 0)
    assert manifest.share * 33 == 8.25
    assert manifest._telling("keywords", ["the", "red", "kettle", "apple"]) == ["apple", "red"]
    manifest.most = 3
    assert manifest._telling("keywords", ["the", "red", "kettle", "apple"]) == ["apple"]
    assert manifest._telling("keywords", ["the", "kettle"]) == ["the"]  # one at least
    manifest.most = 8
    found = manifest.keyword_search(DEFAULT, question, 50)
    assert len(found) == 3  # those that have "red"
    assert next(iter(found)) == next(iter(whole))
    assert len(manifest.keyword_search(DEFAULT, "the kettle", 50)) == 31  # a question of nothing else still finds
    assert manifest.keyword_search(DEFAULT, "unheard of", 50) == manifest.keyword_search(DEFAULT, "of", 50)
    assert len(manifest.keyword_search(DEFAULT, "the unheard kettle", 50)) == 31  # what no chunk has is not its rarest
    assert manifest.keyword_search(DEFAULT, "unheard", 50) == {}
