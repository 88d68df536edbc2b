"""Whose documents are whose: what visitors see of one another (nothing), may change, and leave behind (nothing)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hashed_library import HashedEmbeddings, parsers, problems

from rag.config import load_settings
from rag.conversations import EVERYONE, Conversations
from rag.database import Database
from rag.errors import LibraryError, SettingError
from rag.library import Library
from rag.types import Citation, DocumentInfo, FileReport, KeptTurn, Scope
from rag.visitors import OWN, Visitors

ANN, BEN = "a" * 43, "b" * 43
HOUR = 3600.0
SHARED = "The harbour master of Velm opens the lock at seven.\n"
SECRET = "The quince jelly of Annabel needs exactly nine spoons of sugar.\n"


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("rag.conversations.time.time", clock)
    return clock


Start = Callable[..., Visitors]


@pytest.fixture
def start(tmp_path: Path, clock: Clock) -> Start:
    """Opens a library that holds one shared document, for visitors that are kept apart, or not."""

    def open_it(apart: bool = True, **settings: Any) -> Visitors:
        library = Library(load_settings(library=tmp_path / "library", separate_visitors=apart, **settings))
        library._embeddings = HashedEmbeddings()  # type: ignore[assignment]
        library._parsers = parsers()
        (tmp_path / "harbour.md").write_text(SHARED)
        list(library.ingest([tmp_path / "harbour.md"]))
        conversations = Conversations(tmp_path / "library" / "conversations.sqlite", library.settings.visitor_hours)
        return Visitors(library, conversations, clock)

    return open_it


def file(tmp_path: Path, name: str = "jelly.md", text: str = SECRET) -> Path:
    path = tmp_path / "upload" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def names(documents: list[DocumentInfo]) -> list[tuple[str, str, bool]]:
    return [(each.source, each.collection, each.read_only) for each in documents]


def test_what_a_visitor_adds_is_listed_searched_and_opened_by_nobody_else(start: Start, tmp_path: Path) -> None:
    visitors = start()
    (report,) = [each for each in visitors.add(ANN, [file(tmp_path)]) if hasattr(each, "outcome")]
    assert report.state == "added"
    shared = ("harbour.md", "default", True)
    assert names(visitors.documents(ANN)) == [("jelly.md", OWN, False), shared]
    assert names(visitors.documents(BEN)) == names(visitors.documents(EVERYONE)) == [shared]
    jelly, harbour = visitors.documents(ANN)

    (found, _) = visitors.search(ANN, "How many spoons of sugar does the quince jelly need?")
    assert (found.source, found.document_id) == ("jelly.md", jelly.id)
    assert visitors.passage(ANN, found).text == SECRET.strip()
    ways: list[Callable[[str], object]] = [
        lambda other: visitors.passage(other, found),
        lambda other: visitors.pages(other, jelly.id),
        lambda other: visitors.original(other, jelly.id),
        lambda other: visitors.delete(other, jelly.id),
        lambda other: list(visitors.read_again(other, jelly.id)),
        lambda other: visitors.search(other, "jelly", scope=Scope((), (jelly.id,))),
    ]
    for other in (BEN, EVERYONE):
        assert {each.source for each in visitors.search(other, "quince jelly sugar")} == {"harbour.md"}
        for way in ways:
            with pytest.raises(LibraryError, match="no longer in the library"):
                way(other)
        with pytest.raises(LibraryError, match="there is no collection"):
            visitors.search(other, "jelly", scope=Scope((visitors._own(ANN) or "",)))
    assert visitors.original(ANN, jelly.id).read_text() == SECRET
    assert {each.source for each in visitors.search(ANN, "lock", scope=Scope((OWN,)))} == {"jelly.md"}
    assert {each.source for each in visitors.search(ANN, "lock", scope=Scope((), (harbour.id,)))} == {"harbour.md"}


def test_the_shared_library_is_read_only(start: Start, tmp_path: Path) -> None:
    visitors = start()
    (harbour,) = visitors.documents(ANN)
    for change in (lambda: visitors.delete(ANN, harbour.id), lambda: list(visitors.read_again(ANN, harbour.id))):
        with pytest.raises(LibraryError, match=r"'harbour.md' is in the shared library, which is read-only"):
            change()
    with pytest.raises(LibraryError, match=r"shared library is read-only.*send a visitor's token"):
        list(visitors.add(EVERYONE, [file(tmp_path)]))
    for weak in ("ann", "a" * 42, "a" * 42 + "/"):
        with pytest.raises(LibraryError, match="not a visitor's token"):
            visitors.documents(weak)
    assert names(visitors.documents(ANN)) == [("harbour.md", "default", True)]


def test_a_visitor_deletes_what_is_his(start: Start, tmp_path: Path) -> None:
    visitors = start()
    list(visitors.add(ANN, [file(tmp_path)]))
    jelly = visitors.documents(ANN)[0]
    kept = visitors.original(ANN, jelly.id)
    list(visitors.read_again(ANN, jelly.id))
    visitors.delete(ANN, visitors.documents(ANN)[0].id)
    assert names(visitors.documents(ANN)) == [("harbour.md", "default", True)]
    assert not kept.exists()


def traces(folder: Path) -> list[str]:
    """The files that hold anything of the secret document: its text, a word of it alone, or its vector."""
    vector = bytes(memoryview(bytearray(_vector())))
    wanted = (b"quince jelly", b"annabel", b"Annabel", vector[:64])
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path.relative_to(folder)) for path in files if any(each in path.read_bytes() for each in wanted)]


def _vector() -> bytes:
    import numpy as np

    return np.asarray(HashedEmbeddings().embed_query(SECRET.strip()), np.float32).tobytes()


@pytest.mark.parametrize("how", ["asked for", "swept", "late"])
def test_it_is_gone_with_every_byte_when_asked_for_and_when_its_time_is_over(
    start: Start, clock: Clock, tmp_path: Path, how: str
) -> None:
    visitors = start(visitor_hours=24)
    library, folder = visitors._library, tmp_path / "library"
    list(visitors.add(ANN, [file(tmp_path)]))
    list(visitors.add(BEN, [file(tmp_path, "ben.md", "Ben counts herons.\n")]))
    visitors._conversations.add_turn(ANN, None, KeptTurn("quince jelly?", "stopped", 1, (), "Annabel", None, ""))
    assert len(traces(folder)) >= 2
    clock.now += 23 * HOUR
    visitors.sweep()
    assert len(visitors.documents(ANN)) == 2  # and this is a use
    visitors.documents(BEN)
    clock.now += 23 * HOUR
    visitors.documents(BEN)
    if how == "asked for":
        visitors.forget(ANN)
    else:
        clock.now += 2 * HOUR
        visitors.documents(ANN) if how == "late" else None
        visitors.sweep()
    assert names(visitors.documents(ANN)) == [("harbour.md", "default", True)]
    assert visitors._conversations.infos(ANN) == []
    library._index.close()
    assert traces(folder) == []
    assert {each.source for each in visitors.documents(BEN)} == {"ben.md", "harbour.md"}
    assert {each.source for each in visitors.search(BEN, "herons")} == {"ben.md", "harbour.md"}
    assert problems(library.manifest, library._index) == []


def test_a_visitor_s_files_and_bytes_are_bounded(start: Start, tmp_path: Path) -> None:
    visitors = start(visitor_files=2, visitor_mb=1)
    list(visitors.add(ANN, [file(tmp_path)]))
    with pytest.raises(LibraryError, match=r"1 MiB together \(RAG_VISITOR_MB\); delete some"):
        list(visitors.add(ANN, [file(tmp_path, "long.txt", "x" * 2**20)]))
    list(visitors.add(ANN, [file(tmp_path, "more.txt", "more\n")]))
    with pytest.raises(LibraryError, match=r"may have 2 documents \(RAG_VISITOR_FILES\)"):
        list(visitors.add(ANN, [file(tmp_path, "third.txt", "third\n")]))
    list(visitors.add(BEN, [file(tmp_path, "third.txt", "third\n")]))
    several = [file(tmp_path, name, name) for name in ("4.txt", "5.txt", "6.txt")]
    reports = [each for each in visitors.add(BEN, several) if isinstance(each, FileReport)]
    assert [(each.source, each.state) for each in reports] == [
        ("4.txt", "added"),
        ("5.txt", "failed"),
        ("6.txt", "failed"),
    ]
    assert [each.path for each in reports] == [str(path) for path in several]
    assert "may have 2 documents (RAG_VISITOR_FILES)" in (reports[1].reason or "")


def test_on_one_s_own_machine_uploads_stay_and_all_collections_are_there(start: Start, tmp_path: Path) -> None:
    visitors = start(apart=False)
    list(visitors.add(EVERYONE, [file(tmp_path)]))
    note = file(tmp_path, "note.md", "A note on quinces.\n")
    with pytest.raises(LibraryError, match="there is no collection 'notes' any more"):
        list(visitors.add(EVERYONE, [note], "notes"))
    visitors.collections.make("notes")
    list(visitors.add(EVERYONE, [note], "notes"))
    assert names(visitors.documents(EVERYONE)) == [
        ("harbour.md", "default", False),
        ("jelly.md", "default", False),
        ("note.md", "notes", False),
    ]
    visitors.sweep()
    note = visitors.documents(EVERYONE)[2]
    found = visitors.search(EVERYONE, "quince", scope=Scope(("notes",)))
    assert [each.source for each in found] == ["note.md"]
    assert "note.md" not in {each.source for each in visitors.search(EVERYONE, "quince")}
    list(visitors.read_again(EVERYONE, note.id))
    assert names(visitors.documents(EVERYONE))[2] == ("note.md", "notes", False)  # in the collection where it was
    visitors.delete(EVERYONE, visitors.documents(EVERYONE)[2].id)
    assert len(visitors.documents(EVERYONE)) == 2


def test_no_collection_takes_a_visitor_s_name(tmp_path: Path) -> None:
    for name in ("visitor", "visitor-1"):
        with pytest.raises(SettingError, match="RAG_COLLECTION=visitor"):
            load_settings(library=tmp_path, collection=name)
    assert load_settings(library=tmp_path, collection="visitors").collection == "visitors"


def test_a_citation_of_another_is_not_shown(start: Start, tmp_path: Path) -> None:
    visitors = start()
    list(visitors.add(ANN, [file(tmp_path)]))
    forged = Citation(1, "jelly.md", None, 0, 10, 1.0, "", None, visitors.documents(ANN)[0].id)
    with pytest.raises(LibraryError, match="no longer in the library"):
        visitors.passage(BEN, forged)


def test_nobody_in_particular_removes_nothing(start: Start) -> None:
    for apart in (True, False):
        visitors = start(apart=apart)
        visitors._conversations.add_turn(EVERYONE, None, KeptTurn("mine?", "stopped", 1, (), "", None, ""))
        with pytest.raises(LibraryError, match="nothing of a visitor's"):
            visitors.forget(EVERYONE)
        assert visitors._conversations.infos(EVERYONE)


def test_an_account_is_a_visitor_of_its_own_whose_documents_and_conversations_stay(
    start: Start, clock: Clock, tmp_path: Path
) -> None:
    visitors = start(visitor_hours=1, visitor_files=1)
    ann, ben = visitors.account("user:ann"), visitors.account("user:ben")
    assert len({ann, ben, visitors.account("huggingface:ann"), "@" + hashlib.sha256(b"user:ann").hexdigest()}) == 4
    list(visitors.add(ann, [file(tmp_path)]))
    turn = KeptTurn("quince jelly?", "stopped", 1, (), "Annabel", None, "")
    visitors._conversations.add_turn(ann, None, turn)
    visitors._conversations.add_turn(ANN, None, turn)
    clock.now += 1000 * HOUR
    visitors.sweep()
    again = start(visitor_hours=1, visitor_files=1)  # another process, with the same library
    assert again.account("user:ann") == ann
    shared = ("harbour.md", "default", True)
    assert names(again.documents(ann)) == [("jelly.md", OWN, False), shared]
    assert names(again.documents(ben)) == [shared]
    assert [info.name for info in again._conversations.infos(ann)] == ["quince jelly?"]
    assert again._conversations.infos(ben) == again._conversations.infos(ANN) == []
    with pytest.raises(LibraryError, match=r"may have 1 documents \(RAG_VISITOR_FILES\)"):
        list(again.add(ann, [file(tmp_path, "more.md", "more\n")]))
    again.forget(ann)
    again._library._index.close()
    assert names(again.documents(ann)) == [shared]
    assert again._conversations.infos(ann) == []
    assert traces(tmp_path / "library") == []


def test_who_an_account_is_needs_no_writing_but_once(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call asks it, also while the disk is full or another writes."""
    visitors = start()
    ann = visitors.account("user:ann")
    monkeypatch.delattr(Database, "_write")
    assert visitors.account("user:ann") == ann
    assert visitors.account("user:ben") != ann


def test_where_all_share_one_library_an_account_is_everybody(start: Start) -> None:
    assert start(apart=False).account("user:ann") == EVERYONE
