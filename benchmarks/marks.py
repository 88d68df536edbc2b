"""How exactly the marks on a page lie over the cited passage: python -m benchmarks.marks DIR... [-n N]

Takes N passages at random from the PDFs of folders, as the product cuts them and as many of each folder, marks each on
its page, and reads anew what is under the marks: pdfium is asked, by position, which characters are there; where a page
is a scan, all else on it is painted over and the rest is recognised. A passage counts if that is its text but for white
space, with at most one character in twenty more, fewer or other (of a scan, one in five: it is recognised twice).
Passages whose place is not known count as missed.
"""

from __future__ import annotations

import argparse
import ctypes
import io
import random
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
from langchain_core.documents import Document
from PIL import Image

from rag.config import Settings, load_settings
from rag.errors import DocumentError
from rag.loaders import load_documents
from rag.loaders_ocr import read_picture
from rag.loaders_pdf import PDFIUM_LOCK
from rag.page_image import load_page_image
from rag.splitter import document_text, split_documents
from rag.types import Mark, PageImage

ENOUGH, ENOUGH_SCANNED = 0.95, 0.8
_GRID = 2**20
_EDGE = 0.003  # of the page, that is left around a mark when what is under it is recognised


def text_under(data: bytes, index: int, marks: Sequence[Mark]) -> str:
    """The characters of a page whose middle lies under a mark, by their positions alone; without white space."""
    with PDFIUM_LOCK:
        document = pypdfium2.PdfDocument(data)
        page = document[index]
        textpage = page.get_textpage()
        found = [n for n in range(textpage.count_chars()) if _is_under(_middle(page, textpage.get_charbox(n)), marks)]
        units = "".join(chr(pdfium.FPDFText_GetUnicode(textpage, n)) for n in found)
        document.close()
    return squeezed(units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))


def text_seen(image: PageImage) -> str:
    """What is recognised on a page where its marks are, all else being painted over; without white space."""
    picture = Image.open(io.BytesIO(image.data)).convert("RGB")
    shown = Image.new("RGB", picture.size, "white")
    for mark in image.marks:
        edges = (mark.left - _EDGE, mark.top - _EDGE, mark.left + mark.width + _EDGE, mark.top + mark.height + _EDGE)
        sides = (picture.width, picture.height) * 2
        box = tuple(round(min(max(edge, 0), 1) * side) for edge, side in zip(edges, sides, strict=True))
        shown.paste(picture.crop(box), box)
    return squeezed(read_picture(np.ascontiguousarray(np.asarray(shown)[:, :, ::-1])).text)


def squeezed(text: str) -> str:
    """The text without white space, and without hyphens, which pdfium sets aside at line ends."""
    return "".join(char for char in text if not char.isspace() and char not in "-\x00\x02\ufffe")


def _is_under(middle: tuple[float, float], marks: Sequence[Mark]) -> bool:
    x, y = middle
    return any(mark.left <= x <= mark.left + mark.width and mark.top <= y <= mark.top + mark.height for mark in marks)


def _middle(page: pypdfium2.PdfPage, box: tuple[float, float, float, float]) -> tuple[float, float]:
    """The middle of a box of the page's own coordinates, as shares of the page as it is seen."""
    left, bottom, right, top = box
    x, y = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDF_PageToDevice(page, 0, 0, _GRID, _GRID, 0, (left + right) / 2, (bottom + top) / 2, x, y)
    return x.value / _GRID, y.value / _GRID


Passage = tuple[Path, list[Document], Document]  # a file, its pages, and a chunk of them


def passages_of(folder: Path, settings: Settings) -> list[Passage]:
    """Every chunk of the PDFs in a folder; says which of them cannot be read."""
    found: list[Passage] = []
    for path in sorted(folder.rglob("*.pdf")):
        try:
            pages = load_documents(path, max_bytes=settings.max_file_mb * 2**20)
        except DocumentError as error:
            print(f"{path.name}: not read: {error}", flush=True)
            continue
        size, overlap = settings.chunk_size, settings.chunk_overlap
        chunks = split_documents(
            pages, chunk_size=size, chunk_overlap=overlap, max_tokens=size, count_tokens=lambda text: len(text) // 2
        )
        found += [(path, pages, chunk) for chunk in chunks]
    return found


def agreement(passage: Passage) -> tuple[float, bool]:
    """How much of a passage is under its marks, 0 to 1, and whether its page is a scan."""
    path, pages, chunk = passage
    index = chunk.metadata["page"] - 1
    page = pages[index]
    offset = len(document_text([*pages[:index], page.model_copy(update={"page_content": ""})]))
    span = chunk.metadata["start"] - offset, chunk.metadata["end"] - offset
    data, lines = path.read_bytes(), page.metadata.get("lines")
    image = load_page_image(data, index, page.page_content, span, lines=lines)
    found = text_seen(image) if lines else text_under(data, index, image.marks)
    cited = squeezed(page.page_content[slice(*_whole(span, lines))] if lines else chunk.page_content)
    return SequenceMatcher(None, cited, found, autojunk=False).ratio(), bool(lines)


def _whole(span: tuple[int, int], lines: Sequence[Sequence[float]]) -> tuple[int, int]:
    """A span of a scan, from the beginning of its first line to the end of its last one: lines are marked whole."""
    touched = [(int(line[0]), int(line[1])) for line in lines if line[0] < span[1] and line[1] > span[0]]
    return (touched[0][0], touched[-1][1]) if touched else span


def main() -> None:
    """Draw, check, and print the share."""
    parser = argparse.ArgumentParser(prog="benchmarks.marks", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="folder of PDFs")
    parser.add_argument("-n", "--number", type=int, default=200, metavar="N", help="passages in all (200)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    settings, draw = load_settings(), random.Random(options.seed)
    drawn: list[Passage] = []
    for left, folder in zip(range(len(options.folders), 0, -1), options.folders, strict=True):
        found = passages_of(folder, settings)
        drawn += draw.sample(found, min((options.number - len(drawn)) // left, len(found)))
    scores, scans, good = [], 0, 0
    for passage in drawn:
        score, scanned = agreement(passage)
        scores.append(score)
        scans += scanned
        if score >= (ENOUGH_SCANNED if scanned else ENOUGH):
            good += 1
        else:
            print(f"{passage[0].name}, page {passage[2].metadata['page']}: {score:.3f}", flush=True)
    print(
        f"{good} of {len(scores)} passages ({good / len(scores):.1%}) of {len({path for path, *_ in drawn})} files are "
        f"under their marks, {sum(score == 1 for score in scores)} to the letter, {scans} of them on scans; mean "
        f"agreement {sum(scores) / len(scores):.4f}"
    )


if __name__ == "__main__":
    main()
