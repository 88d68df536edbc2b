"""Files read in child processes: a crash, a hang or a bomb costs that file, and nothing else.

A worker (parsing_worker.py) is started when the first file needs one and kept warm for the next. It may take as long as
it gets on, and as much memory as is set; it cannot reach the network; it ends when its parent does, however that ends.
"""

from __future__ import annotations

import json
import logging
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rag.errors import DocumentError, LibraryError
from rag.loaders_context import SpeechModelNeeded
from rag.speech import NO_SPEECH, SpeechModel
from rag.types import Progress

if TYPE_CHECKING:
    from langchain_core.documents import Document

logger = logging.getLogger(__name__)

MAX_TEXT = 256 * 2**20  # bytes of text taken from one file: what the parent holds of it
WORKERS = min(len(os.sched_getaffinity(0)), 4)  # files read at once; each may take as much memory as is set
_WARM = 2  # workers that wait for the next file; each may have grown to half of that
_TICK = 0.1  # seconds between two looks at a worker's memory
_START_TIMEOUT = 60.0  # seconds; a worker imports next to nothing before it answers
_READ = 2**18
_ROOT = str(Path(__file__).parent.parent)
_COMMAND = "import sys; sys.path[0] = sys.argv.pop(1); from rag.parsing_worker import main; main()"
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")
_OWN = re.compile(r"RssAnon:\s+(\d+) kB")


class ParserPool:
    """The workers of one process, for any number of threads. `timeout` is in seconds without progress.

    `peak_mb` is the most resident memory that any worker was seen with, in MiB.
    """

    def __init__(self, timeout: float, memory_mb: int) -> None:
        self._timeout = timeout
        self._memory_mb = memory_mb
        self._idle: list[_Worker] = []
        self._finalizer = weakref.finalize(self, _stop_all, self._idle)  # runs at exit, too
        self.started = 0
        self.peak_mb = 0.0

    def load_documents(
        self,
        path: Path,
        source: str,
        *,
        max_bytes: int,
        ocr: bool = True,
        speech: SpeechModel | None = None,
        stopped: threading.Event | None = None,
    ) -> Generator[Progress, None, list[Document]]:
        """What rag.loaders.load_documents returns for this file, read by a worker. Yields how far it is.

        Raises DocumentError for whatever is wrong with the file, and soon after another thread has set `stopped`;
        LibraryError if no worker can be started.
        """
        stopped = stopped or threading.Event()
        known = speech.known() if speech else NO_SPEECH
        request = {"path": os.fsencode(path).hex(), "max_bytes": max_bytes, "ocr": ocr, "speech": known}
        try:
            return (yield from self._load(request, source, stopped))
        except SpeechModelNeeded:  # a worker has no network: its parent fetches what it lacks
            assert speech
            yield Progress(f"{source}: looking for the model that reads recordings", 0, 0, "")
            return (yield from self._load({**request, "speech": speech.fetch(stopped)}, source, stopped))

    def _load(
        self, request: dict[str, Any], source: str, stopped: threading.Event
    ) -> Generator[Progress, None, list[Document]]:
        worker = self._begin(request, stopped)
        try:
            return (yield from self._follow(worker, source, stopped))
        finally:
            own_mb = worker.own_mb()
            self.peak_mb = max(self.peak_mb, worker.peak_mb)
            # One that has grown would keep its memory, and start the next file with less
            if worker.fit and own_mb < self._memory_mb / 2 and len(self._idle) < _WARM:
                self._idle.append(worker)
            else:
                worker.stop()

    def close(self) -> None:
        """Stop the workers that wait."""
        _stop_all(self._idle)

    def _begin(self, request: dict[str, Any], stopped: threading.Event) -> _Worker:
        """A worker that has taken the request; one that died while it waited is passed over."""
        while True:
            try:
                waiting = self._idle.pop()
            except IndexError:
                waiting = None
            worker = waiting or _Worker(self._memory_mb)
            self.started += waiting is None
            try:
                worker.send(request)
                worker.receive(_START_TIMEOUT, stopped)
                worker.fit = False
                return worker
            except _StoppedError:
                worker.stop()
                raise
            except (_SilentError, _GoneError, _GrownError, OSError) as error:
                worker.stop()
                if waiting is None:
                    raise LibraryError(f"the process that reads files could not be started: {worker.said}") from error

    def _follow(
        self, worker: _Worker, source: str, stopped: threading.Event
    ) -> Generator[Progress, None, list[Document]]:
        from langchain_core.documents import Document  # late: a run that reads no file needs none

        pages: list[Document] = []
        size = 0
        while True:
            try:
                message = worker.receive(self._timeout, stopped)
            except _SilentError:
                raise DocumentError(
                    f"reading it came no further for {self._timeout:g} seconds (RAG_PARSE_TIMEOUT)", "timed_out"
                ) from None
            except _GrownError:
                self._out_of_memory()
            except _GoneError:
                how = f"its parser crashed on it ({worker.end()})"
                # Native code ends the process when it is refused memory: one more doubling of what it had
                if worker.high_mb > self._memory_mb / 3:
                    limit = f"{self._memory_mb:,} MiB (RAG_PARSE_MEMORY_MB)"
                    raise DocumentError(f"it is too large: {how}, near its limit of {limit}", "too_large") from None
                raise DocumentError(f"it is damaged: {how}") from None
            match message:
                case {"page": text, "metadata": metadata}:
                    size += len(text)
                    if size > MAX_TEXT:
                        raise DocumentError(
                            f"it is too large: its text is over the limit of {MAX_TEXT / 2**20:g} MiB", "too_large"
                        )
                    pages.append(Document(page_content=text, metadata=metadata))
                case {"progress": [done, total, unit]}:
                    yield Progress(source, done, total, unit)
                case {"needs": "speech"}:
                    worker.fit = True
                    raise SpeechModelNeeded
                case {"memory": True}:
                    self._out_of_memory()
                case {"failed": reason, "outcome": outcome, "traceback": trace}:
                    logger.warning("a parser failed on %s: %s", source, trace)
                    raise DocumentError(reason, outcome)
                case {"failed": reason, "outcome": outcome}:
                    worker.fit = True
                    raise DocumentError(reason, outcome)
                case _:
                    worker.fit = True
                    return pages

    def _out_of_memory(self) -> NoReturn:
        raise DocumentError(
            f"it is too large: reading it takes more than {self._memory_mb:,} MiB of memory (RAG_PARSE_MEMORY_MB)",
            "too_large",
        )


class _SilentError(Exception):
    """Nothing came within the time."""


class _GoneError(Exception):
    """The worker has ended."""


class _StoppedError(DocumentError):
    """The file is no longer wanted."""

    def __init__(self) -> None:
        super().__init__("reading it was stopped", "unreadable")


class _GrownError(Exception):
    """The worker has more memory than it may: the kernel did not hold it to its limit."""


class _Worker:
    """One child process, its pipes and its temporary folder, for one thread at a time. `fit`: it waits for a request.

    `peak_mb` is the most resident memory it was seen with, `high_mb` the most that was its own since its last request.
    """

    def __init__(self, memory_mb: int) -> None:
        try:  # removed by this process, for a worker that is killed amid a file removes nothing
            self._folder = tempfile.TemporaryDirectory(prefix="footnote-", ignore_cleanup_errors=True)
        except OSError as error:
            raise LibraryError(f"there is no room for temporary files: {error}; make some, or set TMPDIR") from error
        alive, self._lifeline = os.pipe()  # nothing is ever written to it; the kernel closes it when this process ends
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _COMMAND, _ROOT, str(alive), str(memory_mb), self._folder.name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,  # until it is ready; then it prints nothing
                bufsize=0,
                pass_fds=[alive],
                start_new_session=True,  # Ctrl-C in the terminal is the parent's to answer
            )
        except OSError as error:
            os.close(self._lifeline)
            self._folder.cleanup()
            raise LibraryError(f"the process that reads files could not be started: {error.strerror}") from error
        finally:
            os.close(alive)
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._requests, self._replies, self._errors = self._process.stdin, self._process.stdout, self._process.stderr
        self._poll = select.poll()
        self._poll.register(self._replies, select.POLLIN)
        self._buffer = bytearray()
        self._limit_mb = memory_mb
        self.fit = True
        self.peak_mb = self.high_mb = 0.0
        self.said = ""

    def send(self, request: dict[str, Any]) -> None:
        """Hand it a request; OSError if it is gone."""
        self.high_mb = 0.0
        self._requests.write(json.dumps(request).encode() + b"\n")

    def receive(self, timeout: float, stopped: threading.Event) -> Any:
        """Its next message. Raises _SilentError, _GoneError, _GrownError or _StoppedError."""
        deadline = time.monotonic() + timeout
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if stopped.is_set():
                raise _StoppedError
            if searched > 2 * MAX_TEXT:
                raise _GrownError
            if self._poll.poll(_TICK * 1000):
                data = os.read(self._replies.fileno(), _READ)
                if not data:
                    raise _GoneError
                self._buffer += data
            elif time.monotonic() > deadline:
                raise _SilentError
            if self.own_mb() > self._limit_mb:
                raise _GrownError
        message = json.loads(self._buffer[:end])
        del self._buffer[: end + 1]
        return message

    def own_mb(self) -> float:
        """The resident memory that is its own, in MiB; 0 once it is gone."""
        with suppress(OSError):
            status = Path(f"/proc/{self._process.pid}/status").read_text()
            peak, own = _PEAK.search(status), _OWN.search(status)
            if peak and own:
                self.peak_mb = max(self.peak_mb, int(peak[1]) / 1024)
                self.high_mb = max(self.high_mb, int(own[1]) / 1024)
                return int(own[1]) / 1024
        return 0.0

    def end(self) -> str:
        """How it ended, in a word."""
        status = self._process.wait()
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"

    def stop(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        self.said = self._errors.read().decode(errors="replace").strip()[-500:]
        os.close(self._lifeline)
        for pipe in (self._requests, self._replies, self._errors):
            pipe.close()
        self._folder.cleanup()


def _stop_all(workers: list[_Worker]) -> None:
    while workers:
        workers.pop().stop()
