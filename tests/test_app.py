"""app.py before and around the page: its flags, its failures, its headers, its end. No model is loaded."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from app_process import ROOT, AppProcess, free_port

import app
from rag.errors import ModelError
from rag.library import Library
from rag.terminal import Terminal
from rag.types import FileReport, Progress


def run_app(*flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run an app that is expected to give up at once."""
    return subprocess.run(
        [sys.executable, "app.py", *flags],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a failed start writes."""
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    return line


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    """An app whose model server is down: it serves, and has nothing to load."""
    process = AppProcess(
        tmp_path_factory.mktemp("app") / "library",
        "--no-samples",
        environment={"RAG_LLM_BASE_URL": "http://127.0.0.1:9/v1", "RAG_OFFLINE": "1"},
    )
    try:
        process.wait_for_page()
        yield process
    finally:
        process.kill()


def test_a_taken_port_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = one_line(run_app("--port", str(port), "--library", str(tmp_path / "library")))
    assert line.startswith(f"error: port {port} is taken")
    assert "--port" in line
    assert not (tmp_path / "library").exists()


def test_an_address_that_is_not_ours_is_one_line(tmp_path: Path) -> None:
    line = one_line(run_app("--host", "192.0.2.1", "--port", str(free_port()), "--library", str(tmp_path / "library")))
    assert "192.0.2.1" in line
    assert "--host" in line
    assert "taken" not in line


@pytest.mark.parametrize(
    ("flags", "environment", "named"),
    [
        ((), {"RAG_TOP_K": "many"}, "RAG_TOP_K='many'"),
        ((), {"RAG_TOPK": "3"}, "did you mean RAG_TOP_K?"),
        (("--port", "0"), {}, "--port=0"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(
    flags: Sequence[str], environment: dict[str, str], named: str
) -> None:
    assert named in one_line(run_app(*flags, **environment))


def test_help_names_every_flag() -> None:
    done = run_app("--help")
    assert done.returncode == 0
    assert all(flag in done.stdout for flag in ("--library", "--collection", "--host", "--port", "--no-samples"))


@pytest.mark.parametrize("path", ["/", "/config", "/no-such-page"])
def test_every_response_carries_the_headers_once(served: AppProcess, path: str) -> None:
    try:
        response: Any = urllib.request.urlopen(served.address + path, timeout=20)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        assert response.headers.get_all("X-Content-Type-Options") == ["nosniff"]
        assert response.headers.get_all("Referrer-Policy") == ["same-origin"]
        (policy,) = response.headers.get_all("Content-Security-Policy")
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'self' https://huggingface.co" in policy
    assert policy.count("https://") == 1


def test_a_stream_that_is_no_http_response_passes_unchanged() -> None:
    sent: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "http.response.body", "body": b"x"})

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app.SafeHeaders(inner)({"type": "websocket"}, cast(Any, None), send))
    assert sent == [{"type": "websocket.accept"}, {"type": "http.response.body", "body": b"x"}]


@pytest.mark.parametrize(("serving", "number"), [(False, signal.SIGINT), (True, signal.SIGTERM)])
def test_it_stops_quickly_and_without_a_trace(tmp_path: Path, serving: bool, number: signal.Signals) -> None:
    process = AppProcess(tmp_path / "library", environment={"RAG_CACHE": str(tmp_path), "RAG_OFFLINE": "1"})
    try:
        if serving:
            process.wait_for_page()
        else:
            with pytest.raises(subprocess.TimeoutExpired):
                process.process.wait(1)  # still importing
        status, seconds = process.interrupt(number)
    finally:
        process.kill()
    assert status == 0
    assert seconds < 3
    assert "Traceback" not in process.written("stderr")


class Patient:
    """A library whose start fails as often as `failures` says."""

    def __init__(self, failures: Sequence[Exception]) -> None:
        self.failures = list(failures)
        self.samples, self.loaded = [], 0

    def ingest_samples(self, folder: Path) -> Iterator[Progress | FileReport]:
        self.samples.append(folder)
        yield Progress(folder.name, 1, 2, "files")

    def load_models(self) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.loaded += 1


def start(library: Patient, samples: Path | None) -> tuple[app.Starting, list[Any]]:
    """Run a start to its end; returns it and the states that the page would have shown."""
    states: list[Any] = []

    class Watched(app.Starting):
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if name == "state":
                states.append(value)

    with Terminal() as terminal:
        starting = Watched(terminal)
        thread = threading.Thread(target=starting.run, args=(cast(Library, library), samples), daemon=True)
        thread.start()
        thread.join(20)
        assert not thread.is_alive()
    return starting, states


def test_starting_goes_on_trying_and_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(app, "RETRY_S", 0.05)
    library = Patient([ModelError("the server is down"), ZeroDivisionError("secret")])
    with caplog.at_level(logging.ERROR):
        starting, states = start(library, Path("sample_docs"))
    assert (library.loaded, starting.state) == (1, None)
    assert library.samples == [Path("sample_docs")] * 3
    assert Progress("Indexing the sample library: sample_docs", 1, 2, "files") in states
    assert "the server is down" in states
    assert "secret" not in str(states)
    assert "secret" in caplog.text
    captured = capsys.readouterr()
    assert "error: the server is down (trying again" in captured.err
    assert captured.out == "Ready.\n"


def test_without_samples_only_the_models_load() -> None:
    library = Patient([])
    starting, _ = start(library, None)
    assert (library.samples, library.loaded, starting.state) == ([], 1, None)
