"""Named collections: documents change places as they are, and neither a kill nor a name leaves the library wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hashed_library import HashedLibrary, contents, parsers, problems

from rag.errors import LibraryError
from rag.library import Library
from rag.named_collections import NamedCollections
from rag.types import DocumentInfo, FileReport, Scope


@pytest.fixture
def hashed(tmp_path: Path) -> HashedLibrary:
    hashed = HashedLibrary(tmp_path / "library")
    for name, text in (("apples.md", "Green apples are sour.\n"), ("pears.md", "Pears are soft in autumn.\n")):
        (tmp_path / name).write_text(text)
        hashed.ingest(tmp_path / name)
    return hashed


@pytest.fixture
def library(hashed: HashedLibrary) -> Library:
    library = Library(hashed.settings)
    library._embeddings = hashed.embedder
    library._parsers = parsers()
    return library


@pytest.fixture
def collections(library: Library) -> NamedCollections:
    return library.collections


def test_a_visitor_s_documents_are_moved_nowhere(
    library: Library, collections: NamedCollections, tmp_path: Path
) -> None:
    """They are still there where visitors were kept apart once, and any id can be sent."""
    list(library.upload([tmp_path / "pears.md"], "visitor-1"))
    (hidden,) = library.documents("visitor-1")
    with pytest.raises(LibraryError, match="no longer in the library"):
        collections.move([hidden.id], collections.make("fruit"))
    assert library.documents("visitor-1") == [hidden]


def named(library: Library, source: str) -> DocumentInfo:
    return next(each for each in library.manifest.documents() if each.source == source)


def found(library: Library, question: str, *names: str) -> list[str]:
    return [each.source for each in library.search(question, scope=Scope(names))]


@pytest.mark.parametrize("name", ["fruit", "Obst und Gemüse 2026", "合同", "a.b-c_"])
def test_a_document_moves_as_it_is_and_is_found_where_it_went(
    library: Library, collections: NamedCollections, hashed: HashedLibrary, name: str
) -> None:
    before, embedded = contents(library.manifest), list(hashed.embedder.embedded)
    assert collections.make(f"  {name} ") == name
    assert collections.names() == ["default", name]
    pears = named(library, "pears.md")
    collections.move([pears.id], name)
    assert hashed.embedder.embedded == embedded
    assert named(library, "pears.md") == DocumentInfo(
        pears.id, name, *(getattr(pears, field) for field in DocumentInfo.__slots__[2:])
    )
    assert found(library, "soft pears", name) == ["pears.md"]
    assert found(library, "soft pears", "default") == ["apples.md"]
    after = contents(library.manifest)
    assert {key: after[key] for key in ("pages", "chunks", "vectors")} == {
        key: before[key] for key in ("pages", "chunks", "vectors")
    }
    assert problems(library.manifest, library._index) == []
    collections.move([pears.id], "default")
    assert found(library, "soft pears", "default") == ["pears.md", "apples.md"]
    assert problems(library.manifest, library._index) == []


def test_only_an_empty_collection_can_be_removed_and_a_renamed_one_keeps_its_documents(
    library: Library, collections: NamedCollections
) -> None:
    collections.make("fruit")
    collections.move([named(library, "pears.md").id], "fruit")
    with pytest.raises(LibraryError, match="'fruit' is not empty; move or delete"):
        collections.drop("fruit")
    assert collections.rename("fruit", "fruit") == "fruit"
    assert collections.rename("fruit", "Orchard fruit") == "Orchard fruit"
    assert collections.names() == ["default", "Orchard fruit"]
    assert found(library, "soft pears", "Orchard fruit") == ["pears.md"]
    collections.move([named(library, "pears.md").id], "default")
    assert Library(library.settings).collections.names() == ["default", "Orchard fruit"]
    collections.drop("Orchard fruit")
    assert collections.names() == ["default"]


def test_what_cannot_be_is_refused_with_the_reason(library: Library, collections: NamedCollections) -> None:
    for name in ("", "-a", "a/b", "../a", "a.", "x" * 64, "a\x00"):
        with pytest.raises(LibraryError, match="1 to 63 letters, digits, spaces"):
            collections.make(name)
    for name in ("visitor", "visitor-1"):
        with pytest.raises(LibraryError, match="kept for visitors"):
            collections.make(name)
    with pytest.raises(LibraryError, match="there is a collection 'DEFAULT' already"):
        collections.make("DEFAULT")
    for change in (lambda: collections.drop("default"), lambda: collections.rename("default", "other")):
        with pytest.raises(LibraryError, match="RAG_COLLECTION"):
            change()
    with pytest.raises(LibraryError, match="there is no collection 'gone'"):
        collections.move([named(library, "pears.md").id], "gone")


def test_the_same_file_is_not_put_beside_itself(
    library: Library, collections: NamedCollections, tmp_path: Path
) -> None:
    collections.make("fruit")
    list(library._ingester("fruit").ingest([tmp_path / "pears.md"]))
    mine = next(each for each in library.manifest.documents("default") if each.source == "pears.md")
    with pytest.raises(LibraryError, match=r"'pears.md' is in 'fruit' already"):
        collections.move([mine.id], "fruit")
    assert problems(library.manifest, library._index) == []


def test_a_kill_between_the_steps_leaves_the_documents_where_the_manifest_says(
    library: Library, collections: NamedCollections, hashed: HashedLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    collections.make("fruit")
    pears = named(library, "pears.md").id

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:  # the vectors are in the new place, and not yet gone from the old one
        patch.setattr("rag.store_chroma.Chroma.delete", die)
        with pytest.raises(Killed):
            collections.move([pears], "fruit")
    library._index.close()
    again = Library(hashed.settings)
    again._embeddings = hashed.embedder
    assert found(again, "soft pears", "fruit") == ["pears.md"]
    assert found(again, "soft pears", "default") == ["apples.md"]
    assert problems(again.manifest, again._index) == []


def test_a_moved_upload_takes_its_copy_along_when_it_is_deleted(
    library: Library, collections: NamedCollections, tmp_path: Path
) -> None:
    collections.make("fruit")
    plums = tmp_path / "plums.txt"
    plums.write_text("Plums are blue.")
    (report,) = [each for each in library.upload([plums], "fruit") if isinstance(each, FileReport)]
    assert (report.path, report.state) == (str(plums), "added")
    moved = named(library, "plums.txt")
    collections.move([moved.id], "default")
    list(library.upload([plums], "fruit"))
    copy = library.original(moved.id)
    library.delete(moved.id)
    assert copy.exists()  # it is the file of the other one now
    library.delete(named(library, "plums.txt").id)
    assert not copy.exists()
