"""What the commands write: rag/terminal.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# As requests does it while a thread of Gradio's holds filters of its own
LIBRARY = """
import warnings
from rag.terminal import Terminal
with Terminal():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
    warnings.warn("an extra is not installed", UserWarning)
"""


@pytest.mark.parametrize(("flags", "shown"), [([], False), (["-W", "default"], True)])
def test_a_command_shows_the_warnings_of_libraries_only_if_told_to(flags: list[str], shown: bool) -> None:
    run = subprocess.run(
        [sys.executable, *flags, "-c", LIBRARY],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("an extra is not installed" in run.stderr) == shown
