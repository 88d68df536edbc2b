"""What a loader knows of the run that it is part of: whom to tell how far it is, and whether to read pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

PICTURES_OFF = "pictures are not read (RAG_OCR=off)"
PICTURES_UNREAD = "pictures in which no text could be read"

Report = Callable[[int, int, str], None]  # done, total (0: unknown), unit


class _Run(NamedTuple):
    report: Report | None = None
    ocr: bool = True


_RUN: ContextVar[_Run] = ContextVar("run", default=_Run())  # noqa: B039 - a NamedTuple is immutable


@contextmanager
def run(report: Report | None, ocr: bool) -> Iterator[None]:
    """Within this, `report_progress` calls `report`, and `reads_pictures` is `ocr`."""
    token = _RUN.set(_Run(report, ocr))
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
