"""PDF: text from pdfium, page labels and a second reading from pypdf."""

from __future__ import annotations

import importlib
import io
import logging
import math
import re
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any

import pypdf
import pypdfium2
import pypdfium2.raw as pdfium
from langchain_core.documents import Document
from pypdf.errors import DependencyError, DeprecationError, PyPdfError

from rag.errors import DocumentError
from rag.loaders_context import PICTURES_HEAVY, PICTURES_OFF, PICTURES_UNREAD, reads_pictures, report_progress
from rag.loaders_embedded import Pictures
from rag.loaders_kind import PASSWORD

logger = logging.getLogger(__name__)
logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of every flaw that it then repairs

PDFIUM_LOCK = threading.Lock()  # for every use: pdfium is not thread-safe, not even across documents

# What pypdf lets out on a damaged file, besides its own errors.
_PYPDF_ERRORS = (
    PyPdfError,
    DependencyError,
    DeprecationError,
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)

Outline = dict[int, list[tuple[int, str]]]  # by a page's index: the level and title of what begins there

MAX_PAGES = 20_000
MAX_PICTURES = 2000  # pages of a document that are looked at: hours
_PIXELS = 2000  # of a page's longer side when it is looked at
_STAMP = 100  # characters that a scanner, or a copier, may have put on a page
_SPARSE = 500  # characters: of a page that holds more, the pictures are not looked at
_BESIDE = 20  # pictures of a page that are looked at beside its text
_BESIDE_PIXELS = 50 * 10**6  # of one of them
_ORNAMENT = 0.01  # share of the page, of a picture that is too small to say much
_SCAN = 0.6  # share of the page that a picture covers if it is a scan of it

# pdfium writes \x02 in place of a hyphen at a line's end and the line end after it.
BROKEN = "\x02\ufffe"
_BROKEN_WORD = re.compile(rf"(\w*)[{BROKEN}](\w*)")
_WORD = re.compile(r"\w+(?:-\w+)*")

Lines = list[tuple[int, int, float, float, float, float]]  # see loaders_ocr.Recognised


def load_pdf(data: bytes) -> list[Document]:
    """One Document per page. Raises DocumentError if it is locked, damaged, or holds no text."""
    texts, pictures, beside, outline = _read_with_pdfium(data)
    reader = _open_with_pypdf(data)
    if texts is None:
        if reader is None:
            raise DocumentError("it is damaged, or not a PDF at all")
        texts = [""] * _count_pages(reader)
    if not texts:
        raise DocumentError("it is a PDF without pages", "empty")
    if reader is not None:
        for index in [index for index, text in enumerate(texts) if not text.strip()]:
            report_progress(index, len(texts), "pages")
            texts[index] = _second_reading(reader, index)
    unread, lines = _read_pictures(data, texts, pictures)
    unread |= _read_beside(data, texts, [index for index in beside if index not in pictures])
    if not any(text.strip() for text in texts):
        why = "; ".join(dict.fromkeys(unread.values()))
        raise DocumentError(f"there is no text in it: {why}" if why else "there is no text in it", "empty")
    labels = _page_labels(reader, len(texts))
    return [
        Document(
            page_content=text,
            metadata={"page": index + 1, "page_label": label, "outline": outline.get(index, [])}
            | ({"unread": unread[index]} if index in unread else {})
            | ({"lines": lines[index]} if index in lines else {}),
        )
        for index, (text, label) in enumerate(zip(join_broken_words(texts), labels, strict=True))
    ]


def join_broken_words(texts: Sequence[str]) -> list[str]:
    """Put each hyphen that pdfium took out at a line's end back, or leave it out where it only broke a word.

    The rest of the document decides: the whole word stands elsewhere in it, or the hyphenated one does, or each half
    is a word of its own. A marker becomes "-" or nothing; nothing else changes.
    """
    if not any(mark in text for text in texts for mark in BROKEN):
        return list(texts)
    words = {word.lower() for text in texts for word in _WORD.findall(_BROKEN_WORD.sub(" ", text))}
    words |= {part for word in words for part in word.split("-")}

    def join(match: re.Match[str]) -> str:
        left, right = match[1].lower(), match[2].lower()
        if not left or not right or f"{left}-{right}" in words or match[2][:1].isupper() or match[1][-2:].isupper():
            return f"{match[1]}-{match[2]}"
        compound = left + right not in words and left in words and right in words
        return f"{match[1]}{'-' if compound else ''}{match[2]}"

    return [_BROKEN_WORD.sub(join, text) for text in texts]


def _read_with_pdfium(data: bytes) -> tuple[list[str] | None, list[int], list[int], Outline]:
    """The text of each page (None if pdfium cannot open the file), and the pages that are rather to be looked at.

    Then the pages of little text that have pictures beside it, and the outline.
    """
    with _opened(data) as document:
        if document is None:
            return None, [], [], {}
        if len(document) > MAX_PAGES:
            raise DocumentError(
                f"it is too large: {len(document):,} pages are over the limit of {MAX_PAGES:,}", "too_large"
            )
        pages = [_page_with_pdfium(document, index) for index in range(len(document))]
        outline = _outline(document)
    pictures = [index for index, (_, picture, _) in enumerate(pages) if picture]
    beside = [index for index, (*_, beside) in enumerate(pages) if beside]
    return [text for text, *_ in pages], pictures, beside, outline


def _outline(document: pypdfium2.PdfDocument) -> Outline:
    """What the document's own table of contents says begins on each page, by the page's index."""
    found: Outline = defaultdict(list)
    try:
        for entry in islice(document.get_toc(), MAX_PAGES):
            target = entry.get_dest()
            index = target.get_index() if target else None
            if index is not None and (title := entry.get_title().strip()):
                found[index].append((entry.level + 1, title))
    except (pypdfium2.PdfiumError, UnicodeDecodeError) as error:
        logger.info("the outline was left out", exc_info=error)
    return found


@contextmanager
def _opened(data: bytes) -> Iterator[pypdfium2.PdfDocument | None]:
    """The document under PDFIUM_LOCK, None where pdfium cannot open it. Raises DocumentError if it is locked."""
    with PDFIUM_LOCK:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            if error.err_code == pdfium.FPDF_ERR_PASSWORD:
                raise DocumentError(PASSWORD, "password") from None
            if error.err_code == pdfium.FPDF_ERR_SECURITY:
                raise DocumentError("it is locked in a way that cannot be read", "unsupported") from None
            document = None
        try:
            yield document
        finally:
            if document is not None:
                document.close()  # here, not when garbage is collected: that may be in a thread without the lock


def read_units(textpage: pypdfium2.PdfTextPage) -> str:
    """The characters of a page, each of which has one box on it; the calls for whole ranges drop and insert some.

    They are UTF-16 units: a surrogate pair is two of them. Whoever calls holds PDFIUM_LOCK.
    """
    return "".join(chr(pdfium.FPDFText_GetUnicode(textpage, n)) for n in range(textpage.count_chars()))


def _page_with_pdfium(document: pypdfium2.PdfDocument, index: int) -> tuple[str, bool, bool]:
    report_progress(index, len(document), "pages")
    try:
        page = document[index]
    except pypdfium2.PdfiumError:
        logger.info("pdfium cannot open page %d", index + 1)
        return "", False, False
    try:
        textpage = page.get_textpage()
        units = read_units(textpage)
        textpage.close()
        text = units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
        return text, _is_picture(page, text), len(text.strip()) < _SPARSE and bool(_beside(page))
    except pypdfium2.PdfiumError:
        logger.info("pdfium finds no text page on page %d", index + 1)
        return "", True, False
    finally:
        page.close()


def _is_picture(page: pypdfium2.PdfPage, text: str) -> bool:
    """Whether the page has something on it but no text to speak of: at most a stamp on a scan, or letters unknown."""
    said = text.strip()
    if not said:
        return bool(pdfium.FPDFPage_CountObjects(page) > 0)
    if sum(letter == "\ufffd" or "\ue000" <= letter <= "\uf8ff" for letter in said) * 2 > len(said):
        return True
    if len(said) >= _STAMP:
        return False
    width, height = page.get_size()
    boxes = (image.get_bounds() for image in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=3))
    return any((right - left) * (top - bottom) > _SCAN * width * height for left, bottom, right, top in boxes)


def _read_pictures(data: bytes, texts: list[str], pictures: Sequence[int]) -> tuple[dict[int, str], dict[int, Lines]]:
    """Put the text that is recognised on these pages in its place.

    Returns why which of them could not be read, and where the lines of those that were stand.
    """
    if not reads_pictures():
        return {index: PICTURES_OFF for index in pictures if not texts[index].strip()}, {}
    unread: dict[int, str] = {}
    lines: dict[int, Lines] = {}
    for number, index in enumerate(pictures):
        if number == MAX_PICTURES:
            late = f"pictures beyond the first {MAX_PICTURES:,}"
            return unread | {index: late for index in pictures[number:] if not texts[index].strip()}, lines
        report_progress(number, len(pictures), "scanned pages")
        with _opened(data) as document:
            pixels = _draw(document, index) if document else None
        ocr = importlib.import_module("rag.loaders_ocr")  # only now: it brings its models with it
        text, placed = ("", []) if pixels is None else ocr.read_picture(pixels)
        if len(text) > len(texts[index].strip()):
            texts[index], lines[index] = text, placed
        elif not texts[index].strip() and (pixels is None or not ocr.is_blank(pixels)):
            unread[index] = PICTURES_UNREAD
    return unread, lines


def _beside(page: pypdfium2.PdfPage) -> list[pypdfium2.PdfImage]:
    """The pictures on a page that are neither ornaments nor a scan of all of it."""
    width, height = page.get_size()
    images = page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=3)
    areas = [
        ((right - left) * (top - bottom), image)
        for image in images
        for left, bottom, right, top in [image.get_bounds()]
    ]
    return [image for area, image in areas if _ORNAMENT < area / max(1, width * height) < _SCAN]


def _read_beside(data: bytes, texts: list[str], indices: Sequence[int]) -> dict[int, str]:
    """Put what is written on the pictures of these pages behind the pages' text; why which could not be read."""
    unread: dict[int, str] = {}
    pictures = Pictures()
    for number, index in enumerate(indices if reads_pictures() else ()):
        if pictures.is_full:
            break
        report_progress(number, len(indices), "pages with pictures")
        try:
            for lines in _lines_beside(data, index, pictures):
                texts[index] += "\n\n" + "\n".join(lines) if lines else ""
        except (DocumentError, MemoryError) as error:  # the text that the page has is not lost with its pictures
            logger.info("the pictures of page %d were left out", index + 1, exc_info=error)
            unread[index] = PICTURES_HEAVY if isinstance(error, MemoryError) else str(error)
    return unread


def _lines_beside(data: bytes, index: int, pictures: Pictures) -> Iterator[list[str]]:
    """What is written on each picture of a page; one at a time is unpacked, and none that was met before."""
    with _opened(data) as document:
        if document is None:
            return
        page = document[index]
        try:
            for image in _beside(page)[:_BESIDE]:
                try:
                    if math.prod(image.get_px_size()) <= _BESIDE_PIXELS:
                        yield pictures.lines(bytes(image.get_data()), partial(_scaled, image))
                except (pypdfium2.PdfiumError, ArithmeticError, ValueError, TypeError, OSError) as error:
                    logger.info("a picture of page %d was left out", index + 1, exc_info=error)
        finally:
            page.close()


def _scaled(image: pypdfium2.PdfImage) -> bytes:
    """A picture as a file, as it stands on its page, and no larger than it is looked at."""
    left, bottom, right, top = image.get_bounds()
    width, height = right - left, top - bottom
    dots = max(max(image.get_px_size()) / max(width, height), min(image.get_px_size()) / min(width, height))
    scale = min(dots, _PIXELS / max(width, height))
    image.set_matrix(image.get_matrix().scale(scale, scale))  # pdfium makes it smaller while it unpacks it
    out = io.BytesIO()
    image.get_bitmap(render=True, scale_to_original=False).to_pil().convert("RGB").save(out, "BMP")
    return out.getvalue()


def _draw(document: pypdfium2.PdfDocument, index: int) -> Any:
    """A page as pixels of shape (height, width, 3), or None."""
    try:
        page = document[index]
        try:
            return page.render(scale=_PIXELS / max(page.get_size()), rev_byteorder=False).to_numpy().copy()
        finally:
            page.close()
    except (pypdfium2.PdfiumError, ArithmeticError, ValueError, TypeError):
        logger.info("pdfium cannot draw page %d", index + 1)
        return None


def _open_with_pypdf(data: bytes) -> pypdf.PdfReader | None:
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted:
            reader.decrypt("")
        return reader
    except _PYPDF_ERRORS as error:
        logger.info("pypdf cannot open the file: %s", error)
        return None


def _count_pages(reader: pypdf.PdfReader) -> int:
    try:
        return len(reader.pages)
    except _PYPDF_ERRORS as error:
        raise DocumentError("it is damaged: no page of it can be read") from error


def _second_reading(reader: pypdf.PdfReader, index: int) -> str:
    try:
        return reader.pages[index].extract_text()
    except _PYPDF_ERRORS as error:
        logger.info("pypdf cannot read page %d: %s", index + 1, error)
        return ""


def _page_labels(reader: pypdf.PdfReader | None, count: int) -> list[str | None]:
    """What the document calls its pages; None for each where it says nothing."""
    try:
        if reader is None or "/PageLabels" not in reader.root_object:
            return [None] * count
        labels = [label or None for label in reader.page_labels[:count]]
    except _PYPDF_ERRORS as error:
        logger.info("pypdf cannot read the page labels: %s", error)
        return [None] * count
    return labels + [None] * (count - len(labels))
