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
from rag.loaders import PICTURES, RECORDINGS, true_suffix
from rag.manifest import Manifest
from rag.page_image import load_page_image, load_picture_image
from rag.splitter import PAGE_BREAK, document_text
from rag.types import Answer, Citation, DocumentInfo, PageImage, Passage, PictureProblem, Recording

_SURROUNDINGS = 1500  # characters shown on either side of a cited passage
_HEAD = 1024  # bytes of a file that tell what it is
_FULL = 0.6  # of the longest line: one that is shorter than this was ended on purpose
_BEGIN = re.compile(r"at (?:(\d+):)?(\d+):(\d\d)")  # of the label that loaders_speech gives a page
MEDIA_TYPES = {
    **dict.fromkeys((".ogg", ".oga", ".opus"), "audio/ogg"),
    **dict.fromkeys((".mp4", ".m4v"), "video/mp4"),
    **dict.fromkeys((".mpg", ".mpeg"), "video/mpeg"),
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".m4a": "audio/mp4",
    ".flac": "audio/flac",
    ".aac": "audio/aac",
    ".wma": "audio/x-ms-wma",
    ".aiff": "audio/aiff",
    ".amr": "audio/amr",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".avi": "video/x-msvideo",
    ".wmv": "video/x-ms-wmv",
    ".3gp": "video/3gpp",
}
_SHOWN = {".pdf", *PICTURES, *RECORDINGS}
_WRAPPED = re.compile(r"[^\W\d_]$|[,;–—-]$")  # how a line ends whose sentence goes on: not with a figure of a table


def load_passage(manifest: Manifest, citation: Citation, answer: Answer | None = None) -> Passage:
    """A citation in its surroundings; of a PDF or a picture with its page. `answer` is the one that cites it.

    Raises LibraryError when its document is gone from the library.
    """
    document = manifest.document(citation.document_id)
    pages = manifest.pages(citation.document_id)
    text = document_text(pages)
    cited = text[citation.start : citation.end]
    claims = [s.text for s in answer.sentences if citation.number in s.citations] if answer else []
    best = best_sentences(cited, claims, answer.question if answer else "")
    image, recording, problem = _original(manifest, document, pages, citation, best)
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
        recording=recording,
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


def _original(
    manifest: Manifest,
    document: DocumentInfo,
    pages: Sequence[Document],
    citation: Citation,
    best: Sequence[tuple[int, int]],
) -> tuple[PageImage | None, Recording | None, PictureProblem | None]:
    """The page of a citation, or when it is heard, and what is wrong with that. Nothing where a format has neither."""
    path = Path(document.path)
    position = (citation.page or 1) - 1
    offset = 0  # of the page in the document; a chunk stands on one page
    for page in pages[:position]:
        offset += len(page.page_content) + len(PAGE_BREAK)
    start = citation.start - offset
    stronger = [(start + first, start + last) for first, last in best]
    data: bytes | None = None
    problem: PictureProblem | None = None
    suffix = path.suffix.lower()
    try:
        suffix = _true_suffix(path)
        if suffix in RECORDINGS:
            problem = None if _is_unchanged(manifest, document, path) else "changed"
        elif suffix in _SHOWN:
            data = _unchanged_data(manifest, document, path)
            problem = None if data else "changed"
    except OSError:
        problem = "gone" if suffix in _SHOWN else None
    if suffix in RECORDINGS:
        second = _second(manifest, citation, position, stronger[0][0] if stronger else start)
        return None, Recording(second, MEDIA_TYPES[suffix]), problem
    if data is None:
        return None, None, problem
    lines, span = manifest.lines(citation.document_id, position), (start, citation.end - offset)
    try:
        if suffix == ".pdf":
            image = load_page_image(data, position, pages[position].page_content, span, stronger, lines)
        else:
            image = load_picture_image(data, position, lines, span, stronger)
    except DocumentError:
        return None, None, "unreadable"
    return image, None, None if image.marks else "unmarked"


def _true_suffix(path: Path) -> str:
    """The suffix by content, or by name where the content cannot be read."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    try:
        return true_suffix(head, path.name)
    except DocumentError:  # it is not what was read
        return path.suffix.lower()


def _second(manifest: Manifest, citation: Citation, position: int, at: int) -> float:
    """When the character at an offset of a page is heard; of what was read before that was kept, when the page is."""
    begun = [second for start, _, second in manifest.moments(citation.document_id, position) if start <= at]
    if begun:
        return begun[-1]
    label = _BEGIN.match(citation.page_label or "")
    hours, minutes, seconds = (int(part or 0) for part in label.groups()) if label else (0, 0, 0)
    return hours * 3600.0 + minutes * 60 + seconds


def _is_unchanged(manifest: Manifest, document: DocumentInfo, path: Path) -> bool:
    """Whether a file, which may be long, is the one that was indexed: by a stat or, where that differs, by a hash."""
    row, found = manifest.find(document.collection, document.path), path.stat()
    if row is None or row.id != document.id or found.st_size != document.size:
        return False
    if found.st_mtime_ns == row.fingerprint.mtime_ns:
        return True
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == row.fingerprint.sha256


def _unchanged_data(manifest: Manifest, document: DocumentInfo, path: Path) -> bytes | None:
    """The bytes of a document's file; None if they are no longer those that were indexed."""
    row = manifest.find(document.collection, document.path)
    if row is None or row.id != document.id or path.stat().st_size != document.size:
        return None
    data = path.read_bytes()
    return data if hashlib.sha256(data).hexdigest() == row.fingerprint.sha256 else None
