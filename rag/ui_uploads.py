"""Uploaded files on their way into the library."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rag.errors import RagError
from rag.types import DocumentInfo, FileReport, Progress
from rag.ui_pump import Pump
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


@dataclass(eq=False, slots=True)
class Batch:
    """Files that were handed over together, and the work on them."""

    rows: Sequence[UploadRow]
    pump: Pump[UploadRow]

    @property
    def running(self) -> bool:
        """Whether more will happen to any of its files."""
        return not self.pump.stopped.is_set() and not all(row.finished for row in self.rows)


@dataclass(slots=True)
class Batches:
    """What is being added, by whose it is: a page that is loaded again shows it again."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _owned: dict[str, list[Batch]] = field(default_factory=dict)

    def add(self, owner: str, batch: Batch) -> None:
        """Keep in mind what was begun, and no longer what is done, whoever's it was."""
        with self._lock:
            self._owned = {each: left for each in {*self._owned, owner} if (left := self._left(each))}
            self._owned.setdefault(owner, []).append(batch)

    def running(self, owner: str) -> list[Batch]:
        """What is not done yet."""
        with self._lock:
            return self._left(owner)

    def _left(self, owner: str) -> list[Batch]:
        return [batch for batch in self._owned.get(owner, ()) if batch.running]


def stream_uploads(rows: Sequence[UploadRow], add: Add) -> Generator[UploadRow, None, None]:
    """Add the files together, so that some are read while others are embedded; yields each row that changed.

    What is told of a file has its path, or words that begin with its name; of two of that name the first that is left.
    """
    try:
        for event in add([row.path for row in rows]):
            row = _meant(rows, event)
            if row is None:
                continue
            if isinstance(event, Progress):
                row.state, row.progress = "reading", event
            else:
                _finish(row, event)
            yield row
        problem = ENGLISH.ADD_FAILED
    except RagError as error:
        problem = str(error)
    except Exception:
        log.exception("adding %s failed", ", ".join(row.path.name for row in rows))
        problem = ENGLISH.ADD_FAILED
    for row in rows:
        if not row.finished:
            row.state, row.reason = "failed", problem
            yield row


def _meant(rows: Sequence[UploadRow], event: Progress | FileReport) -> UploadRow | None:
    """The row that an event is about; None where it is about the whole, or a file that is none of these."""
    left = [row for row in rows if not row.finished]
    if isinstance(event, FileReport):
        return next((row for row in left if str(row.path) == event.path), None)
    if event.unit == "files":
        return None
    named = [row for row in left if event.what.startswith(row.path.name)]
    return max(named, key=lambda row: len(row.path.name), default=None)


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
