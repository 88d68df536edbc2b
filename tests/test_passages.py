"""A passage in its surroundings: its page where that can be drawn, the reason where not, and its best sentences."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from fpdf import FPDF
from hashed_library import HashedEmbeddings
from langchain_core.documents import Document
from PIL import Image

from benchmarks.marks import squeezed, text_under
from rag.config import load_settings
from rag.errors import LibraryError
from rag.ingestion import Ingester
from rag.loaders import RECORDINGS
from rag.manifest import Fingerprint, Manifest
from rag.passages import MEDIA_TYPES, best_sentences, load_passage
from rag.splitter import document_text
from rag.store import VectorIndex
from rag.types import Answer, Citation, Recording, Sentence, Timings

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

    def put(self, name: str, data: bytes, *pages: Document) -> Path:
        """Add a file as if these pages had been read of it."""
        path = self.folder / name
        path.write_bytes(data)
        print_ = Fingerprint(hashlib.sha256(data).hexdigest(), len(data), path.stat().st_mtime_ns, "recipe")
        self.manifest.publish(self.manifest.add_document("default", str(path), name, print_, pages, []))
        return path

    def cite_text(self, cited: str) -> Citation:
        """A citation of a text that stands once in the document, by its place alone."""
        (document,) = self.manifest.documents()
        pages = self.manifest.pages(document.id)
        start = document_text(pages).index(cited)
        (page,) = (page for page in pages if cited in page.page_content)
        where = page.metadata
        return Citation(
            1, document.source, where["page"], start, start + len(cited), 0.5, cited, where["page_label"], document.id
        )

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


def test_every_chunk_is_marked_on_its_own_page_also_where_a_sentence_goes_on_overleaf(shelf: Shelf) -> None:
    lines = [f"Part {n} of the kettle is checked every {n + 2} years, and" for n in range(60)]
    document = FPDF(unit="pt", format=(400, 300))
    document.set_auto_page_break(True, 20)
    document.add_page(label_style="R")
    document.set_font("Helvetica", size=11)
    document.multi_cell(0, 14, " ".join(lines) + " so on.")  # breaks the page wherever it is full
    data = shelf.add("a.pdf", bytes(document.output())).read_bytes()
    (info,) = shelf.manifest.documents()
    chunks = list(shelf.manifest.chunks(shelf.manifest.chunk_ids(info.id)).values())
    assert {chunk.metadata["page"] for chunk in chunks} == set(range(1, info.pages + 1))
    assert info.pages > 2
    ends = [(chunk.metadata["start"], chunk.metadata["end"]) for chunk in chunks]
    assert any(second[0] < first[1] for first, second in pairwise(ends))  # they overlap
    for chunk in chunks:
        passage = load_passage(
            shelf.manifest,
            Citation.from_chunk(1, chunk.model_copy(update={"metadata": {**chunk.metadata, "score": 0.5}})),
        )
        assert passage.image is not None
        assert text_under(data, chunk.metadata["page"] - 1, passage.image.marks) == squeezed(chunk.page_content)
    label = chunks[-1].metadata["page_label"]
    assert (label, chunks[-1].metadata["page"]) == ({3: "III", 4: "IV", 5: "V", 6: "VI"}[info.pages], info.pages)


SEEN = Document(
    "Fill to the line.\nDescale every 60 days.",
    metadata={"page": None, "page_label": None, "lines": [(0, 17, 0.1, 0.1, 0.5, 0.2), (18, 40, 0.1, 0.5, 0.6, 0.6)]},
)


@pytest.mark.parametrize("name", ["sign.png", "sign.txt", "sign.JPG"])
def test_a_passage_of_a_picture_is_marked_on_it(shelf: Shelf, name: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (200, 100), "white").save(file, "PNG")
    path = shelf.put(name, file.getvalue(), SEEN)
    passage = load_passage(
        shelf.manifest, shelf.cite_text("Descale every 60 days."), answer(Sentence("60 days.", (1,)))
    )
    assert passage.image is not None
    assert [(mark.left, mark.top, mark.best) for mark in passage.image.marks] == [(0.1, 0.5, False), (0.1, 0.5, True)]
    assert (passage.problem, passage.pages) == (None, 0)
    path.write_bytes(b"other")
    assert load_passage(shelf.manifest, shelf.cite_text("Fill")).problem == ("changed" if name != "sign.txt" else None)
    path.unlink()
    assert load_passage(shelf.manifest, shelf.cite_text("Fill")).problem == ("gone" if name != "sign.txt" else None)


def test_a_picture_that_was_read_before_its_lines_were_kept_is_shown_without_marks(shelf: Shelf) -> None:
    file = io.BytesIO()
    Image.new("RGB", (200, 100), "white").save(file, "PNG")
    bare = Document(SEEN.page_content, metadata={"page": None, "page_label": None})
    shelf.put("sign.png", file.getvalue(), bare)
    passage = load_passage(shelf.manifest, shelf.cite_text("Fill"))
    assert passage.image is not None
    assert (passage.image.marks, passage.problem) == ((), "unmarked")


def test_a_page_of_a_tiff_is_the_one_that_is_cited(shelf: Shelf) -> None:
    pages = [Image.new("L", (20, 10), shade) for shade in (0, 255)]
    file = io.BytesIO()
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    read = [
        Document(text, metadata={"page": number, "page_label": None, "lines": [(0, 3, 0.0, 0.0, 1.0, 1.0)]})
        for number, text in enumerate(("Dark page.", "Light page."), start=1)
    ]
    shelf.put("fax.tif", file.getvalue(), *read)
    passage = load_passage(shelf.manifest, shelf.cite_text("Light page."))
    assert passage.image is not None
    assert Image.open(io.BytesIO(passage.image.data)).convert("L").getpixel((3, 3)) == 255
    assert len(passage.image.marks) == 1


MINUTES = (
    Document(
        "Welcome all. The lock opens at seven.",
        metadata={"page": 1, "page_label": "at 0:02-0:50", "moments": [(0, 12, 2.5), (13, 37, 21.75)]},
    ),
    Document(
        "Boats wait outside. The fee is nine crowns. Thank you.",
        metadata={"page": 2, "page_label": "at 1:01:02-1:01:50", "moments": [(0, 43, 3662.25), (44, 54, 3701.0)]},
    ),
)


def test_a_passage_of_a_recording_begins_when_its_best_sentence_is_said(shelf: Shelf) -> None:
    path = shelf.put("talk.mp3", b"ID3\x04 recorded", *MINUTES)
    whole = shelf.cite_text(MINUTES[0].page_content)
    assert load_passage(shelf.manifest, whole).recording == Recording(2.5, "audio/mpeg")
    told = answer(Sentence("The lock opens at seven.", (1,)))
    assert load_passage(shelf.manifest, whole, told).recording == Recording(21.75, "audio/mpeg")
    assert load_passage(shelf.manifest, shelf.cite_text("The fee is")).recording == Recording(3662.25, "audio/mpeg")
    assert load_passage(shelf.manifest, shelf.cite_text("Thank you.")).recording == Recording(3701, "audio/mpeg")
    path.write_bytes(b"ID3\x04 another!")
    passage = load_passage(shelf.manifest, whole)
    assert (passage.problem, passage.text) == ("changed", whole.text)
    path.unlink()
    assert load_passage(shelf.manifest, whole).problem == "gone"


def test_of_a_recording_no_more_is_read_than_tells_that_it_has_not_changed(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shelf.put("talk.mp3", b"ID3\x04 recorded", *MINUTES)
    cited = shelf.cite_text("Thank you.")
    monkeypatch.delattr(Path, "read_bytes")
    with monkeypatch.context() as within:
        within.delattr(hashlib, "file_digest")
        assert load_passage(shelf.manifest, cited).problem is None
    os.utime(path, (1, 1))
    assert load_passage(shelf.manifest, cited).problem is None


def test_a_recording_that_was_heard_before_its_moments_were_kept_begins_at_its_minute(shelf: Shelf) -> None:
    bare = [
        Document(page.page_content, metadata={name: page.metadata[name] for name in ("page", "page_label")})
        for page in MINUTES
    ]
    shelf.put("talk.webm", b"\x1a\x45\xdf\xa3 recorded", *bare)
    assert load_passage(shelf.manifest, shelf.cite_text("Thank you.")).recording == Recording(3662, "video/webm")
    assert load_passage(shelf.manifest, shelf.cite_text("Welcome")).recording == Recording(2, "video/webm")


def test_every_recording_that_is_read_has_a_media_type_and_subtitles_are_none(shelf: Shelf) -> None:
    assert set(MEDIA_TYPES) == RECORDINGS
    shelf.put("talk.srt", b"1\n00:00:02 --> 00:00:03\nWelcome\n", MINUTES[0])
    assert load_passage(shelf.manifest, shelf.cite_text("Welcome")).recording is None


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
