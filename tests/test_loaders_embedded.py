"""Pictures beside text: what is written on them is read with the document, each once, and never at its cost."""

from __future__ import annotations

import io
import re
import zipfile

import openpyxl
import pytest
from fpdf import FPDF
from office_files import W, docx, paragraph, related, unzipped, zipped
from openpyxl.drawing.image import Image as SheetImage
from PIL import Image, ImageDraw, ImageFont
from pptx import Presentation
from pptx.util import Cm

from rag import loaders_embedded, loaders_picture
from rag.errors import DocumentError
from rag.loaders import load_bytes
from rag.loaders_context import run
from rag.page_image import align

SAID = "The harbour lamp was lit at dusk."
READ = f"(in a picture: {SAID})"
DRAWING = '<w:p><w:r><w:drawing><blip xmlns:r="r" r:embed="image"/></w:drawing></w:r></w:p>'


def picture(text: str = SAID, size: tuple[int, int] = (1000, 160)) -> bytes:
    made = Image.new("RGB", size, "white")
    ImageDraw.Draw(made).text((60, 50), text, "black", ImageFont.load_default(size=44))
    out = io.BytesIO()
    made.save(out, "PNG")
    return out.getvalue()


def word(image: bytes) -> bytes:
    parts: dict[str, str | bytes] = {**unzipped(docx(paragraph("Before") + DRAWING + paragraph("After"), image="x"))}
    return zipped(parts | {"word/image.xml": image})


@pytest.mark.parametrize("kind", ["header", "footer", "footnotes", "endnotes", "comments"])
def test_pictures_beside_the_text_of_word_are_those_of_their_part(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(loaders_picture, "read_embedded", bytes.decode)
    note = kind.rstrip("s")
    inner = f'<w:{note} w:id="1">{DRAWING}</w:{note}>' if kind.endswith("s") else DRAWING
    refer = f'<w:p><w:r><w:{note}Reference w:id="1"/></w:r></w:p>' if kind.endswith("s") else ""
    root = f"<w:{kind} {W}>{inner}</w:{kind}>"
    parts: dict[str, str | bytes] = {**unzipped(docx(DRAWING + refer, image="x", **{kind: root}))}
    parts |= {"word/image.xml": b"of the body", "word/other.png": b"of the part"}
    parts[f"word/_rels/{kind}.xml.rels"] = related(image="other.png").replace('Id="r0"', 'Id="image"')
    (text,) = texts(zipped(parts), "a.docx")
    assert text.count("(in a picture: of the body)") == 1
    assert text.count("(in a picture: of the part)") == 1


def slides() -> bytes:
    presentation = Presentation()
    for _ in range(2):
        slide = presentation.slides.add_slide(presentation.slide_layouts[6])
        slide.shapes.add_picture(io.BytesIO(picture()), Cm(1), Cm(1))
        slide.shapes.add_textbox(Cm(1), Cm(9), Cm(9), Cm(2)).text_frame.text = "Words"
    out = io.BytesIO()
    presentation.save(out)
    return out.getvalue()


def sheets() -> bytes:
    book = openpyxl.Workbook()
    book.active.title = "A"
    book.active["A1"] = "Words"
    book.active.add_image(SheetImage(io.BytesIO(picture())), "C3")
    book.create_sheet("B")["A1"] = "More"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def pdf(text: str, width: float = 120) -> bytes:
    document = FPDF()
    document.set_font("helvetica", size=12)
    document.add_page()
    document.multi_cell(0, 6, text)
    document.image(io.BytesIO(picture()), x=20, y=150, w=width)
    return bytes(document.output())


def without_fill(data: bytes) -> bytes:
    """The presentation with its pictures' XML gone that says which file they show."""
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    fill = re.compile(rb"<p:blipFill>.*?</p:blipFill>", re.DOTALL)
    return zipped({name: fill.sub(b"", part) if "slides/slide" in name else part for name, part in parts.items()})


def texts(data: bytes, name: str) -> list[str]:
    return [page.page_content for page in load_bytes(data, name)]


def test_pictures_in_office_files_are_read_where_they_stand() -> None:
    assert texts(word(picture()), "a.docx") == [f"Before\n\n{READ}\nAfter"]
    assert texts(sheets(), "a.xlsx") == [f"# A\n\nWords\n\n{READ}", "# B\n\nMore"]
    first, second = texts(slides(), "a.pptx")
    assert READ in first and "Words" in first
    assert texts(without_fill(slides()), "a.pptx") == ["(picture: image.png)\n\nWords"] * 2
    assert second == "(picture: image.png)\n\nWords"  # the same picture says nothing new


def test_pictures_are_read_where_a_page_of_a_pdf_says_little() -> None:
    (page,) = texts(pdf("Before the picture."), "a.pdf")
    assert page.startswith("Before the picture.\n\n(in a picture: The harbour") and page.endswith("at dusk.)")
    (full,) = texts(pdf("A long story about pears. " * 40), "a.pdf")
    assert "harbour" not in full
    (small,) = texts(pdf("Before the picture.", width=15), "a.pdf")
    assert small == "Before the picture."


def test_a_picture_on_many_pages_is_unpacked_once_and_every_page_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    document = FPDF()
    document.set_font("helvetica", size=12)
    for number in range(5):
        document.add_page()
        document.cell(0, 6, f"Page {number}")
        document.image(io.BytesIO(picture(size=(3000, 480))), x=20, y=150, w=120)
    unpacked: list[bytes] = []
    told: list[tuple[int, int, str]] = []
    monkeypatch.setattr(loaders_picture, "read_embedded", lambda data: unpacked.append(data) or SAID)
    with run(lambda *step: told.append(step), True, None):
        pages = texts(bytes(document.output()), "a.pdf")
    assert pages == [f"Page 0\n\n{READ}", *(f"Page {number}" for number in range(1, 5))]
    assert [Image.open(io.BytesIO(data)).width for data in unpacked] == [2000]
    assert [step for step in told if step[2] == "pages with pictures"] == [
        (number, 5, "pages with pictures") for number in range(5)
    ]


@pytest.mark.parametrize(
    ("error", "why"), [(MemoryError(), "more memory"), (DocumentError("it is beyond bounds"), "beyond bounds")]
)
def test_what_pictures_cost_is_not_the_text(monkeypatch: pytest.MonkeyPatch, error: Exception, why: str) -> None:
    def fail(data: bytes) -> str:
        raise error

    monkeypatch.setattr(loaders_picture, "read_embedded", fail)
    (page,) = load_bytes(pdf("Before the picture."), "a.pdf")
    assert page.page_content == "Before the picture." and why in page.metadata["unread"]


def test_what_a_picture_says_has_no_place_among_the_letters_of_a_page() -> None:
    found = align("ab\r\n", f"ab\n\n\n{READ}")
    assert found is not None and found[:3] == [range(0, 1), range(1, 2), range(2, 4)]
    assert set(found[3:]) == {range(0)} and len(found) == 5 + len(READ)


def test_without_ocr_and_beyond_bounds_pictures_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with run(None, False, None):
        assert texts(word(picture()), "a.docx") == ["Before\n\nAfter"]
    monkeypatch.setattr(loaders_embedded, "MAX_LOOKS", 0)
    assert texts(word(picture()), "a.docx") == ["Before\n\nAfter"]


@pytest.mark.parametrize("image", [b"", b"no picture", picture()[:200], picture(size=(700, 30)), picture("- .")])
def test_a_picture_that_says_nothing_costs_nothing(image: bytes) -> None:
    assert texts(word(image), "a.docx") == ["Before\n\nAfter"]
