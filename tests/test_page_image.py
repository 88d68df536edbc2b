"""The marks on a page: under them stands what was cited, however the page is turned, cropped or encoded."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from pathlib import Path

import pypdf
import pytest
from fpdf import FPDF
from hypothesis import given
from hypothesis import strategies as st
from make_sample_pdfs import make_manual
from PIL import Image
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    NameObject,
    NumberObject,
    RectangleObject,
    StreamObject,
)

from benchmarks.marks import squeezed, text_under
from rag.errors import DocumentError
from rag.loaders import clean_text, load_documents
from rag.loaders_pdf import join_broken_words
from rag.page_image import align, load_page_image, load_picture_image, merge_lines
from rag.types import Mark

LINES = [f"Line {n} says that part {n * 37 % 100} of the kettle lasts {n + 3} years." for n in range(30)]


def lines_pdf() -> bytes:
    document = FPDF(unit="pt", format=(600, 800))
    document.add_page(label_style="r")
    document.set_font("Helvetica", size=11)
    for number, line in enumerate(LINES):
        document.text(60, 80 + 20 * number, line)
    return bytes(document.output())


def changed(data: bytes, *, rotate: int = 0, crop: tuple[int, int, int, int] | None = None) -> bytes:
    writer = pypdf.PdfWriter(io.BytesIO(data))
    for page in writer.pages:
        page.rotate(rotate)
        if crop:
            page.cropbox = RectangleObject(crop)
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def mapped_pdf(codes: bytes, mapping: dict[str, str]) -> bytes:
    """A line of these codes, some of which mean other text than they look like (a /ToUnicode table)."""
    rows = "\n".join(f"<{code}> <{text}>" for code, text in mapping.items())
    table = StreamObject()
    table.set_data(
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def\n"
        f"1 begincodespacerange <00> <ff> endcodespacerange\n{len(mapping)} beginbfchar\n{rows}\nendbfchar\n"
        "endcmap end end".encode()
    )
    content = DecodedStreamObject()
    content.set_data(b"BT /F1 20 Tf 50 100 Td (" + codes + b") Tj ET")
    writer = pypdf.PdfWriter()
    page = writer.add_blank_page(400, 200)
    font = {
        "/Type": NameObject("/Font"),
        "/Subtype": NameObject("/Type1"),
        "/BaseFont": NameObject("/Helvetica"),
        "/Encoding": NameObject("/WinAnsiEncoding"),
        "/FirstChar": NumberObject(32),
        "/LastChar": NumberObject(126),
        "/Widths": ArrayObject([NumberObject(600)] * 95),
        "/ToUnicode": writer._add_object(table),
    }
    fonts = DictionaryObject({NameObject("/F1"): DictionaryObject({NameObject(k): v for k, v in font.items()})})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    page[NameObject("/Contents")] = writer._add_object(content)
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def indexed(data: bytes, folder: Path) -> list[str]:
    """The pages' text as it goes into the library."""
    path = folder / "a.pdf"
    path.write_bytes(data)
    return [page.page_content for page in load_documents(path, max_bytes=10**8)]


def marked_text(data: bytes, index: int, text: str, span: tuple[int, int]) -> str:
    return text_under(data, index, load_page_image(data, index, text, span).marks)


def spans(text: str, count: int = 12) -> list[tuple[int, int]]:
    draw = random.Random(7)
    return [tuple(sorted(draw.sample(range(len(text)), 2))) for _ in range(count)]  # type: ignore[misc]


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("crop", [None, (40, 30, 580, 780)])
def test_any_span_stands_under_its_marks_turned_and_cropped(
    rotate: int, crop: tuple[int, int, int, int] | None, tmp_path: Path
) -> None:
    data = changed(lines_pdf(), rotate=rotate, crop=crop)
    (text,) = indexed(data, tmp_path)
    assert sorted(text.splitlines()) == sorted(LINES)  # pdfium reads some turned pages from the foot
    for start, end in spans(text):
        assert marked_text(data, 0, text, (start, end)) == squeezed(text[start:end])


def test_a_mark_is_where_the_line_is_drawn(tmp_path: Path) -> None:
    data = lines_pdf()
    (text,) = indexed(data, tmp_path)
    start = text.index(LINES[5])
    image = load_page_image(data, 0, text, (start, start + len(LINES[5])))
    (mark,) = image.marks
    assert (mark.left * 600, (mark.top + mark.height) * 800) == pytest.approx((60, 180), abs=4)
    assert mark.top * 800 == pytest.approx(170, abs=3)
    # Turned by a quarter, the line runs down the page at its right
    turned = changed(data, rotate=90)
    (text,) = indexed(turned, tmp_path)
    start = text.index(LINES[5])
    (down,) = load_page_image(turned, 0, text, (start, start + len(LINES[5]))).marks
    assert (down.left, down.top, down.width, down.height) == pytest.approx(
        (1 - mark.top - mark.height, mark.left, mark.height, mark.width), abs=0.005
    )


def test_what_lies_outside_the_visible_page_has_no_mark(tmp_path: Path) -> None:
    data = changed(lines_pdf(), crop=(0, 500, 600, 800))
    (text,) = indexed(data, tmp_path)
    first, last = (
        load_page_image(data, 0, text, (text.index(line), text.index(line) + 20)) for line in (LINES[0], LINES[-1])
    )
    assert first.marks
    assert last.marks == ()


def test_the_samples_with_labels_hyphens_and_tables_are_marked_to_the_letter(tmp_path: Path) -> None:
    data = bytes(make_manual("2026", []).output())
    for index, text in enumerate(indexed(data, tmp_path)):
        for start, end in spans(text, 3):
            assert marked_text(data, index, text, (start, end)) == squeezed(text[start:end])


def test_best_marks_lie_on_top_of_the_others(tmp_path: Path) -> None:
    data = lines_pdf()
    (text,) = indexed(data, tmp_path)
    best = (text.index(LINES[1]), text.index(LINES[1]) + len(LINES[1]))
    marks = load_page_image(data, 0, text, (0, best[1] + 30), [best]).marks
    assert [mark.best for mark in marks] == [False, False, False, True]
    assert text_under(data, 0, marks[-1:]) == squeezed(LINES[1])


@pytest.mark.parametrize(
    ("mapping", "text"),
    [
        ({"42": "00660069"}, "AfiC"),  # a ligature: one glyph, two characters
        ({"42": "d83dde00"}, "A\U0001f600C"),  # one character, two units
        ({"41": "d83dde00", "43": "d83dde01"}, "\U0001f600B\U0001f601"),
    ],
)
def test_glyphs_that_are_not_one_character_each(mapping: dict[str, str], text: str, tmp_path: Path) -> None:
    data = mapped_pdf(b"ABC", mapping)
    (read,) = indexed(data, tmp_path)
    assert read.strip() == text
    (mark,) = load_page_image(data, 0, read, (len(read.rstrip()) - 1, len(read.rstrip()))).marks
    assert mark.left * 400 == pytest.approx(50 + 2 * 12, abs=2)  # each glyph is 12 points wide
    (mark,) = load_page_image(data, 0, read, (0, len(read))).marks
    assert (mark.left * 400, mark.width * 400) == pytest.approx((50, 36), abs=3)


def test_text_of_another_reader_is_shown_without_marks() -> None:
    image = load_page_image(lines_pdf(), 0, "What pypdf has read.", (0, 4))
    assert image.marks == ()
    assert Image.open(io.BytesIO(image.data)).size == (image.width, image.height) == (1200, 1600)


@pytest.mark.parametrize(("data", "index"), [(b"no PDF", 0), (lines_pdf(), 5), (lines_pdf()[:300], 0)])
def test_a_page_that_cannot_be_drawn_is_a_document_error(data: bytes, index: int) -> None:
    with pytest.raises(DocumentError, match="cannot be"):
        load_page_image(data, index, "", (0, 0))


@pytest.mark.parametrize("size", [(3, 3), (14000, 200), (200, 14000)])
def test_the_picture_is_bounded_whatever_the_page_measures(size: tuple[int, int]) -> None:
    document = FPDF(unit="pt", format=size)
    document.add_page()
    image = load_page_image(bytes(document.output()), 0, "", (0, 0))
    assert 1 <= image.width <= 1201
    assert 1 <= image.height <= 2401


def test_a_photograph_is_a_jpeg_and_light_letters_on_a_dark_ground_are_told(tmp_path: Path) -> None:
    noise = Image.frombytes("RGB", (300, 300), random.Random(1).randbytes(270_000))
    document = FPDF(unit="pt", format=(300, 300))
    document.add_page()
    document.image(noise, 0, 0, 300, 300)
    assert load_page_image(bytes(document.output()), 0, "", (0, 0)).media_type == "image/jpeg"
    document = FPDF(unit="pt", format=(300, 300))
    document.add_page()
    document.set_font("Helvetica", size=20)
    document.rect(0, 0, 300, 150, "F")
    document.set_text_color(255)
    document.text(30, 100, "Light")
    document.set_text_color(0)
    document.text(30, 250, "Black")
    data = bytes(document.output())
    (text,) = indexed(data, tmp_path)
    light, black = (load_page_image(data, 0, text, (text.index(w), text.index(w) + 5)) for w in ("Light", "Black"))
    assert (light.dark, black.dark, black.media_type) == (True, False, "image/png")


@given(st.lists(st.sampled_from(["ab", "-", "\x02", "\ufffe", "\r\n", "\n", "\x01", " ", "\U0001f600", "\ud83d", "c"])))
def test_the_indexed_text_is_led_back_to_the_units_it_was_made_of(parts: Sequence[str]) -> None:
    units = "".join(
        chr(int.from_bytes(pair, "little"))
        for part in parts
        for data in [part.encode("utf-16-le", "surrogatepass")]
        for pair in (data[at : at + 2] for at in range(0, len(data), 2))
    )
    text = clean_text(join_broken_words([units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")])[0])
    found = align(units, text)
    assert found is not None
    for char, origin in zip(text, found, strict=True):
        raw = units[origin.start : origin.stop]
        raw = raw.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        assert char == raw or (char, raw) in (("\n", "\r\n"), ("-", "\x02"), ("-", "\ufffe"))
    assert align(units, text + "x") is None


def test_lines_are_merged_across_and_down_but_not_over_a_gap_or_a_line_end() -> None:
    row = [(n * 6.0, 0.0, n * 6.0 + 5, 10.0) for n in range(4)]
    assert merge_lines(row) == [(0, 0, 23, 10)]
    assert merge_lines([*row, (100, 0, 105, 10)]) == [(0, 0, 23, 10), (100, 0, 105, 10)]
    assert merge_lines([*row, None, (0, 11, 5, 21)]) == [(0, 0, 23, 10), (0, 11, 5, 21)]
    assert merge_lines([*row, (0, 11, 5, 21)]) == [(0, 0, 23, 10), (0, 11, 5, 21)]
    assert merge_lines([(x1, y1, x2, y2) for y1, x1, y2, x2 in row]) == [(0, 0, 10, 23)]
    assert merge_lines([]) == []


def test_marks_are_shares_of_the_page() -> None:
    data = lines_pdf()
    text = "\n".join(LINES)
    for mark in load_page_image(data, 0, text, (0, len(text))).marks:
        assert isinstance(mark, Mark)
        assert 0 <= mark.left <= mark.left + mark.width <= 1
        assert 0 <= mark.top <= mark.top + mark.height <= 1


SEEN = [(0, 5, 0.1, 0.2, 0.5, 0.3), (6, 12, 0.1, 0.4, 0.9, 0.5), (13, 20, 0.1, 0.6, 0.3, 0.7)]  # lines of a picture


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def test_a_picture_is_shown_upright_with_marks_over_the_lines_that_are_cited() -> None:
    picture = Image.new("RGB", (400, 200), "white")
    picture.paste("red", (0, 0, 200, 100))
    turned = Image.Exif()
    turned[0x0112] = 6  # to be shown turned to the right by a quarter
    image = load_picture_image(encoded(picture, "JPEG", exif=turned), 0, SEEN, (3, 8), [(6, 8)])
    assert (image.width, image.height, image.dark) == (200, 400, False)
    shown = Image.open(io.BytesIO(image.data)).convert("RGB")
    assert shown.getpixel((150, 100))[1] < 60 < shown.getpixel((50, 100))[1]
    assert [(mark.left, mark.top, mark.best) for mark in image.marks] == [
        (0.1, 0.2, False),
        (0.1, 0.4, False),
        (0.1, 0.4, True),
    ]
    assert [mark.width for mark in image.marks] == pytest.approx([0.4, 0.8, 0.8])


def test_a_page_of_a_tiff_and_a_picture_on_nothing() -> None:
    pages = [Image.new("L", (3000, 100), shade) for shade in (0, 255)]
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    shades = []
    for index in range(2):
        image = load_picture_image(data, index, SEEN, (0, 5))
        assert (image.width, image.height) == (1200, 40)
        shades.append((Image.open(io.BytesIO(image.data)).convert("L").getpixel((5, 5)), image.dark))
    assert shades == [(0, True), (255, False)]
    nothing = load_picture_image(encoded(Image.new("RGBA", (40, 40)), "PNG"), 0, [], (0, 5))
    assert Image.open(io.BytesIO(nothing.data)).convert("L").getpixel((5, 5)) == 255
    assert nothing.marks == ()


@pytest.mark.parametrize(("data", "index"), [(b"no picture", 0), (encoded(Image.new("L", (9, 9)), "TIFF"), 1)])
def test_a_picture_that_cannot_be_drawn_is_a_document_error(data: bytes, index: int) -> None:
    with pytest.raises(DocumentError, match="cannot be drawn"):
        load_picture_image(data, index, SEEN, (0, 5))


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_a_scanned_page_is_marked_where_its_lines_were_seen(rotate: int) -> None:
    document = FPDF(unit="pt", format=(300, 600))
    document.add_page()
    document.image(Image.new("RGB", (30, 60), "white"), 0, 0, 300, 600)
    data = changed(bytes(document.output()), rotate=rotate)
    image = load_page_image(data, 0, "Seen. Marked. Further.", (6, 13), [], SEEN)  # seen on the page as it is turned
    assert [(mark.left, mark.top, mark.best) for mark in image.marks] == [(0.1, 0.4, False)]
    assert (image.width > image.height) == (rotate in (90, 270))


def test_a_passage_that_goes_on_overleaf_is_marked_to_the_foot_of_its_page(tmp_path: Path) -> None:
    data = lines_pdf()
    (text,) = indexed(data, tmp_path)
    start = text.index(LINES[-2])
    assert marked_text(data, 0, text, (start, len(text) + 500)) == squeezed(text[start:])


def test_passages_that_overlap_are_each_marked_whole(tmp_path: Path) -> None:
    data = lines_pdf()
    (text,) = indexed(data, tmp_path)
    for start in range(0, len(text) - 600, 500):
        for span in ((start, start + 600), (start + 500, start + 600)):
            assert marked_text(data, 0, text, span) == squeezed(text[slice(*span)])
