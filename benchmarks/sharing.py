"""How long a question waits while documents come in: python -m benchmarks.sharing [--rounds N]

Real models, a library of the sample documents, and text without end to ingest: words in an order of chance, so that no
vector of it is known. Each round asks, in turns, a question while nothing else is done, one while the same process
ingests, and one while `ingest.py` does so beside it. Printed are the seconds to the first word, the ratio of each to
the idle one (the median of the rounds' own, with the least and the greatest), and how many chunks a second came in
while a question was being answered and while none was. Run it at ordinary priority: that is what `ingest.py` yields to,
and at a lower one it yields nothing.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.ratios import spread
from rag.config import load_settings
from rag.library import Library
from rag.manifest import Manifest
from rag.types import Answer, Token

ROOT = Path(__file__).parent.parent
ARMS = ("idle", "ingesting in the process", "ingesting beside it")
QUESTIONS = (  # each asked once an arm, so that no arm finds its prompt in a cache
    "How long is the warranty on the base?",
    "What does a new base cost?",
    "How often should the kettle be descaled?",
    "What may a hotel cost a night?",
    "Which kettles are recalled?",
    "What does the limescale study conclude?",
    "Who was at the board meeting in March?",
    "What does E3 mean?",
    "How much water does the K3 hold?",
)
WORDS = (ROOT / "sample_docs" / "onboarding-handbook.md").read_text().split()
_WARM_UP = 20  # chunks that are in before anything is measured
_BEFORE = 8.0  # seconds of ingestion that are measured before a question is asked
_FILES, _WORDS = 40, 6000


def main() -> int:
    """Print each round, then the ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sharing", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="questions for each arm (3)")
    rounds = parser.parse_args().rounds
    waits: dict[str, list[float]] = {arm: [] for arm in ARMS}
    with tempfile.TemporaryDirectory() as scratch:
        library = Library(load_settings(library=Path(scratch, "library")))
        for _ in library.ingest([ROOT / "sample_docs"]):
            pass
        library.load_models()
        first_word(library, "What is this about?")  # what the first answer loads is nobody's wait
        print("| round | arm | first word | chunks/s before the question | until its answer's end |")
        print("| --- | --- | --- | --- | --- |")
        for number in range(rounds):
            for place in range(len(ARMS)):
                arm = ARMS[(number + place) % len(ARMS)]
                question = QUESTIONS[(number * len(ARMS) + place) % len(QUESTIONS)]
                with at_work(arm, library, Path(scratch, f"{number}-{place}")):
                    started = look(library.manifest)
                    time.sleep(0 if arm == "idle" else _BEFORE)
                    asked = look(library.manifest)
                    waits[arm].append(first_word(library, question))
                    before, during = rate(started, asked), rate(asked, look(library.manifest))
                print(f"| {number + 1} | {arm} | {waits[arm][-1]:.1f} s | {before:.1f} | {during:.1f} |", flush=True)
    print("\n| arm | first word, times idle |\n| --- | --- |")
    for arm in ARMS[1:]:
        ratios = [busy / idle for busy, idle in zip(waits[arm], waits["idle"], strict=True)]
        print(f"| {arm} | {spread(ratios, 2)} |")
    return 0


def first_word(library: Library, question: str) -> float:
    """Seconds to the first word of an answer, which is then heard to its end."""
    began, first = time.monotonic(), 0.0
    for event in library.ask(question):
        if not first and isinstance(event, Token | Answer):
            first = time.monotonic() - began
    return first


def look(manifest: Manifest) -> tuple[float, int]:
    """The time, and how many vectors there are."""
    return time.monotonic(), count_vectors(manifest)


def rate(first: tuple[float, int], then: tuple[float, int]) -> float:
    """Vectors added a second."""
    return (then[1] - first[1]) / (then[0] - first[0])


@contextmanager
def at_work(arm: str, library: Library, folder: Path) -> Iterator[None]:
    """Have a folder of new text ingested meanwhile, until the `with` is left."""
    before = count_vectors(library.manifest)
    if arm == "idle":
        yield
        return
    write_files(folder)
    command = [sys.executable, "ingest.py", folder, "--library", library.settings.library]
    stopped = threading.Event()

    def ingest() -> None:
        with closing(library.ingest([folder])) as events:
            while not stopped.is_set() and next(events, None):
                pass

    thread = threading.Thread(target=ingest)
    beside = arm == "ingesting beside it"
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) if beside else None
    try:
        if process is None:
            thread.start()
        while count_vectors(library.manifest) < before + _WARM_UP:
            time.sleep(0.1)
        yield
    finally:
        stopped.set()
        if process:
            process.kill()
            process.wait()
        else:
            thread.join()


def count_vectors(manifest: Manifest) -> int:
    """How many texts the library has embedded, of documents that are not yet whole too."""
    with closing(sqlite3.connect(manifest.path)) as db:
        (count,) = db.execute("SELECT count(key) FROM vectors").fetchone()
    return int(count)


def write_files(folder: Path) -> None:
    """Files of sentences that nobody has written before."""
    folder.mkdir()
    for number in range(_FILES):
        words = random.choices(WORDS, k=_WORDS)
        sentences = (" ".join(words[start : start + 12]).capitalize() for start in range(0, _WORDS, 12))
        (folder / f"{number}.txt").write_text(". ".join(sentences) + ".")


if __name__ == "__main__":
    sys.exit(main())
