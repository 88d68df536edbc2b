"""Reading documents asks nothing of the network, and what would is seen by the command that counts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.network import ROOT, main, tracer, watch

PAGE = '<html><head><base href="http://example.org/"><link rel=stylesheet href="a.css"></head><p>Pears<img src="b.png">'
MARKUP = '<?xml version="1.0"?><!DOCTYPE a SYSTEM "http://example.org/a.dtd"><a>Plums</a>'


def test_files_that_name_addresses_are_read_without_a_look_at_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "page.html").write_text(PAGE)
    (tmp_path / "data.xml").write_text(MARKUP)
    assert main([str(tmp_path), "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("2 files of 2 kinds: ") and "\nstates: 2 ready\n" in printed
    assert printed.endswith("\n0 attempts to reach the network\n")


def test_the_engine_of_text_in_pictures_keeps_no_identity_and_reports_to_nobody(tmp_path: Path) -> None:
    code = "import rag, onnxruntime"  # which, if it reports, begins when it is imported
    env = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=env, cwd=ROOT, check=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.getaddrinfo('example.org', 80)",
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'', ('127.0.0.1', 9))",
    ],
)
def test_what_python_tries_is_seen_and_refused(code: str) -> None:
    done, tried = watch([sys.executable, "-c", code])
    assert "there is no network in this run" in done.stderr
    assert any(line.startswith("socket.") for line in tried)


@pytest.mark.skipif(not tracer(Path(os.devnull)), reason="native code is watched by strace alone")
def test_what_native_code_tries_is_seen_in_a_worker_too() -> None:
    native = "import ctypes; assert ctypes.CDLL(None).socket(2, 1, 0) {} 0"
    _, tried = watch([sys.executable, "-c", native.format(">")])
    assert len(tried) == 1 and "socket(AF_INET" in tried[0]
    refused = f"from rag.parsing_worker import _refuse_sockets; _refuse_sockets(); {native.format('<')}"
    done, tried = watch([sys.executable, "-c", refused])
    assert done.returncode == 0, done.stderr
    assert len(tried) == 1 and "socket(AF_INET" in tried[0]
