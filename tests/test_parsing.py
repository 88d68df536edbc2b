"""Files in child processes: whatever a parser does, the parent goes on, and nothing of it stays behind."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from langchain_core.documents import Document

import rag.parsing
from rag.device import NICE
from rag.errors import DocumentError, LibraryError
from rag.parsing import ParserPool
from rag.types import Progress

ROOT = Path(__file__).parent.parent
MIB = 2**20
# A worker whose loader of .log files does what the file says
NASTY = '''
import sys; sys.path[0] = sys.argv.pop(1)
import types, rag.loaders
nasty = types.ModuleType("nasty")
exec("""
import json, os, signal, socket, threading, time
from langchain_core.documents import Document
from rag.loaders_context import report_progress

def load(data):
    found = {}
    exec(data, {**globals(), "found": found})
    return [Document(json.dumps(found), metadata={"page": None, "page_label": None})]
""", vars(nasty))
sys.modules["nasty"] = nasty
rag.loaders.LOADERS[".log"] = rag.loaders.Loader("nasty", "load")
from rag.parsing_worker import main
main()
'''


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ParserPool]:
    monkeypatch.setattr(rag.parsing, "_COMMAND", NASTY)
    with closing(ParserPool(timeout=20, memory_mb=512)) as made:
        yield made


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[ParserPool]:
    monkeypatch.setattr(rag.parsing, "_COMMAND", NASTY)
    with closing(ParserPool(timeout=1.5, memory_mb=512)) as made:
        yield made


def finish(pool: ParserPool, path: Path) -> tuple[list[Progress], list[Document]]:
    events, run = [], pool.load_documents(path, path.name, max_bytes=MIB)
    while True:
        try:
            events.append(next(run))
        except StopIteration as end:
            return events, end.value


def run(pool: ParserPool, folder: Path, code: str) -> dict[str, str]:
    """What a loader that runs this code puts into `found`."""
    path = folder / "a.log"
    path.write_text(code)
    found: dict[str, str] = json.loads(finish(pool, path)[1][0].page_content)
    return found


def refusal(pool: ParserPool, folder: Path, code: str) -> tuple[str, str]:
    with pytest.raises(DocumentError) as caught:
        run(pool, folder, code)
    return caught.value.outcome, str(caught.value)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int) -> bool:
    """Whether the process ends within some seconds."""
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


PID = "found['pid'] = os.getpid()"


def test_a_file_is_read_by_a_worker_that_stays_for_the_next(pool: ParserPool, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Grün – 🍐")
    assert finish(pool, tmp_path / "a.md")[1] == [
        Document(page_content="Grün – 🍐", metadata={"page": None, "page_label": None})
    ]
    first = run(pool, tmp_path, PID)
    assert first["pid"] != os.getpid()
    assert refusal(pool, tmp_path, "") == ("empty", "it is empty")
    assert run(pool, tmp_path, PID) == first
    assert pool.started == 1
    assert 10 < pool.peak_mb < 512


def test_a_worker_leaves_the_cores_to_whoever_answers(pool: ParserPool, tmp_path: Path) -> None:
    assert run(pool, tmp_path, "found['nice'] = os.nice(0)") == {"nice": max(NICE, os.nice(0))}


def test_a_file_that_nobody_wants_any_more_is_not_read_to_its_end(pool: ParserPool, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("report_progress(0, 1, 'pages'); time.sleep(60)")
    stopped = threading.Event()
    reading = pool.load_documents(tmp_path / "a.log", "a.log", max_bytes=MIB, stopped=stopped)
    assert next(reading).unit == "pages"
    began = time.monotonic()
    stopped.set()
    with pytest.raises(DocumentError, match="stopped"):
        next(reading)
    assert time.monotonic() - began < 5
    assert pool._idle == []


@pytest.mark.parametrize(
    ("code", "outcome", "reason"),
    [
        ("os.abort()", "corrupt", "it is damaged: its parser crashed on it (SIGABRT)"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "corrupt", "it is damaged: its parser crashed on it (SIGSEGV)"),
        ("os._exit(3)", "corrupt", "it is damaged: its parser crashed on it (exit status 3)"),
        (
            "held = [bytearray(10**7) for _ in range(10**4)]",
            "too_large",
            "it is too large: reading it takes more than 512 MiB of memory (RAG_PARSE_MEMORY_MB)",
        ),
        ("f = lambda: f()\nf()", "corrupt", "its parser failed: RecursionError('maximum recursion depth exceeded')"),
        ("1 / 0", "corrupt", "its parser failed: ZeroDivisionError('division by zero')"),
    ],
)
def test_what_a_parser_does_costs_its_file_only(
    pool: ParserPool, tmp_path: Path, code: str, outcome: str, reason: str
) -> None:
    before = run(pool, tmp_path, PID)["pid"]
    assert refusal(pool, tmp_path, code) == (outcome, reason)
    assert gone(before)
    assert run(pool, tmp_path, PID)["pid"] != before
    assert pool.peak_mb < 600


def test_native_code_that_is_refused_memory_ends_as_too_large(pool: ParserPool, tmp_path: Path) -> None:
    code = "held = bytearray(3 * 10**8)\nfor at in range(0, len(held), 4096): held[at] = 1\ntime.sleep(0.5)\nos.abort()"
    outcome, reason = refusal(pool, tmp_path, code)
    assert (outcome, "crashed on it (SIGABRT), near its limit of 512 MiB" in reason) == ("too_large", True)


@pytest.mark.parametrize("code", ["while True: pass", "sum(range(10**12))"])
def test_a_parser_that_hangs_is_ended(hasty: ParserPool, tmp_path: Path, code: str) -> None:
    before = run(hasty, tmp_path, PID)["pid"]
    assert refusal(hasty, tmp_path, code) == (
        "timed_out",
        "reading it came no further for 1.5 seconds (RAG_PARSE_TIMEOUT)",
    )
    assert gone(before)
    assert run(hasty, tmp_path, PID)["pid"] != before


def test_progress_renews_the_time_limit(hasty: ParserPool, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("for n in range(8): time.sleep(0.3); report_progress(n, 8, 'pages')")
    events, _ = finish(hasty, tmp_path / "a.log")
    assert events[-1] == Progress("a.log", 7, 8, "pages")
    # ... also where what reads the events takes its time
    slow = hasty.load_documents(tmp_path / "a.log", "a.log", max_bytes=MIB)
    for event in slow:
        if event.done == 0:
            time.sleep(2)


def test_memory_that_the_kernel_does_not_hold_to_the_limit_is_noticed(
    pool: ParserPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlimited = NASTY.replace("import types", "import resource; resource.setrlimit = lambda *_: None\nimport types")
    monkeypatch.setattr(rag.parsing, "_COMMAND", unlimited)
    outcome, _ = refusal(pool, tmp_path, "held = []\nwhile True: held.append(b'x' * 10**6)")
    assert outcome == "too_large"


def test_text_without_end_does_not_fill_the_parent(
    pool: ParserPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rag.parsing, "MAX_TEXT", MIB)
    outcome, reason = refusal(pool, tmp_path, "found['text'] = 'x' * 3 * 2**20")
    assert (outcome, "too large" in reason) == ("too_large", True)


def test_the_childs_memory_is_not_the_parents(pool: ParserPool, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(3):
        run(pool, tmp_path, "held = bytearray(3 * 10**8); held[::4096] = b'x' * len(held[::4096])")
    assert pool.peak_mb > 300
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024


def test_the_network_is_denied(pool: ParserPool, tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        found = run(
            pool,
            tmp_path,
            "attempts = {\n"
            f"'connect': lambda: socket.create_connection(('127.0.0.1', {port}), 1),\n"
            "'resolve': lambda: socket.getaddrinfo('localhost', 80),\n"
            "'name': lambda: socket.gethostbyname('localhost'),\n"
            "'send': lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 53)),\n"
            "'unix': lambda: socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock'),\n"
            "}\n"
            "for name, attempt in attempts.items():\n"
            "    try: attempt(); found[name] = 'allowed'\n"
            "    except OSError as error: found[name] = type(error).__name__\n",
        )
    assert set(found.values()) == {"PermissionError"}, found


@pytest.mark.skipif(os.uname().machine not in ("x86_64", "aarch64"), reason="the filter is written for these")
def test_native_code_gets_no_socket(pool: ParserPool, tmp_path: Path) -> None:
    code = "import ctypes; c = ctypes.CDLL(None, use_errno=True)\n"
    code += "found['sockets'] = [c.socket(family, 1, 0) for family in (1, 2, 10)]; found['errno'] = ctypes.get_errno()"
    assert run(pool, tmp_path, code) == {"sockets": [-1, -1, -1], "errno": errno.EACCES}


def test_a_reader_that_stops_early_stops_the_worker(pool: ParserPool, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("report_progress(os.getpid(), 0, 'pages')\nwhile True: pass")
    events = pool.load_documents(tmp_path / "a.log", "a.log", max_bytes=MIB)
    pid = next(events).done
    assert alive(pid)
    events.close()
    assert gone(pid)


def test_closing_and_forgetting_a_pool_stop_its_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rag.parsing, "_COMMAND", NASTY)
    for end in ("close", "forget"):
        pool = ParserPool(timeout=20, memory_mb=512)
        pid = int(run(pool, tmp_path, PID)["pid"])
        assert alive(pid)
        if end == "close":
            pool.close()
        del pool
        assert gone(pid)


@pytest.mark.parametrize(
    "then", ["while True: time.sleep(1)", "os.kill(os.getpid(), signal.SIGKILL)", "report_progress(1, 1, 'pages')"]
)
def test_no_temporary_file_outlives_the_worker(
    hasty: ParserPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    made, late = tmp_path / "made", tmp_path / "a.log"
    late.write_text(
        "import tempfile\nfolder = tempfile.mkdtemp()\nopen(folder + '/text', 'w').write('secret')\n"
        f"open({str(made)!r}, 'w').write(folder)\n{then}"
    )
    with suppress(DocumentError):
        finish(hasty, late)
    hasty.close()
    assert Path(made.read_text()).is_relative_to(tmp_path / "temporary")
    assert list((tmp_path / "temporary").iterdir()) == []


def test_without_a_place_for_temporary_files_the_reason_is_told(
    hasty: ParserPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(LibraryError, match=r"no room for temporary files: .*nowhere.*TMPDIR"):
        finish(hasty, tmp_path / "a.txt")


def test_a_waiting_worker_that_died_is_replaced(pool: ParserPool, tmp_path: Path) -> None:
    pid = int(run(pool, tmp_path, PID)["pid"])
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)
    assert run(pool, tmp_path, PID)["pid"] != pid


def test_a_worker_that_cannot_start_is_no_fault_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rag.parsing, "_COMMAND", "import sys; sys.exit('no such module')")
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(LibraryError, match="could not be started: no such module"):
        finish(ParserPool(timeout=20, memory_mb=512), tmp_path / "a.txt")


def test_threads_read_side_by_side(pool: ParserPool, tmp_path: Path) -> None:
    both = threading.Barrier(2, timeout=20)
    pids: list[int] = []

    def read(name: str) -> None:
        (tmp_path / name).write_text("report_progress(os.getpid(), 0, 'pages')\ntime.sleep(0.2)")
        for event in pool.load_documents(tmp_path / name, name, max_bytes=MIB):
            pids.append(event.done)
            both.wait()

    threads = [threading.Thread(target=read, args=[name]) for name in ("a.log", "b.log")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(pids)) == 2


def test_of_many_that_were_needed_at_once_two_stay(
    pool: ParserPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rag.parsing, "WORKERS", 4)  # as on a machine of many cores
    runs = []
    for name in ("a.log", "b.log", "c.log"):
        (tmp_path / name).write_text("report_progress(os.getpid(), 0, 'pages')")
        runs.append(pool.load_documents(tmp_path / name, name, max_bytes=MIB))
    pids = [next(each).done for each in runs]
    for each in runs:
        list(each)
    assert len(pool._idle) == 2
    assert [alive(pid) for pid in pids] == [True, True, False]


def test_no_more_are_read_at_once_than_memory_allows() -> None:
    code = (
        "import os; os.sched_getaffinity = lambda pid: set(range(64)); from rag.parsing import WORKERS; print(WORKERS)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    assert int(found.stdout) == 4


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_outlives_its_parent(tmp_path: Path, death: signal.Signals) -> None:
    (tmp_path / "a.log").write_text("report_progress(os.getpid(), 0, 'pages')\nsum(range(10**12))")
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, rag.parsing; from pathlib import Path; rag.parsing._COMMAND = sys.argv[1]\n"
            "pool = rag.parsing.ParserPool(timeout=60, memory_mb=512)\n"
            "for event in pool.load_documents(Path(sys.argv[2]), 'a.log', max_bytes=2**20):\n"
            "    print(event.done, flush=True)",
            NASTY,
            tmp_path / "a.log",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(death)
        parent.wait(10)
        assert gone(pid)
