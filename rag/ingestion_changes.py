"""What has changed: a file against what the manifest knows of it, by a stat and, where that differs, by a hash."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from rag.config import Settings
from rag.errors import DocumentError
from rag.ingestion_files import File
from rag.manifest import DocumentRow, Fingerprint, Manifest
from rag.types import FileReport, FileState, Outcome

RECIPE = "4"  # raise it when loaders or splitter come to read files otherwise: every file is then read again
UNKNOWN = Fingerprint("", 0, 0, "")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may have to be read: its document so far, and what it is now, by a stat or by its content as well."""

    number: int
    file: File
    row: DocumentRow | None
    found: Fingerprint


@dataclass(frozen=True, slots=True)
class Known:
    """A file that need not be read, and what it is: unchanged, or still what could not be read."""

    candidate: Candidate
    report: FileReport


@dataclass(frozen=True, slots=True)
class NotRead:
    """A file that could not be read."""

    candidate: Candidate
    error: DocumentError

    @property
    def report(self) -> FileReport:
        """What became of it."""
        return report_of(self.candidate, "failed", str(self.error), self.error.outcome)


def report_of(
    candidate: Candidate, state: FileState, reason: str | None, outcome: Outcome, *, pages: int = 0, chunks: int = 0
) -> FileReport:
    """The report of a file."""
    return FileReport(candidate.file.source, candidate.file.key, state, reason, pages, chunks, outcome)


class Changes:
    """Tells which files of a collection have to be read. For any number of threads; writes nothing.

    `retry`: also what could not be read before, or not all of it; `again`: all.
    """

    def __init__(
        self, settings: Settings, manifest: Manifest, collection: str, *, retry: bool = False, again: bool = False
    ) -> None:
        self._manifest = manifest
        self._collection = collection
        self._max_bytes = settings.max_file_mb * 2**20
        self._retry = retry or again
        self._again = again
        # What decides the text of a file that is read whole, be it one with pictures and recordings in it; and what
        # else decides whether it is
        self.recipe = "/".join(
            map(str, (RECIPE, settings.chunk_size, settings.chunk_overlap, settings.ocr, settings.speech))
        )
        limits = (settings.max_file_mb, f"{settings.parse_timeout:g}", settings.parse_memory_mb)
        self.limits = "/".join(map(str, (self.recipe, *limits)))

    def look(self, number: int, file: File) -> Candidate | Known | NotRead:
        """What a stat says of a file; a Candidate has to be looked at more closely."""
        row = self._manifest.find(self._collection, file.key)
        if row and not file.in_folder:  # a file given by itself keeps the name it got from its folder
            file = replace(file, source=row.source)
        candidate = Candidate(number, file, row, UNKNOWN)
        try:
            candidate = replace(candidate, found=self._stat(file.path))
        except DocumentError as error:
            return NotRead(candidate, error)
        return self.known(candidate) or candidate

    def hashed(self, candidate: Candidate) -> Candidate:
        """With what its content says, too. Raises DocumentError."""
        known = self._stat(candidate.file.path)
        too_large = known.size > self._max_bytes  # refused when it is loaded, so not read here
        try:
            with candidate.file.path.open("rb") as file:
                digest = "" if too_large else hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DocumentError(f"it cannot be read: {error.strerror}", "unreadable") from error
        return replace(candidate, found=replace(known, sha256=digest))

    def refreshed(self, candidate: Candidate) -> Candidate:
        """With its document as it is now: another writer may have been at work since."""
        return replace(candidate, row=self._manifest.find(self._collection, candidate.file.key))

    def has_changed(self, candidate: Candidate) -> bool:
        """Whether the file is no longer what it was when it was looked at. Raises DocumentError."""
        return self._stat(candidate.file.path).mtime_ns != candidate.found.mtime_ns

    def known(self, candidate: Candidate) -> Known | None:
        """A file that need not be read, by what is known of it so far."""
        row, found = candidate.row, candidate.found
        if row is None:
            return None
        wanted = self._again or (self._retry and row.unread)
        if not wanted and self._read_so(row) and _same(row.fingerprint, found):
            outcome: Outcome = "partial" if row.unread else "ready"
            report = report_of(candidate, "unchanged", row.unread, outcome, pages=row.pages, chunks=row.chunks)
            return Known(candidate, report)
        if row.failure and not self._retry and row.failure.fingerprint.recipe == self.limits:
            kept = row.failure.fingerprint
            if (kept.size, kept.mtime_ns) == (found.size, found.mtime_ns) or _same(kept, found):
                return Known(candidate, report_of(candidate, "failed", row.reason, row.failure.outcome))
        return None

    def _read_so(self, row: DocumentRow) -> bool:
        """Whether it was read as it would be now: of one that was read whole, the limits do not matter."""
        return row.state == "ready" and row.fingerprint.recipe in (self.recipe, self.limits)

    def _stat(self, path: Path) -> Fingerprint:
        try:
            found = path.stat()
            if stat.S_ISDIR(found.st_mode):
                os.scandir(path).close()  # says why a folder cannot be walked
        except OSError as error:
            raise DocumentError(f"it cannot be read: {error.strerror}", "unreadable") from error
        if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait, reading a device never end
            raise DocumentError("it is not a regular file", "unreadable")
        return Fingerprint("", found.st_size, found.st_mtime_ns, self.recipe)


def _same(kept: Fingerprint, found: Fingerprint) -> bool:
    """By the content where that is known, else by size and time."""
    if found.sha256:
        return kept.sha256 == found.sha256
    return (kept.size, kept.mtime_ns) == (found.size, found.mtime_ns)
