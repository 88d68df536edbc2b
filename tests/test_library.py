"""What an open library gives of its documents: text, file, and a second reading."""

from __future__ import annotations

from pathlib import Path

import pytest
from hashed_library import HashedLibrary, parsers

from rag.errors import LibraryError
from rag.library import Library


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
