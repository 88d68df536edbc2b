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
from PIL import Image, ImageDraw, ImageFont

from rag.errors import DocumentError
from rag.loaders import load_documents
from rag.loaders_ocr import _in_order, _Line, is_blank

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
    assert load(tmp_path, name, encoded(picture(*TEXT), kind)) == [
        Document(page_content="\n".join(TEXT), metadata={"page": None, "page_label": None})
    ]


@pytest.mark.slow
@pytest.mark.parametrize("turn", [90, 180])
def test_a_picture_that_lies_on_its_side_or_head_is_read_in_order(tmp_path: Path, turn: int) -> None:
    turned = picture(*TEXT).rotate(turn, expand=True)
    assert load(tmp_path, "a.webp", encoded(turned, "WEBP"))[0].page_content == "\n".join(TEXT)


@pytest.mark.slow
def test_a_document_of_pages_scans_and_blanks(tmp_path: Path) -> None:
    noise = Image.effect_noise((300, 300), 90).convert("RGB")
    data = scan("Only words here.", picture(*TEXT), picture(), noise)
    pages = load(tmp_path, "a.pdf", data)
    assert [page.page_content for page in pages] == ["Only words here.", "\n".join(TEXT), "", ""]
    assert [page.metadata.get("unread") for page in pages] == [None, None, None, UNREAD]
    pages = load(tmp_path, "a.pdf", data, ocr=False)
    assert [page.page_content for page in pages] == ["Only words here.", "", "", ""]
    assert [page.metadata.get("unread") for page in pages] == [None, *["pictures are not read (RAG_OCR=off)"] * 3]


@pytest.mark.slow
def test_the_pages_of_a_tiff(tmp_path: Path) -> None:
    data = encoded(picture(TEXT[0]), "TIFF", save_all=True, append_images=[picture(), picture(TEXT[1])])
    pages = load(tmp_path, "a.tif", data)
    assert [(page.metadata["page"], page.page_content) for page in pages] == [(1, TEXT[0]), (2, ""), (3, TEXT[1])]


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


def test_columns_are_read_one_after_the_other_and_tables_row_by_row() -> None:
    columns = [(left, 40 + 12 * row, left + 200, f"{left}/{row}") for row in range(5) for left in (0, 220)]
    page = lines((100, 0, 320, "Title"), *columns, (0, 140, 420, "Footer right across"))
    assert _in_order(page, 420) == [
        "Title", *(f"0/{row}" for row in range(5)), *(f"220/{row}" for row in range(5)), "Footer right across"
    ]  # fmt: skip
    table = [(0, 20, 40, "Item"), (100, 21, 160, "Price"), (0, 40, 90, "A long name"), (100, 39, 120, "7")]
    table += [(0, 60, 30, "Cup"), (100, 61, 130, "12"), (0, 80, 35, "Pot"), (100, 80, 120, "9")]
    assert _in_order(lines(*table), 420) == ["Item Price", "A long name 7", "Cup 12", "Pot 9"]
    assert _in_order([], 420) == []


def test_blank_is_what_has_no_ink() -> None:
    import numpy as np

    assert is_blank(np.full((100, 100, 3), 200, np.uint8))
    assert not is_blank(np.asarray(picture("i")))
