"""Uploaded files on their way into the library."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rag.errors import RagError
from rag.types import DocumentInfo, FileReport, Progress
from rag.ui_texts import ENGLISH, Texts

log = logging.getLogger(__name__)

Add = Callable[[Sequence[Path]], Iterator[Progress | FileReport]]


@dataclass(slots=True)
class UploadRow:
    """One uploaded file on its way into the library. `reason` is set when it failed, `taken` once it is queued."""

    path: Path
    state: Literal["waiting", "reading", "ready", "known", "failed"] = "waiting"
    progress: Progress | None = None
    reason: str = ""
    taken: bool = False

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to this file."""
        return self.state in ("ready", "known", "failed")


def stream_uploads(rows: Sequence[UploadRow], add: Add) -> Generator[UploadRow, None, None]:
    """Add the files one at a time, so that each has its own progress; yields the row that changed."""
    for row in rows:
        row.state = "reading"
        yield row
        try:
            for event in add([row.path]):
                if isinstance(event, Progress):
                    row.progress = event
                else:
                    _finish(row, event)
                yield row
        except RagError as error:
            row.state, row.reason = "failed", str(error)
        except Exception:
            log.exception("adding %s failed", row.path.name)
            row.state, row.reason = "failed", ENGLISH.ADD_FAILED
        if row.state == "reading":
            row.state, row.reason = "failed", ENGLISH.ADD_FAILED
        yield row


def _finish(row: UploadRow, report: FileReport) -> None:
    if report.state == "failed":
        row.state, row.reason = "failed", report.reason or ENGLISH.ADD_FAILED
    else:
        row.state = "known" if report.state == "unchanged" else "ready"


def stream_again(
    texts: Texts, documents: Sequence[DocumentInfo], read: Callable[[int], Iterator[Progress | FileReport]]
) -> Generator[tuple[int, str], None, None]:
    """Read documents anew, one at a time; yields a document's id and what is being done with it, "" when it is done.

    Why one could not be read stands in the library; what else went wrong ends the work.
    """
    for document in documents:
        yield document.id, texts.UPLOAD_READING
        try:
            for event in read(document.id):
                if isinstance(event, Progress) and event.total > 0 and event.unit != "files":
                    yield document.id, texts.amount(event.done, event.total, event.unit)
        except RagError as error:
            log.warning("%s was not read again: %s", document.source, error)
        yield document.id, ""
