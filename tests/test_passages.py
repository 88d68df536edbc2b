"""A passage in its surroundings: its page where that can be drawn, the reason where not, and its best sentences."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from fpdf import FPDF
from hashed_library import HashedEmbeddings

from benchmarks.marks import squeezed, text_under
from rag.config import load_settings
from rag.errors import LibraryError
from rag.ingestion import Ingester
from rag.manifest import Manifest
from rag.passages import best_sentences, load_passage
from rag.store import VectorIndex
from rag.types import Answer, Citation, Sentence, Timings

CLAIM = "Descale every 60 days in hard water."
PAGES = (
    "Contents\nDescaling and the warranty.",
    "Fill to the line and boil.\nDescale every 60 days in hard water.\nRinse twice after that.",
    "The warranty ends after two years.",
)


def pdf(*pages: str) -> bytes:
    document = FPDF()
    document.set_font("Helvetica", size=12)
    for number, text in enumerate(pages):
        document.add_page(label_style="r" if number == 0 else None)
        document.multi_cell(0, 8, text)
    return bytes(document.output())


@dataclass
class Shelf:
    """A library's manifest, and a way into it for a file."""

    folder: Path
    manifest: Manifest
    ingester: Ingester

    def add(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        list(self.ingester.ingest([path]))
        return path

    def cite(self, page: int | None, cited: str) -> Citation:
        (document,) = self.manifest.documents()
        chunks = self.manifest.chunks(self.manifest.chunk_ids(document.id)).values()
        chunk = next(chunk for chunk in chunks if cited in chunk.page_content and chunk.metadata["page"] == page)
        chunk.metadata["score"] = 0.5
        return Citation.from_chunk(1, chunk)


@pytest.fixture
def shelf(tmp_path: Path, hashed_embeddings: HashedEmbeddings) -> Shelf:
    settings = load_settings(library=tmp_path / "library", chunk_size=100, chunk_overlap=10)
    manifest = Manifest(settings.library / "manifest.sqlite")
    index = VectorIndex(settings.library / "chroma", manifest)
    return Shelf(tmp_path, manifest, Ingester(settings, manifest, index, hashed_embeddings))


def answer(*claims: Sentence, question: str = "q") -> Answer:
    return Answer(question, "", False, claims, (), (), Timings(0, 0, 0, 0, 0, 0, 0), "m")


def test_a_passage_of_a_pdf_is_marked_on_its_page(shelf: Shelf) -> None:
    data = shelf.add("a.pdf", pdf(*PAGES)).read_bytes()
    citation = shelf.cite(2, CLAIM)
    passage = load_passage(shelf.manifest, citation, answer(Sentence(CLAIM, (1,)), Sentence("Rinse twice.", (2,))))
    assert (passage.page, passage.page_label, passage.pages, passage.problem) == (2, "ii", 3, None)
    assert passage.text == citation.text
    assert [passage.text[start:end] for start, end in passage.best] == [CLAIM]
    assert passage.image is not None
    marks = passage.image.marks
    assert text_under(data, 1, [mark for mark in marks if not mark.best]) == squeezed(passage.text)
    assert text_under(data, 1, [mark for mark in marks if mark.best]) == squeezed(CLAIM)


def test_without_an_answer_nothing_is_marked_stronger(shelf: Shelf) -> None:
    shelf.add("a.pdf", pdf(*PAGES))
    passage = load_passage(shelf.manifest, shelf.cite(3, "warranty"))
    assert passage.best == ()
    assert passage.image is not None
    assert not any(mark.best for mark in passage.image.marks)


def test_a_pdf_by_another_name_is_drawn_and_text_is_not(shelf: Shelf) -> None:
    shelf.add("a.txt", pdf(*PAGES))
    assert load_passage(shelf.manifest, shelf.cite(1, "Contents")).image is not None
    shelf.add("a.txt", b"Plain text about a kettle.")
    passage = load_passage(shelf.manifest, shelf.cite(None, "kettle"))
    assert (passage.image, passage.problem, passage.text) == (None, None, "Plain text about a kettle.")


def another_pdf_of_the_same_size(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"%PDF-1.3", b"%PDF-1.4"))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (Path.unlink, "gone"),
        (lambda path: path.write_bytes(pdf("Other.")), "changed"),
        (another_pdf_of_the_same_size, "changed"),
    ],
)
def test_a_file_that_is_not_what_was_read_is_not_shown(
    shelf: Shelf, change: Callable[[Path], object], problem: str
) -> None:
    path = shelf.add("a.pdf", pdf(*PAGES))
    citation = shelf.cite(2, CLAIM)
    before = path.read_bytes()
    change(path)
    assert not path.exists() or path.read_bytes() != before
    passage = load_passage(shelf.manifest, citation)
    assert (passage.image, passage.problem, passage.text) == (None, problem, citation.text)


def test_a_file_whose_time_alone_changed_is_shown(shelf: Shelf) -> None:
    path = shelf.add("a.pdf", pdf(*PAGES))
    os.utime(path, (1, 1))
    assert load_passage(shelf.manifest, shelf.cite(2, CLAIM)).image is not None


def test_a_page_read_by_pypdf_is_shown_without_marks(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.loaders_pdf.read_units", lambda textpage: "")
    shelf.add("a.pdf", pdf(*PAGES))
    monkeypatch.undo()
    monkeypatch.setattr("rag.page_image.read_units", lambda textpage: "")
    passage = load_passage(shelf.manifest, shelf.cite(2, CLAIM))
    assert passage.problem == "unmarked"
    assert passage.image is not None
    assert passage.image.marks == ()


def test_a_deleted_document_has_no_passages(shelf: Shelf) -> None:
    shelf.add("a.pdf", pdf(*PAGES))
    citation = shelf.cite(2, CLAIM)
    shelf.ingester.delete(citation.document_id)
    with pytest.raises(LibraryError, match="no longer in the library"):
        load_passage(shelf.manifest, citation)


TEXT = (
    "The kettle has a filter. The element is covered\nfor 5 years by the warranty. Damage by limescale\n"
    "is excluded.\n\nNet sales 90 94\nGross profit 40 43"
)


@pytest.mark.parametrize(
    ("claims", "question", "best"),
    [
        (["The element is covered for 5 years."], "", ["The element is covered\nfor 5 years by the warranty."]),
        (["Limescale damage is excluded."], "", ["Damage by limescale\nis excluded."]),
        (["Gross profit was 43."], "", ["Gross profit 40 43"]),
        (["It has a filter.", "There is a filter."], "", ["The kettle has a filter."]),
        (["Gross profit was 43.", "It has a filter."], "", ["The kettle has a filter.", "Gross profit 40 43"]),
        (["In 2026 the element was covered."], "", []),
        (["In 2026 the element was covered."], "And 2026?", ["The element is covered\nfor 5 years by the warranty."]),
        (["Bananas are yellow."], "", []),
        ([], "", []),
    ],
)
def test_the_sentence_that_supports_a_claim_best_is_found(claims: list[str], question: str, best: list[str]) -> None:
    assert [TEXT[start:end] for start, end in best_sentences(TEXT, claims, question)] == best


def test_no_text_has_no_best_sentence() -> None:
    assert best_sentences("", ["A claim."]) == ()
