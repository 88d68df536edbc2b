"""The app as a person starts it: `python app.py` as a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class AppProcess:
    """A running app on a library of its own; what it writes goes to files beside that library."""

    def __init__(
        self, library: Path, *flags: str, environment: Mapping[str, str] | None = None, program: str = "app.py"
    ) -> None:
        self.port, self.library = free_port(), library
        self.address = f"http://127.0.0.1:{self.port}"
        self._logs = {name: library.with_name(f"{library.name}.{name}") for name in ("stdout", "stderr")}
        self._began = time.monotonic()
        with self._logs["stdout"].open("wb") as stdout, self._logs["stderr"].open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, program, "--port", str(self.port), "--library", str(library), *flags],
                cwd=ROOT,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )

    def wait_for_page(self, timeout_s: float = 60) -> float:
        """Wait for the page; returns the seconds from the start of the process to the end of the first response."""
        deadline = time.monotonic() + timeout_s
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(self.address, timeout=5) as response:
                    response.read()
                return time.monotonic() - self._began
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"no page after {timeout_s} s: {self.written('stderr')}")

    def written(self, name: str) -> str:
        """What it wrote to "stdout" or "stderr" so far."""
        return self._logs[name].read_text("utf-8")

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> tuple[int, float]:
        """Ctrl-C; returns the exit status and the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(30), time.monotonic() - began

    def kill(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        self.process.wait()
