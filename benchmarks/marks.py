"""How exactly the marks on a page lie over the cited passage: python -m benchmarks.marks DIR N

Takes N chunks at random from the PDFs of a folder, as the product cuts them, marks each on its page, and asks pdfium
anew, by position, which characters are under the marks. A chunk counts if those are its text but for white space, with
at most one character in twenty more, fewer or other. Chunks whose place is not known count as missed.
"""

from __future__ import annotations

import argparse
import ctypes
import random
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium

from rag.config import load_settings
from rag.errors import DocumentError
from rag.loaders import load_documents
from rag.loaders_pdf import PDFIUM_LOCK
from rag.page_image import load_page_image
from rag.splitter import document_text, split_documents
from rag.types import Mark

ENOUGH = 0.95
_GRID = 2**20


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


def main() -> None:
    """Draw, check, and print the share."""
    parser = argparse.ArgumentParser(prog="benchmarks.marks", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of PDFs")
    parser.add_argument("number", type=int, metavar="N", help="how many chunks to draw")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    settings = load_settings()
    drawn = []
    for path in sorted(options.folder.rglob("*.pdf")):
        try:
            pages = load_documents(path, max_bytes=settings.max_file_mb * 2**20)
        except DocumentError as error:
            print(f"{path.name}: not read: {error}")
            continue
        size, overlap = settings.chunk_size, settings.chunk_overlap
        chunks = split_documents(
            pages, chunk_size=size, chunk_overlap=overlap, max_tokens=size, count_tokens=lambda text: len(text) // 2
        )
        drawn += [(path, pages, chunk) for chunk in chunks]
    drawn = random.Random(options.seed).sample(drawn, min(options.number, len(drawn)))
    scores = []
    for path, pages, chunk in drawn:
        index = chunk.metadata["page"] - 1
        offset = len(document_text([*pages[:index], pages[index].model_copy(update={"page_content": ""})]))
        span = chunk.metadata["start"] - offset, chunk.metadata["end"] - offset
        data = path.read_bytes()
        image = load_page_image(data, index, pages[index].page_content, span)
        score = SequenceMatcher(
            None, squeezed(chunk.page_content), text_under(data, index, image.marks), autojunk=False
        ).ratio()
        scores.append(score)
        if score < ENOUGH:
            print(f"{path.name}, page {index + 1}, {span}: {score:.3f}")
    good = sum(score >= ENOUGH for score in scores)
    exact = sum(score == 1 for score in scores)
    print(
        f"{good} of {len(scores)} passages ({good / len(scores):.1%}) are under their marks, {exact} to the letter; "
        f"mean agreement {sum(scores) / len(scores):.4f}"
    )


if __name__ == "__main__":
    main()
