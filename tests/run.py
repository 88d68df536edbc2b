"""All checks and tests of the project: python tests/run.py [--fast] [PYTEST ARGUMENT...]"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOOLS = Path(sysconfig.get_path("scripts"))  # where pip puts a package's programs
CHECKS: tuple[list[str | Path], ...] = (
    [TOOLS / "ruff", "check"],
    [TOOLS / "ruff", "format", "--check"],
    [TOOLS / "mypy"],
    [TOOLS / "lint-imports", "--no-logo"],
    [sys.executable, "-m", "cogapp", "--check", "--diff", "README.md"],
    [TOOLS / "hadolint", "Dockerfile"],
)
ALL, FAST = "not gpu", "not slow and not browser and not gpu"


def run(step: list[str | Path]) -> int:
    """Run a step from the project's folder, between a line that names it and one that says how long it took."""
    command = [str(part) for part in step]
    print("==", " ".join([Path(command[0]).name, *command[1:]]), flush=True)
    began = time.monotonic()
    status = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL).returncode
    print(f"   {'ok' if status == 0 else f'FAILED ({status})'}, {time.monotonic() - began:.1f} s", flush=True)
    return status


def provide(program: str) -> bool:
    """See that the tests find a program, which a Debian package is named after; install it where that may be done."""
    if shutil.which(program):
        return True
    if not (shutil.which("apt-get") and os.geteuid() == 0):
        print(f"{program} is missing: install it (`sudo apt-get install {program}`), or use --fast")
        return False
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    run(["apt-get", "-qq", "update"])
    run(["apt-get", "-qq", "install", "--yes", "--no-install-recommends", program])
    return shutil.which(program) is not None


def main() -> int:
    """Run it all; returns the exit status. pytest comes last, so that its closing line is the last output."""
    parser = argparse.ArgumentParser(prog="tests/run.py", description=__doc__)
    parser.add_argument("--fast", action="store_true", help="only the tests that need no model and no browser")
    options, pytest_args = parser.parse_known_args()
    if not options.fast:
        if not all([provide("chromium"), provide("npm")]):  # npm fetches axe-core
            return 1
        if failed := [step for step in CHECKS if run(step)]:
            print("failed, so the tests were not run:", "; ".join(Path(step[0]).name for step in failed))
            return 1
    # -m: the project's folder comes first on the path, as it does for `python app.py`
    command = [sys.executable, "-m", "pytest", "-m", FAST if options.fast else ALL, *pytest_args]
    print("==", "pytest", *command[3:], flush=True)
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main())
