"""What an open library gives of its documents: text, file, and a second reading."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from filelock import FileLock, Timeout
from hashed_library import HashedLibrary, parsers

from rag.errors import LibraryError
from rag.library import Library
from rag.types import FileReport


@pytest.fixture
def hashed(tmp_path: Path) -> HashedLibrary:
    """A library of one file, made without the real embedding model."""
    hashed = HashedLibrary(tmp_path / "library")
    file = tmp_path / "apples.md"
    file.write_text("# Apples\n\nGreen apples are sour.\n")
    hashed.ingest(file)
    return hashed


@pytest.fixture
def library(hashed: HashedLibrary) -> Library:
    library = Library(hashed.settings)
    library._embeddings = hashed.embedder
    library._parsers = parsers()
    return library


def test_a_document_s_text_and_file(library: Library, tmp_path: Path) -> None:
    (info,) = library.documents()
    assert library.pages(info.id) == [("", "# Apples\n\nGreen apples are sour.\n")]
    assert library.original(info.id) == tmp_path / "apples.md"
    (tmp_path / "apples.md").unlink()
    with pytest.raises(LibraryError, match=r"'apples.md' is no longer where it was"):
        library.original(info.id)
    for read in (library.pages, library.original, library.read_again):
        with pytest.raises(LibraryError, match="no longer in the library"):
            read(info.id + 1)


def test_a_document_is_read_again_though_it_has_not_changed(library: Library, hashed: HashedLibrary) -> None:
    (before,) = library.documents()
    (report,) = [event for event in library.read_again(before.id) if hasattr(event, "reason")]
    assert (report.source, report.state) == ("apples.md", "changed")
    (after,) = library.documents()
    assert after.id != before.id
    assert (after.source, after.chunks) == (before.source, before.chunks)
    assert hashed.problems() == []


def test_reading_again_what_is_gone_says_so_and_keeps_what_was_read(library: Library, tmp_path: Path) -> None:
    (before,) = library.documents()
    (tmp_path / "apples.md").unlink()
    list(library.read_again(before.id))
    (after,) = library.documents()
    assert (after.id, after.state) == (before.id, "ready")
    assert "cannot be read" in (after.reason or "")


@pytest.fixture
def given(tmp_path: Path) -> list[Path]:
    """Two files to upload."""
    files = [tmp_path / "pears.txt", tmp_path / "broken.json"]
    files[0].write_text("Pears are soft in autumn.")
    files[1].write_text("[")
    return files


def kept(library: Library) -> set[str]:
    """The names of all that uploads left in the library's folder."""
    return {path.name for path in (library.settings.library / "uploads").rglob("*") if path.is_file()}


def test_of_an_upload_that_is_cancelled_no_copy_stays(library: Library, given: list[Path]) -> None:
    for collection in (None, "other"):
        run = library.upload(given, collection)
        next(run)
        assert kept(library) == {"pears.txt", "broken.json"}
        run.close()
        assert kept(library) == set()
    assert [each.source for each in library.manifest.documents()] == ["apples.md"]


def test_each_file_of_an_upload_is_told_by_its_own_path(library: Library, given: list[Path], tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    same, other = tmp_path / "again" / "pears.txt", tmp_path / "again" / "apples.txt"
    same.write_text(given[0].read_text())
    other.write_text("Apples are sour.")
    (tmp_path / "apples.txt").write_text("Apples are green.")
    files = [given[0], same, other, tmp_path / "apples.txt"]
    reports = [event for event in library.upload(files) if isinstance(event, FileReport)]
    assert {(each.path, each.source, each.state) for each in reports} == {
        (str(given[0]), "pears.txt", "added"),
        (str(same), "pears.txt", "unchanged"),
        (str(other), "apples.txt", "added"),
        (str(tmp_path / "apples.txt"), "apples (2).txt", "added"),
    }


def test_of_an_upload_that_is_moved_while_others_are_added_the_copy_stays(library: Library, given: list[Path]) -> None:
    run = library.upload(given)
    next(event for event in run if isinstance(event, FileReport))
    pears = next(each for each in library.documents() if each.source == "pears.txt")
    library.collections.move([pears.id], library.collections.make("fruit"))
    run.close()
    assert library.original(pears.id).read_text() == "Pears are soft in autumn."


def test_of_an_upload_that_fails_what_was_there_before_stays(
    library: Library, given: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    list(library.upload(given[:1]))
    more = given[0].with_name("plums.txt")
    more.write_text("Plums are blue.")

    def full(texts: list[str]) -> list[list[float]]:
        raise LibraryError("the disk is full")

    monkeypatch.setattr(library._embeddings, "embed_documents", full)
    with pytest.raises(LibraryError, match="the disk is full"):
        list(library.upload([given[0], more]))
    assert kept(library) == {"pears.txt"}
    with pytest.raises(LibraryError, match="could not be kept"):
        list(library.upload([more, more.with_name("nowhere.txt")]))
    assert kept(library) == {"pears.txt"}


def test_the_copy_of_what_could_not_be_read_stays_with_its_document(library: Library, given: list[Path]) -> None:
    list(library.upload(given))
    assert kept(library) == {"pears.txt", "broken.json"}
    for document in library.documents():
        if document.source != "apples.md":
            library.delete(document.id)
    assert kept(library) == set()


def test_a_collection_s_copies_go_before_another_writer_has_its_turn(
    library: Library, given: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    list(library.upload(given, "other"))
    remove, waited = shutil.rmtree, []

    def rmtree(folder: Path) -> None:
        with pytest.raises(Timeout):
            FileLock(library.settings.library / "writer.lock", thread_local=False).acquire(timeout=0)
        waited.append(folder)
        remove(folder)

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    library.drop_collection("other")
    assert library.settings.library / "uploads" / "other" in waited
    assert kept(library) == set()
