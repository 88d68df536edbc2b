"""Presentations: a page a slide."""

from __future__ import annotations

import io

import pytest
from office_files import pptx
from pptx import Presentation

from rag.errors import DocumentError
from rag.loaders import load_bytes


def test_slides_are_pages_with_lists_tables_charts_and_notes() -> None:
    pages = load_bytes(pptx(), "a.pptx")
    assert [page.metadata for page in pages] == [
        {"page": 1, "page_label": "slide 1", "headings": [[0, 1, "Safety first"]]},
        {"page": 2, "page_label": "slide 2", "headings": [[0, 1, "Sales"]]},
    ]
    assert pages[0].page_content == "# Safety first\n\n- Wear gloves\n  - Wear goggles\n\nNotes:\nShow the gloves."
    assert pages[1].page_content == ("# Sales\n\nPart | Price\nPump | 250\n\nChart:\nPumps\n2025 | 12\n2026 | 15.5")


def test_a_presentation_without_text_is_empty() -> None:
    presentation = Presentation()
    presentation.slides.add_slide(presentation.slide_layouts[6])
    out = io.BytesIO()
    presentation.save(out)
    with pytest.raises(DocumentError, match="there is no text in it"):
        load_bytes(out.getvalue(), "a.pptx")
