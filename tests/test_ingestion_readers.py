"""Files read ahead: several at once, within a budget, and stopped when nobody wants them any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hashed_library import HashedLibrary
from langchain_core.documents import Document
from test_parsing import NASTY, gone

import rag.ingestion_readers
import rag.parsing
from rag.ingestion import Ingester
from rag.ingestion_changes import UNKNOWN, Candidate
from rag.ingestion_files import File
from rag.ingestion_readers import Contents, Outcome, Readers
from rag.parsing import ParserPool
from rag.types import FileReport, Progress


def candidate(number: int) -> Candidate:
    return Candidate(number, File(Path(f"{number}"), f"{number}", f"{number}", in_folder=True), None, UNKNOWN)


def contents(candidate: Candidate, chunks: int = 1) -> Contents:
    pages = [Document("x" * 10, metadata={"page": None, "page_label": None})]
    return Contents(candidate, pages, [Document("x")] * chunks)


def take(readers: Readers, chunks: int) -> tuple[list[Progress], list[int]]:
    told, run = [], readers.take(chunks)
    while True:
        try:
            told.append(next(run))
        except StopIteration as end:
            return told, [outcome.candidate.number for outcome in end.value]


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rag.ingestion_readers, "_PATIENCE", 0.02)


@pytest.mark.timeout(30)
def test_as_many_are_read_at_once_as_may_be() -> None:
    together = threading.Barrier(3)

    def read(found: Candidate, stopped: threading.Event) -> Generator[Progress, None, Outcome]:
        yield Progress(found.file.source, 0, 1, "pages")
        together.wait()  # breaks, and so fails, unless three come
        return contents(found)

    with Readers(read, 3) as readers:
        for number in range(3):
            readers.add(candidate(number))
        taken: list[int] = []
        while readers.busy:
            taken += take(readers, 9)[1]
    assert sorted(taken) == [0, 1, 2]


def test_one_thread_is_enough_where_it_keeps_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rag.ingestion_readers, "_PATIENCE", 30)
    threads = set()

    def read(found: Candidate, stopped: threading.Event) -> Generator[Progress, None, Outcome]:
        threads.add(threading.current_thread())
        yield from ()
        return contents(found)

    with Readers(read, 3) as readers:
        for number in range(9):
            readers.add(candidate(number))
        while readers.busy:
            take(readers, 1)
    assert len(threads) == 1


def test_a_worker_that_is_slow_to_start_is_no_reason_for_another() -> None:
    threads, meanwhile = set(), []

    def read(found: Candidate, stopped: threading.Event) -> Generator[Progress, None, Outcome]:
        threads.add(threading.current_thread())
        if found.number == 0:
            time.sleep(0.5)
            meanwhile.append(len(threads))
        yield from ()
        return contents(found)

    with Readers(read, 3) as readers:
        for number in range(9):
            readers.add(candidate(number))
        taken: list[int] = []
        while readers.busy:
            taken += take(readers, 1)[1]
    assert sorted(taken) == list(range(9))
    assert meanwhile == [1]


def test_they_are_taken_in_order_and_up_to_so_many_chunks() -> None:
    def read(found: Candidate, stopped: threading.Event) -> Generator[Progress, None, Outcome]:
        yield from ()
        return contents(found, chunks=2)

    with Readers(read, 2) as readers:
        for number in range(6):
            readers.add(candidate(number))
        while len(readers._done) < 6:
            time.sleep(0.01)
        assert take(readers, 3) == ([], [0, 1])
        assert take(readers, 1) == ([], [2])
        assert take(readers, 99) == ([], [3, 4, 5])
        assert not readers.busy


def test_no_more_is_read_ahead_than_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rag.ingestion_readers, "_BUDGET", 25)
    begun = []

    def read(found: Candidate, stopped: threading.Event) -> Generator[Progress, None, Outcome]:
        begun.append(found.number)
        yield from ()
        return contents(found)  # of ten characters

    with Readers(read, 1) as readers:
        for number in range(9):
            readers.add(candidate(number))
        time.sleep(0.3)
        assert begun == [0, 1, 2]
        take(readers, 2)
        time.sleep(0.3)
        assert begun == [0, 1, 2, 3, 4]


def test_the_first_being_read_says_how_far_it_is_and_a_fault_is_raised() -> None:
    def read(found: Candidate, stopped: threading.Event) -> Generator[Progress, None, Outcome]:
        for page in range(3):
            yield Progress(found.file.source, page, 3, "pages")
            time.sleep(0.1)
        raise LookupError("a fault of ours")

    with Readers(read, 1) as readers:
        readers.add(candidate(0))
        run = readers.take(1)
        told = []
        with pytest.raises(LookupError, match="a fault of ours"):
            told.extend(run)
    assert [event.done for event in told] == [0, 1, 2]


@pytest.mark.timeout(60)
def test_a_slow_file_is_overtaken_and_holds_up_no_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = HashedLibrary(tmp_path / "library")
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text(f"text of {name}")
    go_on = threading.Event()
    load = ParserPool.load_documents

    def slow(pool: ParserPool, path: Path, source: str, **options: Any) -> Generator[Progress, None, list[Document]]:
        if path.name == "a.txt":
            yield Progress(source, 0, 2, "pages")
            assert go_on.wait(30)
        return (yield from load(pool, path, source, **options))

    monkeypatch.setattr(ParserPool, "load_documents", slow)
    if rag.ingestion.WORKERS < 2:
        monkeypatch.setattr(rag.ingestion, "WORKERS", 2)
    run = library.ingester.ingest([tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "c.txt"])
    done = []
    for event in run:
        if isinstance(event, FileReport):
            done.append(event.source)
            if len(done) == 2:  # while the first is still being read
                library.ingester.delete(library.manifest.named("default", "b.txt").id)
                go_on.set()
    assert done == ["b.txt", "c.txt", "a.txt"]
    assert library.states(tmp_path / "a.txt", tmp_path / "b.txt") == {"a.txt": "unchanged", "b.txt": "added"}
    assert library.problems() == []


@pytest.mark.timeout(60)
def test_a_run_that_is_dropped_stops_the_worker_that_reads_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rag.parsing, "_COMMAND", NASTY)
    library = HashedLibrary(tmp_path / "library")
    with closing(ParserPool(timeout=60, memory_mb=512)) as pool:
        library.ingester = Ingester(library.settings, library.manifest, library.index, library.embedder, pool)
        pid = tmp_path / "pid"
        (tmp_path / "a.log").write_text(
            f"open({str(pid)!r}, 'w').write(str(os.getpid()))\n"
            "for page in range(10**9):\n    report_progress(page, 10**9, 'pages')\n    time.sleep(0.1)"
        )
        run = library.ingester.ingest([tmp_path / "a.log"])
        while next(run).unit != "pages":
            pass
        began = time.monotonic()
        run.close()
        assert time.monotonic() - began < 5
        assert gone(int(pid.read_text()))
    assert not [thread for thread in threading.enumerate() if thread.name == "read"]
    assert library.manifest.documents() == []
    assert library.problems() == []
