"""What a loader knows of the run it is part of: whom to tell how far it is, and whether to read pictures and speech."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

from rag.errors import DocumentError

MAX_DEPTH = 5  # of files within files
MAX_NESTED = 5_000  # files within a file, at any depth
MAX_NESTED_BYTES = 1024 * 2**20  # of them all, unpacked

PICTURES_OFF = "pictures are not read (RAG_OCR=off)"
PICTURES_UNREAD = "pictures in which no text could be read"
PICTURES_HEAVY = "pictures that take more memory than there is (RAG_PARSE_MEMORY_MB)"

Report = Callable[[int, int, str], None]  # done, total (0: unknown), unit
Speech = Path | DocumentError
"""The folder of the speech model, or why recordings are not read."""

NO_SPEECH = DocumentError("recordings are not read here", "unsupported")


class SpeechModelNeeded(Exception):  # noqa: N818 - a question to the parent process, no error
    """There is a recording to read, and nobody has said yet where the model is."""


class _Run(NamedTuple):
    report: Report | None = None
    ocr: bool = True
    speech: Speech | None = None


class _Open(NamedTuple):
    """The files that are being read, each within the one before, and the sizes of all that the first holds so far."""

    names: tuple[str, ...]
    sizes: list[int]


_OPEN: ContextVar[_Open | None] = ContextVar("open", default=None)
_RUN: ContextVar[_Run] = ContextVar("run", default=_Run())  # noqa: B039 - a NamedTuple is immutable


@contextmanager
def run(report: Report | None, ocr: bool, speech: Speech | None) -> Iterator[None]:
    """Within this, `report_progress` calls `report`, `reads_pictures` is `ocr` and `speech_model` gives `speech`."""
    token = _RUN.set(_Run(report, ocr, speech))
    try:
        yield
    finally:
        _RUN.reset(token)


def report_progress(done: int, total: int, unit: str) -> None:
    """Say how far reading the file is. What is silent too long counts as hung."""
    report = _RUN.get().report
    if report:
        report(done, total, unit)


def reads_pictures() -> bool:
    """Whether text is to be recognised in pictures."""
    return _RUN.get().ocr


def speech_model() -> Path:
    """The folder of the speech model.

    Raises DocumentError where recordings are not read, and SpeechModelNeeded while that is not known.
    """
    speech = _RUN.get().speech
    if speech is None:
        raise SpeechModelNeeded
    if isinstance(speech, DocumentError):
        raise DocumentError(str(speech), speech.outcome)
    return speech


@contextmanager
def opened(name: str, size: int) -> Iterator[None]:
    """Within this, a file of `size` bytes is read, be it one within another.

    Raises DocumentError where that is beyond bounds: archives may hold themselves.
    """
    outer = _OPEN.get()
    inner = _Open((*outer.names, name), outer.sizes) if outer else _Open((name,), [])
    if outer:
        inner.sizes.append(size)
        if len(inner.names) > MAX_DEPTH + 1:
            raise DocumentError(f"it stands within {MAX_DEPTH} other files", "too_large")
        if len(inner.sizes) > MAX_NESTED or sum(inner.sizes) > MAX_NESTED_BYTES:
            raise DocumentError(
                f"the file it stands in holds more than {MAX_NESTED:,} files or {MAX_NESTED_BYTES / 2**30:g} GiB",
                "too_large",
            )
    token = _OPEN.set(inner)
    try:
        yield
    finally:
        _OPEN.reset(token)


def file_name() -> str:
    """The name of the file that is being read."""
    outer = _OPEN.get()
    return outer.names[-1] if outer else ""
