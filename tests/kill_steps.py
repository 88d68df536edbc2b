"""Kill an ingest run at each of its steps in turn, run again, and print what is wrong with the library: nothing.

python tests/kill_steps.py WORKDIR prints one JSON object a kill. Everything is imported once and each run is forked
from here, so that a kill costs milliseconds; nobody opens Chroma before the fork.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hashed_library import HashedLibrary, contents, table

STEPS = {
    "manifest": ("add_vectors", "add_document", "publish", "unfinished", "retire", "forget", "drop_unused_vectors"),
    "index": ("add", "delete"),
}


class Steps:
    """Counts the steps of a run, and dies at one of them."""

    def __init__(self, fatal: int, last: Path) -> None:
        self.count = 0
        self.fatal = fatal
        self.last = last

    def reach(self, name: str) -> None:
        if self.count == self.fatal:
            self.last.write_text(name)
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1

    def watch(self, owner: object, part: str, name: str) -> None:
        function: Callable[..., Any] = getattr(owner, name)

        def watched(*args: Any) -> Any:
            self.reach(f"before {part}.{name}")
            result = function(*args)
            self.reach(f"after {part}.{name}")
            return result

        setattr(owner, name, watched)


def make_folder(folder: Path) -> None:
    folder.mkdir()
    for name in ("stays", "changes", "goes", "moves"):
        text = " ".join(f"{name} {number}." for number in range(40))
        (folder / f"{name}.txt").write_text(f"{text}\n\nWhat all of them say.")


def change_folder(folder: Path) -> None:
    (folder / "changes.txt").write_text(" ".join(f"changed {number}." for number in range(300)))  # two batches
    (folder / "goes.txt").unlink()
    (folder / "moves.txt").rename(folder / "moved.txt")
    (folder / "new.txt").write_text("new. What all of them say.")


def open_library(folder: Path) -> HashedLibrary:
    return HashedLibrary(folder, chunk_size=100, chunk_overlap=10)


def forked(work: Callable[[], None]) -> int:
    """Do the work in a process of its own; returns its wait status."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test must hear of it
            print(json.dumps({"crash": repr(error)}), flush=True)
            os._exit(1)
        sys.stdout.flush()
        os._exit(0)
    return os.waitpid(child, 0)[1]


def run(folder: Path, docs: Path, fatal: int) -> None:
    library = open_library(folder)
    steps = Steps(fatal, folder / "last-step")
    for part, names in STEPS.items():
        for name in names:
            steps.watch(getattr(library, part), part, name)
    library.ingest(docs, prune=True)


def run_again(folder: Path, docs: Path, clean: Path) -> None:
    library = open_library(folder)
    before = {key for (key,) in table(library.manifest, "SELECT key FROM vectors")}
    report = library.ingest(docs, prune=True)
    after = {key for (key,) in table(library.manifest, "SELECT key FROM vectors")}
    told = {
        "step": (folder / "last-step").read_text(),
        "problems": library.problems(),
        "same": contents(library.manifest) == contents(open_library(clean).manifest),
        "embedded_again": report.embedded - len(after - before),
        "failed": report.count("failed"),
    }
    print(json.dumps(told))


def main(work: Path) -> None:
    docs, template, clean = work / "docs", work / "template", work / "clean"
    make_folder(docs)
    assert forked(lambda: (open_library(template).ingest(docs), None)[1]) == 0
    change_folder(docs)
    assert forked(lambda: (open_library(clean).ingest(docs), None)[1]) == 0
    fatal = 0
    while True:
        folder = work / str(fatal)
        shutil.copytree(template, folder)
        status = forked(lambda: run(folder, docs, fatal))  # noqa: B023
        if not os.WIFSIGNALED(status):
            assert status == 0
            return
        forked(lambda: run_again(folder, docs, clean))  # noqa: B023
        shutil.rmtree(folder)
        fatal += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]))
