"""What the commands write: results to standard output, progress and errors to standard error."""

from __future__ import annotations

import sys
import time
import warnings
from dataclasses import replace
from types import TracebackType
from typing import Any, TextIO

from rag.types import Progress

_QUIET_S = 5.0  # between progress lines where there is no terminal to redraw


class Terminal:
    """Progress bars at the bottom, one for each unit, and lines above them; without a terminal, a line now and then."""

    def __init__(self) -> None:
        self._bars: dict[str, Any] = {}
        self._said: tuple[str, float] = ("", 0.0)

    def __enter__(self) -> Terminal:
        # Whoever runs a command can do nothing about what its libraries warn of; pytest and -W show it. All of it, and
        # before there are threads: a filter set by a library is lost if another thread restores the filters meanwhile
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def progress(self, progress: Progress) -> None:
        """Show how far the work is."""
        progress = replace(progress, what=plain(progress.what))
        if sys.stderr.isatty():
            self._draw(progress)
        else:
            self._say(progress)

    def print(self, line: str) -> None:
        """Write a line of the result."""
        self._write(line, sys.stdout)
        sys.stdout.flush()

    def error(self, message: str) -> None:
        """Write a line that says what went wrong."""
        self.clear()
        self._write(f"error: {message}", sys.stderr)

    def clear(self) -> None:
        """Take the bars away."""
        for unit in list(self._bars):
            self._bars.pop(unit).close()

    def _write(self, line: str, file: TextIO) -> None:
        if self._bars:  # they make room for it
            next(iter(self._bars.values())).write(line, file=file)
        else:
            file.write(line + "\n")

    def _draw(self, progress: Progress) -> None:
        from tqdm import tqdm  # late: a tenth of a second, of which a run that is not watched draws nothing

        bar = self._bars.get(progress.unit)
        if bar is not None and bar.total != (progress.total or None):
            self._bars.pop(progress.unit).close()
            bar = None
        if bar is None:
            bar = self._bars[progress.unit] = tqdm(
                total=progress.total or None,
                unit=progress.unit if progress.unit == "B" else f" {progress.unit}",
                unit_scale=progress.unit == "B",
                unit_divisor=1024,
                leave=False,
                file=sys.stderr,
                bar_format=None if progress.total else "{desc} [{elapsed}]",
            )
        bar.set_description_str(progress.what, refresh=False)
        bar.update(progress.done - bar.n)
        bar.refresh()
        if 0 < progress.total <= progress.done:
            self._bars.pop(progress.unit).close()

    def _say(self, progress: Progress) -> None:
        what, when = self._said
        begins = progress.what != what and progress.unit in ("", "B")  # files and chunks begin too often to say so
        if not progress.what or not (begins or time.monotonic() - when >= _QUIET_S):
            return
        self._said = (progress.what, time.monotonic())
        amount = f"  {_amount(progress.done, progress.unit)} of {_amount(progress.total, progress.unit)}"
        sys.stderr.write(progress.what + (amount if progress.total else "") + "\n")
        sys.stderr.flush()


def plain(name: str) -> str:
    """A file's name on one line: line ends and control characters, which could steer a terminal, as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _amount(count: int, unit: str) -> str:
    return f"{count / 2**20:.0f} MiB" if unit == "B" else f"{count} {unit}"
