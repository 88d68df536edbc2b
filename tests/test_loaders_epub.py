"""Books: chapters in their reading order."""

from __future__ import annotations

import pytest
from office_files import epub, unzipped, zipped

from rag.errors import DocumentError
from rag.loaders import load_bytes


def test_chapters_are_pages_in_reading_order() -> None:
    pages = load_bytes(epub("<h1>One</h1><p>Text</p>", "<ul><li>Item</li></ul>"), "a.epub")
    assert [page.metadata for page in pages] == [
        {"page": 1, "page_label": "chapter 1", "headings": [[0, 1, "One"]]},
        {"page": 2, "page_label": "chapter 2"},
    ]
    assert [page.page_content for page in pages] == ["# One\n\nText", "- Item"]


def encrypted(*names: str) -> str:
    return "<encryption>" + "".join(f'<CipherReference URI="OPS/{name}"/>' for name in names) + "</encryption>"


def test_a_book_with_locked_fonts_is_read_and_a_locked_one_is_not() -> None:
    assert load_bytes(epub("<p>Text</p>", encryption=encrypted("font.otf")), "a.epub")[0].page_content == "Text"
    with pytest.raises(DocumentError, match="locked by its seller"):
        load_bytes(epub("<p>Text</p>", encryption=encrypted("text/c0.xhtml")), "a.epub")


def test_a_package_that_names_no_book_is_damaged() -> None:
    parts = unzipped(epub("<p>Text</p>")) | {"META-INF/container.xml": "<container/>"}
    with pytest.raises(DocumentError, match="damaged, or not an EPUB"):
        load_bytes(zipped(parts), "a.epub")
