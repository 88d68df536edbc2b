"""Pictures and scanned pages: what is written on them is read, what cannot be read is said, and no bomb goes off."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pillow_heif
import pytest
from fpdf import FPDF
from langchain_core.documents import Document
from PIL import Image, ImageChops, ImageDraw, ImageFont

from rag import loaders_ocr
from rag.errors import DocumentError
from rag.loaders import load_documents
from rag.loaders_ocr import Recognised, _in_order, _Line, is_blank, read_picture

TEXT = ("The harbour lamp was lit at dusk.", "It burned for seven hours.", "Nobody saw the boat return.")
UNREAD = "pictures in which no text could be read"


def picture(*lines: str, size: tuple[int, int] = (1000, 400), background: str = "white") -> Image.Image:
    made = Image.new("RGB", size, background)
    draw, font = ImageDraw.Draw(made), ImageFont.load_default(size=44)
    for number, line in enumerate(lines):
        draw.text((60, 50 + 90 * number), line, "black", font)
    return made


def encoded(made: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    if kind == "HEIF":
        pillow_heif.from_pillow(made).save(out)
    else:
        made.save(out, kind, **options)
    return out.getvalue()


def load(tmp_path: Path, name: str, data: bytes, *, ocr: bool = True) -> list[Document]:
    (tmp_path / name).write_bytes(data)
    return load_documents(tmp_path / name, max_bytes=2**25, ocr=ocr)


def refusal(tmp_path: Path, name: str, data: bytes, *, ocr: bool = True) -> tuple[str, str]:
    with pytest.raises(DocumentError) as caught:
        load(tmp_path, name, data, ocr=ocr)
    return caught.value.outcome, str(caught.value)


def scan(*pages: Image.Image | str) -> bytes:
    """A PDF of pictures and of pages of text."""
    document = FPDF()
    document.set_font("helvetica", size=12)
    for page in pages:
        document.add_page()
        if isinstance(page, str):
            document.text(20, 20, page)
        else:
            document.image(page, x=10, y=10, w=190)
    return bytes(document.output())


def lines(*boxes: tuple[float, float, float, str]) -> list[_Line]:
    """Lines of 10 pixels in height from left, top, right and text."""
    return [_Line(left, top, right, top + 10, text) for left, top, right, text in boxes]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), [("a.png", "PNG"), ("a.heic", "HEIF")])
def test_a_picture_is_read_in_the_order_of_its_lines(tmp_path: Path, name: str, kind: str) -> None:
    made = picture(*TEXT)
    (page,) = load(tmp_path, name, encoded(made, kind))
    assert (page.page_content, page.metadata["page"], page.metadata["page_label"]) == ("\n".join(TEXT), None, None)
    assert_lines_lie_over(page, made)


@pytest.mark.slow
@pytest.mark.parametrize("turn", [90, 180])
def test_a_picture_that_lies_on_its_side_or_head_is_read_in_order(tmp_path: Path, turn: int) -> None:
    turned = picture(*TEXT).rotate(turn, expand=True)
    (page,) = load(tmp_path, "a.webp", encoded(turned, "WEBP"))
    assert page.page_content == "\n".join(TEXT)
    assert_lines_lie_over(page, turned)


@pytest.mark.slow
def test_a_document_of_pages_scans_and_blanks(tmp_path: Path) -> None:
    noise = Image.effect_noise((300, 300), 90).convert("RGB")
    data = scan("Only words here.", picture(*TEXT), picture(), noise)
    pages = load(tmp_path, "a.pdf", data)
    assert [page.page_content for page in pages] == ["Only words here.", "\n".join(TEXT), "", ""]
    assert [page.metadata.get("unread") for page in pages] == [None, None, None, UNREAD]
    assert ["lines" in page.metadata for page in pages] == [False, True, False, False]
    assert [pages[1].page_content[start:end] for start, end, *_ in pages[1].metadata["lines"]] == list(TEXT)
    pages = load(tmp_path, "a.pdf", data, ocr=False)
    assert [page.page_content for page in pages] == ["Only words here.", "", "", ""]
    assert [page.metadata.get("unread") for page in pages] == [None, *["pictures are not read (RAG_OCR=off)"] * 3]


@pytest.mark.slow
def test_the_pages_of_a_tiff(tmp_path: Path) -> None:
    data = encoded(picture(TEXT[0]), "TIFF", save_all=True, append_images=[picture(), picture(TEXT[1])])
    pages = load(tmp_path, "a.tif", data)
    assert [(page.metadata["page"], page.page_content) for page in pages] == [(1, TEXT[0]), (2, ""), (3, TEXT[1])]


def ink(made: Image.Image) -> tuple[int, int, int, int]:
    """What is written on a picture of white ground: left, top, right, bottom."""
    return ImageChops.invert(made.convert("L")).point(lambda level: 255 * (level > 60)).getbbox() or (0, 0, 0, 0)


def assert_lines_lie_over(page: Document, made: Image.Image) -> None:
    """Each box holds one line of TEXT, the whole of it, and no other."""
    width, height = made.size
    left = made.convert("RGB")
    for (start, end, *box), line in zip(page.metadata["lines"], TEXT, strict=True):
        assert page.page_content[start:end] == line
        edges = (box[0] * width, box[1] * height, box[2] * width, box[3] * height)
        around = tuple(round(edge) + side for edge, side in zip(edges, (-6, -6, 6, 6), strict=True))
        inked = ink(left.crop(around))
        assert inked[2] - inked[0] > 0.5 * (around[2] - around[0] - 12)
        assert inked[3] - inked[1] > 0.5 * (around[3] - around[1] - 12)
        left.paste("white", around)
    assert ink(left) == (0, 0, 0, 0)


def test_where_a_line_stands_is_told_of_the_picture_as_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    lines_of = {
        (100, 200): [
            _Line(20, 10, 120, 20, "Above."),
            _Line(20, 30, 60, 40, "Left"),
            _Line(100, 31, 180, 41, "right."),
        ],
        (200, 100): [_Line(10, 20, 20, 120, "...")],
    }
    monkeypatch.setattr(loaders_ocr, "is_blank", lambda pixels: False)
    monkeypatch.setattr(loaders_ocr, "_recognise", lambda pixels: lines_of[pixels.shape[:2]])
    monkeypatch.setattr(loaders_ocr, "_upside_down", lambda pixels, lines: False)
    wide, high = np.zeros((100, 200, 3), np.uint8), np.zeros((200, 100, 3), np.uint8)
    assert read_picture(wide) == Recognised(
        "Above.\nLeft right.",
        [(0, 6, 0.1, 0.1, 0.6, 0.2), (7, 11, 0.1, 0.3, 0.3, 0.4), (12, 18, 0.5, 0.31, 0.9, 0.41)],
    )
    # On its side: what runs right in the turned picture runs down in this one, at its right
    assert read_picture(high).lines[0] == (0, 6, 0.8, 0.1, 0.9, 0.6)
    monkeypatch.setattr(loaders_ocr, "_upside_down", lambda pixels, lines: True)
    overturned = read_picture(wide)
    assert overturned.text == "right. Left\nAbove."
    assert overturned.lines[2] == (12, 18, 0.1, 0.1, 0.6, 0.2)


def test_without_ocr_pictures_are_refused(tmp_path: Path) -> None:
    data = encoded(picture(TEXT[0]), "PNG")
    assert refusal(tmp_path, "a.png", data, ocr=False) == ("unsupported", "pictures are not read (RAG_OCR=off)")
    assert refusal(tmp_path, "a.pdf", scan(picture(TEXT[0])), ocr=False) == (
        "empty",
        "there is no text in it: pictures are not read (RAG_OCR=off)",
    )


def test_an_empty_picture_is_empty(tmp_path: Path) -> None:
    for mode in ("RGB", "RGBA", "L", "P", "1", "I;16", "CMYK"):
        kind = "TIFF" if mode in ("CMYK", "I;16") else "PNG"
        assert refusal(tmp_path, "a.png", encoded(Image.new(mode, (60, 40)), kind))[0] == "empty"


def test_a_picture_that_unpacks_to_very_much_is_refused(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 200_000, 200_000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(10**6)))
        + chunk(b"IEND", b"")
    )
    assert refusal(tmp_path, "a.png", bomb) == (
        "too_large",
        "it is too large: 200,000 x 200,000 pixels are over the limit of 150 million",
    )


def test_a_damaged_picture_is_refused(tmp_path: Path) -> None:
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "HEIF"):
        data = encoded(picture(), kind)
        for share in (0.02, 0.5):
            outcome, _ = refusal(tmp_path, "a.png", data[: int(len(data) * share) + 8])
            assert outcome in ("corrupt", "empty")


def rows(page: list[_Line]) -> list[str]:
    return [" ".join(line.text for line in row) for row in _in_order(page, 420)]


def test_columns_are_read_one_after_the_other_and_tables_row_by_row() -> None:
    columns = [(left, 40 + 12 * row, left + 200, f"{left}/{row}") for row in range(5) for left in (0, 220)]
    page = lines((100, 0, 320, "Title"), *columns, (0, 140, 420, "Footer right across"))
    assert rows(page) == [
        "Title", *(f"0/{row}" for row in range(5)), *(f"220/{row}" for row in range(5)), "Footer right across"
    ]  # fmt: skip
    table = [(0, 20, 40, "Item"), (100, 21, 160, "Price"), (0, 40, 90, "A long name"), (100, 39, 120, "7")]
    table += [(0, 60, 30, "Cup"), (100, 61, 130, "12"), (0, 80, 35, "Pot"), (100, 80, 120, "9")]
    assert rows(lines(*table)) == ["Item Price", "A long name 7", "Cup 12", "Pot 9"]
    assert rows([]) == []


def test_blank_is_what_has_no_ink() -> None:
    import numpy as np

    assert is_blank(np.full((100, 100, 3), 200, np.uint8))
    assert not is_blank(np.asarray(picture("i")))
