"""How a loader tells that it gets on. Who called load_documents hears it; what is silent too long counts as hung."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Report = Callable[[int, int, str], None]  # done, total (0: unknown), unit

_REPORT: ContextVar[Report | None] = ContextVar("report", default=None)


@contextmanager
def reporting(report: Report | None) -> Iterator[None]:
    """Within this, `report_progress` calls `report`."""
    token = _REPORT.set(report)
    try:
        yield
    finally:
        _REPORT.reset(token)


def report_progress(done: int, total: int, unit: str) -> None:
    """Say how far reading the file is."""
    report = _REPORT.get()
    if report:
        report(done, total, unit)
