"""A citation in its surroundings: the passage in its text and on its page, its best sentences found."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from langchain_core.documents import Document

from rag.citations import split_sentences, support
from rag.errors import DocumentError
from rag.loaders_kind import find_kind
from rag.manifest import Manifest
from rag.page_image import load_page_image
from rag.splitter import PAGE_BREAK, document_text
from rag.types import Answer, Citation, DocumentInfo, PageImage, Passage, PictureProblem

_SURROUNDINGS = 1500  # characters shown on either side of a cited passage
_HEAD = 1024  # bytes of a file that tell whether it is a PDF
_FULL = 0.6  # of the longest line: one that is shorter than this was ended on purpose
_WRAPPED = re.compile(r"[^\W\d_]$|[,;–—-]$")  # how a line ends whose sentence goes on: not with a figure of a table


def load_passage(manifest: Manifest, citation: Citation, answer: Answer | None = None) -> Passage:
    """A citation in its surroundings; of a PDF with its page. `answer` is the one that cites it.

    Raises LibraryError when its document is gone from the library.
    """
    document = manifest.document(citation.document_id)
    pages = manifest.pages(citation.document_id)
    text = document_text(pages)
    cited = text[citation.start : citation.end]
    claims = [s.text for s in answer.sentences if citation.number in s.citations] if answer else []
    best = best_sentences(cited, claims, answer.question if answer else "")
    image, problem = _page_image(manifest, document, pages, citation, best)
    return Passage(
        source=document.source,
        page=citation.page,
        page_label=citation.page_label,
        pages=document.pages,
        before=text[max(0, citation.start - _SURROUNDINGS) : citation.start],
        text=cited,
        after=text[citation.end : citation.end + _SURROUNDINGS],
        best=best,
        image=image,
        problem=problem,
    )


def best_sentences(text: str, claims: Sequence[str], question: str = "") -> tuple[tuple[int, int], ...]:
    """For each claim the span of the sentence in `text` that supports it best, if any does; in order, each once."""
    spans, at = [], 0
    for piece in split_sentences(_unwrapped(text)):
        start = at + len(piece) - len(piece.lstrip())
        spans.append((start, start + len(piece.strip())))
        at += len(piece)
    best = set()
    for claim in claims:
        for known in (question, f"{question} {text}"):  # a sentence may say "it" for a name of the one before
            scores = [support(claim, text[start:end], known) for start, end in spans]
            if any(scores):
                break
        if any(scores):
            best.add(spans[scores.index(max(scores))])
    return tuple(sorted(best))


def _unwrapped(text: str) -> str:
    """The text with a space for each line end that only broke a line. Its offsets stay."""
    lines = text.split("\n")
    full = _FULL * max(map(len, lines))
    joined = lines[0]
    for line, following in pairwise(lines):
        wrapped = following[:1].islower() or (
            len(line) >= full and _WRAPPED.search(line) is not None and following[:1].isalnum()
        )
        joined += (" " if wrapped else "\n") + following
    return joined


def _page_image(
    manifest: Manifest,
    document: DocumentInfo,
    pages: Sequence[Document],
    citation: Citation,
    best: Sequence[tuple[int, int]],
) -> tuple[PageImage | None, PictureProblem | None]:
    """The page of a citation, and what is wrong with it; neither where the format has no pages to draw."""
    path = Path(document.path)
    named_pdf = path.suffix.lower() == ".pdf"
    if citation.page is None:
        return None, None
    try:
        if not named_pdf and not _begins_as_pdf(path):
            return None, None
        data = _unchanged_data(manifest, document, path)
    except OSError:
        return None, "gone" if named_pdf else None
    if data is None:
        return None, "changed"
    offset = 0  # of the page in the document; a chunk stands on one page
    for page in pages[: citation.page - 1]:
        offset += len(page.page_content) + len(PAGE_BREAK)
    start = citation.start - offset
    try:
        image = load_page_image(
            data,
            citation.page - 1,
            pages[citation.page - 1].page_content,
            (start, citation.end - offset),
            [(start + first, start + last) for first, last in best],
        )
    except DocumentError:
        return None, "unreadable"
    return image, None if image.marks else "unmarked"


def _begins_as_pdf(path: Path) -> bool:
    with path.open("rb") as file:
        kind = find_kind(file.read(_HEAD))
    return kind is not None and kind.suffix == ".pdf"


def _unchanged_data(manifest: Manifest, document: DocumentInfo, path: Path) -> bytes | None:
    """The bytes of a document's file; None if they are no longer those that were indexed."""
    row = manifest.find(document.collection, document.path)
    if row is None or row.id != document.id or path.stat().st_size != document.size:
        return None
    data = path.read_bytes()
    return data if hashlib.sha256(data).hexdigest() == row.fingerprint.sha256 else None
