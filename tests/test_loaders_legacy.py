"""Word and PowerPoint of before 2007: read where they are of 97 or later, and refused with the reason where not."""

from __future__ import annotations

import pytest
from legacy_files import doc, ppt
from office_files import ole

from rag.errors import DocumentError
from rag.loaders import load_bytes


def refusal(data: bytes, name: str) -> tuple[str, str]:
    with pytest.raises(DocumentError) as caught:
        load_bytes(data, name)
    return caught.value.outcome, str(caught.value)


def test_an_old_word_document_is_read() -> None:
    (page,) = load_bytes(doc("Pears are soft – größer.\nApples are hard.\n"), "a.doc")
    assert page.page_content == "Pears are soft – größer.\n\nApples are hard."
    assert (page.metadata["page"], page.metadata["page_label"]) == (None, None)


def test_an_old_presentation_has_a_page_for_each_slide() -> None:
    pages = load_bytes(ppt(("Fruit", "Pears\rApples"), ("More", "Plums")), "a.ppt")
    assert [(page.page_content, page.metadata["page_label"]) for page in pages] == [
        ("Fruit\n\nPears\nApples", "slide 1"),
        ("More\n\nPlums", "slide 2"),
    ]


def test_one_with_a_password_says_so() -> None:
    assert refusal(doc("Pears.", encrypted=True), "a.doc") == (
        "password",
        "it needs a password; save a copy without one",
    )


def test_what_is_too_old_or_damaged_says_so() -> None:
    for name, streams in (
        ("a.ppt", {"PowerPoint Document": bytes(5000), "Current User": bytes(20)}),
        ("a.doc", {"WordDocument": b"\xdc\xa5" + bytes(5000)}),
    ):
        outcome, why = refusal(ole(streams), name)
        assert (outcome, "LibreOffice" in why) == ("unsupported", True)
    assert refusal(ole({"WordDocument": bytes(5000)}), "a.doc") == (
        "corrupt",
        "it is damaged, or not a Word document at all",
    )
    assert refusal(b"plain words", "a.doc")[0] == "corrupt"
