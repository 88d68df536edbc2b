"""Kill -9 at any moment, run again: the library is that of one clean run, and nothing was embedded twice."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fpdf import FPDF
from hashed_library import contents, problems, table

from rag.manifest import Manifest
from rag.store import VectorIndex

ROOT = Path(__file__).parent.parent
SUFFIXES = (".md", ".txt", ".csv", ".html")
WORDS = (
    "harbour lamp gravel ledger willow engine copper parcel meadow ticket anchor basket candle dragon ember falcon "
    "garden hollow island jacket kettle lantern marble needle orchard pepper quarry ribbon saddle timber"
)


def prose(rng: random.Random, paragraphs: int) -> list[str]:
    return [
        " ".join(" ".join(rng.choices(WORDS.split(), k=8)).capitalize() + f" {rng.randrange(10**6)}." for _ in range(3))
        for _ in range(paragraphs)
    ]


def write(path: Path, rng: random.Random) -> None:
    """Write a file of some eight chunks in the format of its suffix."""
    texts = prose(rng, 8)
    if path.suffix == ".pdf":
        pdf = FPDF()
        pdf.set_font("Helvetica", size=11)
        for start in (0, 4):
            pdf.add_page()
            pdf.multi_cell(0, 6, "\n\n".join(texts[start : start + 4]))
        pdf.output(str(path))
    elif path.suffix == ".csv":
        path.write_text("id,what\n" + "".join(f'{n},"{text}"\n' for n, text in enumerate(texts)))
    elif path.suffix == ".html":
        path.write_text("<html><body>" + "".join(f"<p>{text}</p>" for text in texts) + "</body></html>")
    else:
        path.write_text("\n\n".join(texts))


def make_folder(folder: Path, rng: random.Random, files: int = 40) -> None:
    folder.mkdir()
    for number in range(files):
        suffix = ".pdf" if number == files // 2 else SUFFIXES[number % len(SUFFIXES)]
        write(folder / f"file{number:03}{suffix}", rng)


def change_folder(folder: Path, rng: random.Random) -> None:
    """Change six files, remove two, rename one and add two."""
    some = rng.sample(sorted(folder.iterdir()), 9)
    for path in some[:6]:
        write(path, rng)
    for path in some[6:8]:
        path.unlink()
    some[8].rename(folder / f"new{rng.randrange(10**9)}{some[8].suffix}")
    for suffix in rng.sample(SUFFIXES, 2):
        write(folder / f"new{rng.randrange(10**9)}{suffix}", rng)


def start(folder: Path, library: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "ingest.py", str(folder), "--prune", "--json", "--library", str(library)]
    small = {**os.environ, "RAG_CHUNK_SIZE": "200", "RAG_CHUNK_OVERLAP": "40"}  # many chunks, little to embed
    return subprocess.Popen(command, cwd=ROOT, env=small, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def vectors(library: Path) -> dict[bytes, int]:
    """The rows of the vectors by key: a vector that was dropped and embedded again has another row."""
    path = library / "manifest.sqlite"
    if not path.exists():
        return {}
    return dict(table(Manifest(path), "SELECT key, rowid FROM vectors"))


def finish(run: subprocess.Popen[str]) -> dict[str, Any]:
    """Let a run end by itself; its summary."""
    out, error = run.communicate(timeout=600)
    assert run.returncode == 0, error
    summary: dict[str, Any] = json.loads(out.splitlines()[-1])["summary"]
    return summary


def where(library: Path) -> str:
    """Where a killed run was, by what it left."""
    path = library / "manifest.sqlite"
    if not path.exists():
        return "before the manifest"
    manifest = Manifest(path)
    if (library / "chroma.busy").exists():
        return "inside Chroma"
    states = {state for (state,) in table(manifest, "SELECT DISTINCT state FROM documents")}
    if "indexing" in states:
        return "between adding and publishing a document"
    if "deleting" in states:
        return "between retiring and forgetting a document"
    if table(manifest, "SELECT 1 FROM vectors WHERE key NOT IN (SELECT vector_key FROM chunks)"):
        return "amid the embedding of a document"
    return "between documents, or before the first"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_kills_at_random_moments(tmp_path: Path, kills: int, capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(kills)
    folder, library = tmp_path / "docs", tmp_path / "library"
    make_folder(folder, rng)
    # One run shows how long the imports and the models take, and how long the work does
    began, trial = time.monotonic(), start(folder, tmp_path / "trial")
    assert trial.stdout
    trial.stdout.readline()
    idle = time.monotonic() - began
    finish(trial)
    work = time.monotonic() - began - idle

    landed: Counter[str] = Counter()
    checked = twice = 0
    while landed.total() < kills:
        before = vectors(library)
        began, run = time.monotonic(), start(folder, library)
        delay = rng.uniform(0, idle) if rng.random() < 0.15 else idle + rng.uniform(-0.1, 1) * work
        with suppress(subprocess.TimeoutExpired):
            run.wait(timeout=max(0, delay))
        if run.poll() is None:
            run.kill()
            run.communicate()
            landed[where(library)] += 1
            after = vectors(library)
            twice += sum(after.get(key, row) != row for key, row in before.items())
            continue
        work = max(1, time.monotonic() - began - idle)  # as long as one round's changes take, from now on
        checked += settle(run, before, library)
        change_folder(folder, rng)
    before = vectors(library)
    checked += settle(start(folder, library), before, library)

    clean = tmp_path / "clean"
    finish(start(folder, clean))
    one, other = Manifest(library / "manifest.sqlite"), Manifest(clean / "manifest.sqlite")
    assert contents(one) == contents(other)
    kept = dict(table(one, "SELECT key, vector FROM vectors"))
    for key, vector in table(other, "SELECT key, vector FROM vectors"):
        assert np.frombuffer(vector, np.float32) @ np.frombuffer(kept[key], np.float32) > 0.999
    assert twice == 0
    with capsys.disabled():
        places = ", ".join(f"{count} {place}" for place, count in landed.most_common())
        print(f"\n{kills} kills ({places}); {checked} vectors checked, 0 lost, {twice} embedded twice")


def settle(run: subprocess.Popen[str], before: dict[bytes, int], library: Path) -> int:
    """Let a run end, and check the library it leaves; how many vectors that was."""
    summary = finish(run)
    after = vectors(library)
    assert summary["embedded"] == len(after.keys() - before.keys())
    manifest = Manifest(library / "manifest.sqlite")
    index = VectorIndex(library / "chroma", manifest)
    assert problems(manifest, index) == []
    index.close()
    return len(after)


def test_a_kill_at_every_step(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, ROOT / "tests" / "kill_steps.py", tmp_path]
    done = subprocess.run(command, env=environment, text=True, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    kills = [json.loads(line) for line in done.stdout.splitlines()]
    fine = {"problems": [], "same": True, "embedded_again": 0, "failed": 0}
    assert [kill for kill in kills if {key: kill.get(key) for key in fine} != fine] == []
    parts = ("manifest.add_vectors", "manifest.add_document", "manifest.publish", "manifest.unfinished")
    parts += ("manifest.retire", "manifest.forget", "manifest.drop_unused_vectors", "index.add", "index.delete")
    assert {kill["step"] for kill in kills} == {f"{when} {part}" for when in ("before", "after") for part in parts}
