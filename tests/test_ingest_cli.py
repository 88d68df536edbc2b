"""The command line of ingest.py: what it prints, how it ends, and how fast it answers."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hashed_library import HashedEmbeddings, HashedLibrary, table

import ingest
import rag.__main__
import rag.library
from rag.config import load_settings
from rag.tokens import embedding_fingerprint

ROOT = Path(__file__).parent.parent
RUN = """
import sys, time
import rag.library
from hashed_library import HashedEmbeddings

class Embeddings(HashedEmbeddings):
    def embed_documents(self, texts):
        time.sleep({delay})
        return super().embed_documents(texts)

rag.library.LazyEmbeddings = lambda settings, report: Embeddings()
import ingest
sys.exit(ingest.main())
"""


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "apples.md").write_text("Green apples are sour.\n")
    (folder / "pears.txt").write_text("Pears are soft.\n")
    return folder


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a library whose embeddings need no model."""
    monkeypatch.setattr(rag.library, "LazyEmbeddings", lambda settings, report: HashedEmbeddings())
    return tmp_path / "library"


def run(library: Path, *args: object) -> int:
    return ingest.main([*map(str, args), "--library", str(library)])


def start(library: Path, *args: object, delay: float = 0) -> subprocess.Popen[str]:
    """ingest.py in a process of its own, embedding without a model."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    command = [sys.executable, "-c", RUN.format(delay=delay), *map(str, args), "--library", str(library)]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def objects(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_run_tells_of_each_file_and_sums_up(library: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(library, docs) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["added     apples.md  (1 chunks)", "added     pears.txt  (1 chunks)"]
    assert lines[2].startswith("2 added; 2 chunks embedded in ")
    assert run(library, docs) == 0
    assert "2 unchanged; 0 chunks embedded in " in capsys.readouterr().out


def test_a_file_that_is_not_what_its_name_says_is_read_and_said(
    library: Path, docs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = "<!DOCTYPE html><html><body><p>Quinces keep until March.</p></body></html>"
    (docs / "quinces.txt").write_text(page, "utf-8")
    assert run(library, docs) == 0
    shown = capsys.readouterr().out.splitlines()[2]
    assert shown == "added     quinces.txt  (1 chunks; read as .html, which it is, whatever its name says)"


def test_json_lines(library: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (docs / "empty.txt").touch()
    assert run(library, docs, "--json") == 1
    *files, last = objects(capsys)
    assert [set(file) for file in files] == [{"source", "path", "state", "outcome", "reason", "pages", "chunks"}] * 3
    assert files[0] == {
        "source": "apples.md",
        "path": str(docs / "apples.md"),
        "state": "added",
        "outcome": "ready",
        "reason": None,
        "pages": 0,
        "chunks": 1,
    }
    assert (files[1]["state"], files[1]["reason"], files[1]["chunks"]) == ("failed", "it is empty", 0)
    assert [file["outcome"] for file in files] == ["ready", "empty", "ready"]
    summary = last["summary"]
    assert summary.pop("seconds") >= 0
    assert summary == {
        "added": 2,
        "changed": 0,
        "unchanged": 0,
        "removed": 0,
        "failed": 1,
        "files": 3,
        "embedded": 2,
    }


def test_a_dry_run_reports_and_keeps_still(library: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(library, docs, "--dry-run") == 0
    assert "would be: 2 added; 0 chunks embedded" in capsys.readouterr().out
    run(library, docs)
    (docs / "pears.txt").unlink()
    capsys.readouterr()
    assert run(library, docs, "--prune", "--dry-run") == 0
    assert "removed   pears.txt" in capsys.readouterr().out
    assert run(library, "--delete", "pears.txt", "--dry-run") == 0
    assert len(HashedLibrary(library).manifest.documents()) == 2


def test_delete_by_source_and_by_path(library: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(library, docs)
    capsys.readouterr()
    assert run(library, "--delete", "pears.txt", "--delete", docs / "apples.md", "--json") == 0
    assert [(line["source"], line["state"]) for line in objects(capsys)] == [
        ("pears.txt", "removed"),
        ("apples.md", "removed"),
    ]
    assert HashedLibrary(library).manifest.documents() == []
    assert run(library, "--delete", "pears.txt") == 1
    assert capsys.readouterr().err.startswith("error: no document 'pears.txt' in collection 'default'")


def test_an_ambiguous_name_is_refused(library: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (docs / "more").mkdir()
    (docs / "more" / "pears.txt").write_text("Other pears.")
    run(library, docs, docs / "more")
    capsys.readouterr()
    assert run(library, "--delete", "pears.txt") == 1
    assert "2 documents are called 'pears.txt'; give the path of one: " in capsys.readouterr().err


def test_collections_are_apart(library: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(library, docs, "--collection", "one")
    assert run(library, docs / "pears.txt", "--collection", "two") == 0
    assert run(library, "--delete", "apples.md", "--collection", "two") == 1
    assert len(HashedLibrary(library, collection="one").manifest.documents("one")) == 2
    assert HashedLibrary(library).problems() == []


@pytest.mark.parametrize("args", [[], ["nowhere"], ["--library"], ["--frobnicate"], ["--prune"]])
def test_wrong_usage_is_2(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        ingest.main(args)
    assert end.value.code == 2
    assert "usage: ingest.py" in capsys.readouterr().err


def test_a_wrong_setting_is_told(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ingest.main([str(docs), "--collection", "a/b"]) == 1
    assert capsys.readouterr().err.startswith("error: --collection='a/b': ")


def test_a_file_that_is_no_manifest(library: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    library.mkdir()
    (library / "manifest.sqlite").write_text("my notes " * 999)
    assert run(library, docs) == 1
    told = capsys.readouterr().err
    assert told == f"error: the library's manifest {library}/manifest.sqlite cannot be used: file is not a database\n"


def test_odd_names_stay_on_their_line(library: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (docs / "a\nb\x1b[31m 🍐.txt").write_text("odd")
    assert run(library, docs) == 0
    assert "added     a\\nb\\x1b[31m 🍐.txt  (1 chunks)" in capsys.readouterr().out.splitlines()
    assert run(library, docs, "--json") == 0
    assert objects(capsys)[0]["source"] == "a\nb\x1b[31m 🍐.txt"
    assert run(library, "--delete", "a\nb\x1b[31m 🍐.txt") == 0


def test_another_embedding_model_is_refused_everywhere_until_reindex(
    library: Path, docs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(library, docs)
    monkeypatch.setattr(rag.library, "LazyEmbeddings", lambda settings, report: HashedEmbeddings("hashed@2"))
    search = ["search", "pears soft", "--library", str(library)]
    capsys.readouterr()
    for attempt in (lambda: run(library, docs), lambda: rag.__main__.main(search)):
        assert attempt() == 1
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert "was indexed with hashed@1" in told
        assert "python -m rag reindex" in told
    assert rag.__main__.main(["reindex", "--library", str(library)]) == 0
    capsys.readouterr()
    assert rag.__main__.main(search) == 0
    assert "[1] pears.txt" in capsys.readouterr().out
    assert HashedLibrary(library, fingerprint="hashed@2").problems() == []


def test_ctrl_c_while_importing(
    docs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(ModuleType):
        def __getattr__(self, name: str) -> Any:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "rag.library", Interrupted("rag.library"))
    assert ingest.main([str(docs)]) == 130
    assert capsys.readouterr().err == "error: stopped; what was added is safe, run it again to go on\n"


@pytest.mark.timeout(120)
def test_ctrl_c_while_embedding(tmp_path: Path, docs: Path) -> None:
    running = start(tmp_path / "library", docs, delay=2)
    assert running.stdout
    assert running.stdout.readline().startswith("added     apples.md")
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 130
    assert told.splitlines()[-1] == "error: stopped; what was added is safe, run it again to go on"
    assert "Traceback" not in told
    library = HashedLibrary(tmp_path / "library")
    assert library.states(docs) == {"apples.md": "unchanged", "pears.txt": "added"}
    assert library.problems() == []


def vectors(library: Path) -> int:
    return int(table(HashedLibrary(library).manifest, "SELECT count(*) FROM vectors")[0][0])


@pytest.mark.timeout(300)
def test_a_full_disk_ends_in_one_line_and_the_next_run_completes(small_disk: Path, docs: Path) -> None:
    for number in range(60):
        texts = (" ".join(f"word{number * part % n}" for n in range(20, 170)) for part in range(1, 9))
        (docs / f"{number}.txt").write_text(f"{number}\n\n".join(texts))
    embedded = 0
    for size in ("1m", "1500k", "2m", "3m", "4m", "6m", "8m"):
        subprocess.run(["mount", "-o", f"remount,size={size}", small_disk], check=True)
        running = start(small_disk / "library", docs, "--json")
        out, told = running.communicate()
        assert running.returncode == 1, (size, told)
        errors = [line for line in told.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, told
        assert "is full; free some space and run this again" in errors[0], (size, told)
        assert "Traceback" not in told
        added = [json.loads(line) for line in out.splitlines()]
        assert all(file["state"] in ("added", "unchanged") for file in added), added
        embedded += sum(file["chunks"] for file in added if file["state"] == "added")
    assert embedded
    kept = vectors(small_disk / "library")
    subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)
    running = start(small_disk / "library", docs, "--json")
    out, told = running.communicate()
    assert running.returncode == 0, told
    assert json.loads(out.splitlines()[-1])["summary"]["embedded"] == vectors(small_disk / "library") - kept
    library = HashedLibrary(small_disk / "library")
    assert len(library.manifest.documents()) == 62
    assert library.problems() == []
    library.index.close()


@pytest.mark.parametrize("command", [["ingest.py", "--help"], ["-m", "rag", "--help"]])
def test_help_answers_at_once(command: list[str]) -> None:
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert "--help" in done.stdout
        # Of the processor: what else the machine is doing is not the program's slowness
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 0.5


def test_an_unchanged_folder_imports_nothing_that_only_new_text_needs(library: Path, docs: Path) -> None:
    assert run(library, docs) == 0
    with closing(sqlite3.connect(library / "manifest.sqlite")) as db, db:
        fingerprint = embedding_fingerprint(load_settings())
        db.execute("UPDATE meta SET value = ? WHERE key = 'embedding'", [fingerprint])
    code = (
        "import sys, ingest\n"
        "status = ingest.main(sys.argv[1:])\n"
        "heavy = {'chromadb', 'langchain_core', 'langchain_text_splitters', 'numpy', 'openvino', 'torch', 'tqdm'}\n"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else status)"
    )
    command = [sys.executable, "-c", code, str(docs), "--library", str(library)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "2 unchanged; 0 chunks embedded" in done.stdout
