"""Files in: nothing unchanged is embedded again, nothing gone stays, and what cannot be read is told and survived."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from fpdf import FPDF
from hashed_library import HashedLibrary, contents, table
from langchain_core.documents import Document

import rag.splitter
from rag.errors import DocumentError, LibraryError
from rag.parsing import ParserPool
from rag.retriever import LibraryRetriever
from rag.types import FileReport, Progress, Scope

HERE = Path(__file__).parent


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder of three files."""
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / "apples.md").write_text("# Apples\n\nGreen apples are sour.\n")
    (folder / "pears.txt").write_text("Pears are soft in autumn.\n")
    (folder / "sub" / "plums.csv").write_text("name,price\nplum,3\n")
    return folder


@pytest.fixture
def library(tmp_path: Path) -> HashedLibrary:
    return HashedLibrary(tmp_path / "library", max_file_mb=1)


def rewrite(path: Path, text: str) -> None:
    """Change a file, at a time that is not the one it had."""
    before = path.stat().st_mtime_ns
    path.write_text(text)
    os.utime(path, ns=(before + 10**9, before + 10**9))


def reasons(library: HashedLibrary) -> dict[str, str | None]:
    return {info.source: info.reason for info in library.manifest.documents()}


# ---- unchanged, changed, removed


def test_a_second_run_embeds_nothing(library: HashedLibrary, docs: Path) -> None:
    assert library.states(docs) == {"apples.md": "added", "pears.txt": "added", "sub/plums.csv": "added"}
    before = contents(library.manifest)
    again = HashedLibrary(library.settings.library)
    report = again.ingest(docs)
    assert {file.state for file in report.files} == {"unchanged"}
    assert report.embedded == 0
    assert again.embedder.embedded == []
    assert [file.chunks for file in report.files] == [1, 1, 1]
    assert contents(again.manifest) == before
    assert again.problems() == []


def test_a_touched_file_is_unchanged(library: HashedLibrary, docs: Path) -> None:
    library.ingest(docs)
    os.utime(docs / "apples.md")
    assert library.states(docs)["apples.md"] == "unchanged"
    kept = table(library.manifest, "SELECT mtime_ns FROM documents WHERE source = 'apples.md'")
    assert kept == [((docs / "apples.md").stat().st_mtime_ns,)]


def test_a_changed_file_replaces_its_chunks_and_vectors(library: HashedLibrary, docs: Path) -> None:
    library.ingest(docs)
    rewrite(docs / "apples.md", "Red apples are sweet.")
    report = library.ingest(docs)
    assert [(file.source, file.state) for file in report.files if file.state != "unchanged"] == [
        ("apples.md", "changed")
    ]
    assert report.embedded == 1
    assert library.search("apples", 9)[0] == "Red apples are sweet."
    assert not any("Green" in text for text in library.search("green apples are sour", 9))
    assert library.problems() == []


def test_without_prune_a_missing_file_stays_and_with_it_goes(library: HashedLibrary, docs: Path) -> None:
    library.ingest(docs)
    (docs / "apples.md").unlink()
    (docs / "pears.txt").rename(docs / "autumn.txt")
    assert library.states(docs) == {"autumn.txt": "added", "sub/plums.csv": "unchanged"}
    assert set(reasons(library)) == {"apples.md", "pears.txt", "autumn.txt", "sub/plums.csv"}
    states = library.states(docs, prune=True)
    assert {source for source, state in states.items() if state == "removed"} == {"apples.md", "pears.txt"}
    assert library.search("pears", 9)[0] == "Pears are soft in autumn."
    assert len(library.search("anything", 9)) == 2
    assert library.problems() == []


def test_prune_keeps_to_the_folders_given(library: HashedLibrary, docs: Path, tmp_path: Path) -> None:
    near = tmp_path / "docs2"
    near.mkdir()
    (near / "a.txt").write_text("near")
    library.ingest(docs, near)
    (near / "a.txt").unlink()
    (docs / "sub" / "plums.csv").unlink()
    assert library.states(docs / "sub", prune=True) == {"sub/plums.csv": "removed"}
    assert library.states(docs, prune=True) == {"apples.md": "unchanged", "pears.txt": "unchanged"}
    assert "a.txt" in reasons(library)


def test_prune_keeps_what_is_there_though_the_folder_does_not_list_it(library: HashedLibrary, docs: Path) -> None:
    (docs / ".hidden.txt").write_text("hidden")
    library.ingest(docs / ".hidden.txt")
    library.ingest(docs, prune=True)
    assert ".hidden.txt" in reasons(library)


def test_equal_text_in_another_file_is_not_embedded_again(library: HashedLibrary, docs: Path) -> None:
    library.ingest(docs)
    (docs / "copy.txt").write_bytes((docs / "pears.txt").read_bytes())
    report = library.ingest(docs)
    assert (report.count("added"), report.embedded) == (1, 0)
    (docs / "pears.txt").unlink()
    library.ingest(docs, prune=True)
    assert library.search("pears", 1) == ["Pears are soft in autumn."]
    assert library.problems() == []


def test_another_chunk_size_reads_again(library: HashedLibrary, docs: Path) -> None:
    (docs / "long.txt").write_text(" ".join(f"word{n}" for n in range(100)))
    library.ingest(docs)
    small = HashedLibrary(library.settings.library, chunk_size=200, chunk_overlap=20)
    assert set(small.states(docs).values()) == {"changed"}
    assert max(len(text) for (text,) in table(small.manifest, "SELECT text FROM chunks")) <= 200
    assert set(small.states(docs).values()) == {"unchanged"}
    assert small.problems() == []


def test_deleting_leaves_nothing(library: HashedLibrary, docs: Path) -> None:
    library.ingest(docs)
    library.ingester.delete(library.manifest.named("default", "pears.txt").id)
    assert not any("Pears" in text for text in library.search("pears", 9))
    assert (docs / "pears.txt").exists()
    assert library.problems() == []
    assert library.states(docs)["pears.txt"] == "added"


# ---- names


def test_the_same_name_in_two_folders_is_two_documents(library: HashedLibrary, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(f"text of {name}")
    library.ingest(tmp_path / "one", tmp_path / "two")
    assert [info.source for info in library.manifest.documents()] == ["a.txt", "a.txt"]
    with pytest.raises(LibraryError, match=r"2 documents are called 'a\.txt'"):
        library.manifest.named("default", "a.txt")
    library.ingester.delete(library.manifest.named("default", str(tmp_path / "one" / "a.txt")).id)
    assert library.search("text", 9) == ["text of two"]


def test_a_file_given_later_keeps_the_name_from_its_folder(library: HashedLibrary, docs: Path) -> None:
    library.ingest(docs)
    plums = docs / "sub" / "plums.csv"
    assert library.states(plums) == {"sub/plums.csv": "unchanged"}
    os.utime(plums)
    assert library.states(plums) == {"sub/plums.csv": "unchanged"}
    rewrite(plums, "name,price\nplum,4\n")
    assert library.states(plums) == {"sub/plums.csv": "changed"}
    rewrite(plums, "")
    assert library.states(plums) == {"sub/plums.csv": "failed"}
    assert set(reasons(library)) == {"apples.md", "pears.txt", "sub/plums.csv"}


def test_a_file_given_twice_is_read_once(library: HashedLibrary, docs: Path) -> None:
    report = library.ingest(docs / "pears.txt", docs, docs / "sub" / ".." / "pears.txt")
    assert len(report.files) == 3


@pytest.mark.parametrize(
    ("name", "source"),
    [
        (b"caf\xe9.txt", "caf\\xe9.txt"),
        (b'it\'s "so".txt', 'it\'s "so".txt'),
        (b"new\nline.txt", "new\nline.txt"),
        ("🍐 пример.txt".encode(), "🍐 пример.txt"),
        (b"%s;--.txt", "%s;--.txt"),
        (b"-n.txt", "-n.txt"),
    ],
)
def test_odd_names(library: HashedLibrary, tmp_path: Path, name: bytes, source: str) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
    path.write_text("odd text")
    assert library.states(folder) == {source: "added"}
    assert library.states(folder, prune=True) == {source: "unchanged"}
    assert library.manifest.named("default", source).chunks == 1
    path.unlink()
    assert library.states(folder, prune=True) == {source: "removed"}


def test_the_library_does_not_read_itself(docs: Path) -> None:
    library = HashedLibrary(docs / "library")
    uploads = docs / "library" / "uploads"
    uploads.mkdir()
    (uploads / "kept.txt").write_text("uploaded")
    library.ingest(uploads / "kept.txt")
    states = library.states(docs, prune=True)
    assert states == {"apples.md": "added", "pears.txt": "added", "sub/plums.csv": "added"}
    assert "kept.txt" in reasons(library)


# ---- what cannot be read, and what of it is remembered


def outcomes(library: HashedLibrary, *paths: Path, **options: bool) -> dict[str, tuple[str, str]]:
    return {file.source: (file.state, file.outcome) for file in library.ingest(*paths, **options).files}


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sources that are read, in order."""
    read: list[str] = []
    load = ParserPool.load_documents

    def counted(pool: ParserPool, path: Path, source: str, **options: Any) -> Generator[Progress, None, list[Document]]:
        read.append(source)
        return (yield from load(pool, path, source, **options))

    monkeypatch.setattr(ParserPool, "load_documents", counted)
    return read


def test_what_failed_is_read_again_only_when_it_or_a_limit_changes_or_when_asked(
    library: HashedLibrary, tmp_path: Path, loads: list[str]
) -> None:
    path = tmp_path / "a.json"
    path.write_text("[")
    failed = {"a.json": ("failed", "corrupt")}
    assert outcomes(library, path) == outcomes(library, path) == failed
    assert outcomes(library, path, dry_run=True) == failed
    assert loads == ["a.json"]
    os.utime(path)
    assert outcomes(library, path) == failed
    assert loads == ["a.json"]
    assert outcomes(library, path, retry=True) == failed
    assert outcomes(HashedLibrary(library.settings.library, parse_memory_mb=3000), path) == failed
    assert loads == ["a.json"] * 3
    rewrite(path, "[ ")
    assert outcomes(library, path) == failed
    rewrite(path, '["pear"]')
    assert outcomes(library, path) == {"a.json": ("added", "ready")}
    assert loads == ["a.json"] * 5


def test_a_newer_version_that_failed_is_remembered_too(
    library: HashedLibrary, tmp_path: Path, loads: list[str]
) -> None:
    path = tmp_path / "a.json"
    path.write_text('["pear"]')
    library.ingest(path)
    rewrite(path, "[")
    for _ in range(2):
        assert outcomes(library, path) == {"a.json": ("failed", "corrupt")}
    assert loads == ["a.json"] * 2
    (info,) = library.manifest.documents()
    assert (info.state, info.outcome, info.reason is None) == ("ready", "ready", False)
    rewrite(path, '["pear"]')
    assert outcomes(library, path) == {"a.json": ("unchanged", "ready")}
    assert [row.failure for row in library.manifest.rows("default")] == [None]


def test_a_file_that_could_not_be_opened_is_tried_again(library: HashedLibrary, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.symlink_to(tmp_path / "b.txt")
    assert outcomes(library, path.parent)["a.txt"] == ("failed", "unreadable")
    (tmp_path / "b.txt").write_text("pears")
    assert outcomes(library, path.parent)["a.txt"] == ("added", "ready")


def test_pages_that_were_not_read_are_said(library: HashedLibrary, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(pool: ParserPool, path: Path, source: str, **options: Any) -> Generator[Progress, None, list[Document]]:
        yield Progress(source, 0, 2, "pages")
        return [
            Document("pears", metadata={"page": 1, "page_label": None}),
            Document("", metadata={"page": 2, "page_label": None, "unread": "a picture"}),
        ]

    monkeypatch.setattr(ParserPool, "load_documents", load)
    path, reason = docs / "pears.txt", "1 of 2 pages not read (2): a picture"
    for state in ("added", "unchanged"):
        (report,) = library.ingest(path).files
        assert (report.state, report.outcome, report.reason, report.pages) == (state, "partial", reason, 2)
        os.utime(path)
    (info,) = library.manifest.documents()
    assert (info.state, info.outcome, info.reason) == ("ready", "partial", reason)
    # Under other limits it may be read whole
    other = HashedLibrary(library.settings.library, parse_timeout=7)
    monkeypatch.undo()
    assert outcomes(other, path) == {"pears.txt": ("changed", "ready")}
    assert outcomes(library, path) == {"pears.txt": ("unchanged", "ready")}


def test_what_was_not_read_of_a_file_is_read_again(
    library: HashedLibrary, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unread: dict[str, Any] = {"page": 2, "page_label": None, "unread": "a recording"}

    def load(pool: ParserPool, path: Path, source: str, **options: Any) -> Generator[Progress, None, list[Document]]:
        yield Progress(source, 0, 2, "pages")
        first = Document(path.read_text(), metadata={"page": 1, "page_label": None})
        return [first, Document("", metadata=dict(unread))]

    monkeypatch.setattr(ParserPool, "load_documents", load)
    path = docs / "pears.txt"
    assert outcomes(library, path) == {"pears.txt": ("added", "partial")}
    assert library.states(path, retry=True) == {"pears.txt": "changed"}
    assert library.states(path) == {"pears.txt": "unchanged"}
    rewrite(path, "Other pears.")
    unread["try_again"] = True
    assert outcomes(library, path) == {"pears.txt": ("changed", "partial")}
    rewrite(path, "Later pears.")
    assert outcomes(library, path) == {"pears.txt": ("changed", "partial")}
    assert outcomes(library, path) == {"pears.txt": ("unchanged", "partial")}
    monkeypatch.undo()
    assert outcomes(library, path) == {"pears.txt": ("changed", "ready")}
    assert outcomes(library, path) == {"pears.txt": ("unchanged", "ready")}


@pytest.mark.parametrize("setting", ["ocr", "speech"])
def test_files_read_without_pictures_or_speech_are_read_again_with_them(
    library: HashedLibrary, docs: Path, setting: str
) -> None:
    path = docs / "pears.txt"
    HashedLibrary(library.settings.library, **{setting: "off"}).ingest(path)
    assert library.states(path) == {"pears.txt": "changed"}


def encrypted(path: Path) -> None:
    pdf = FPDF()
    pdf.set_encryption(owner_password="a", user_password="b")
    pdf.add_page()
    pdf.set_font("Helvetica")
    pdf.cell(text="secret")
    pdf.output(str(path))


def listening(path: Path) -> None:
    with suppress(OSError), socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


BAD: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "empty": ("a.txt", lambda path: path.write_bytes(b""), "it is empty"),
    "blank": ("a.md", lambda path: path.write_bytes(b" \n\n "), "it is empty"),
    "encrypted": ("a.pdf", encrypted, "password|encrypted"),
    "mislabelled": ("a.txt", lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99)), "not a picture at all"),
    "cut": ("a.pdf", lambda path: path.write_bytes(b"%PDF-1.7\n1 0 obj"), "."),
    "too large": ("a.txt", lambda path: path.write_bytes(b"word " * 2**18), "over the limit of 1 MiB"),
    "unknown": ("a.xyz", lambda path: path.write_bytes(b"word"), r"\.xyz files cannot be read"),
    "link to nothing": ("a.txt", lambda path: path.symlink_to("nowhere"), "No such file"),
    "link to itself": ("a.txt", lambda path: path.symlink_to(path), "symbolic links"),
}
SPECIAL: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "socket": listening,
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_read_is_told_and_remembered_and_the_others_go_on(
    library: HashedLibrary, docs: Path, kind: str
) -> None:
    name, make, reason = BAD[kind]
    make(docs / name)
    for _ in range(2):
        report = library.ingest(docs)
        (failed,) = (file for file in report.files if file.state == "failed")
        assert failed.source == name
        assert failed.reason
        (info,) = (info for info in library.manifest.documents() if info.source == name)
        assert (info.state, info.reason, info.chunks) == ("failed", failed.reason, 0)
        assert re.search(reason, failed.reason)
    assert len(library.manifest.documents()) == 4
    assert library.problems() == []
    (docs / name).unlink()
    assert library.states(docs, prune=True)[name] == "removed"


@pytest.mark.timeout(30)
@pytest.mark.parametrize("kind", SPECIAL)
def test_a_file_that_is_none_is_neither_opened_nor_waited_for(library: HashedLibrary, docs: Path, kind: str) -> None:
    SPECIAL[kind](docs / "a.txt")
    report = library.ingest(docs / "a.txt")
    assert [(file.state, file.reason) for file in report.files] == [("failed", "it is not a regular file")]
    library.ingest(docs)
    assert len(library.search("fruit", 9)) == 3


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of root, whom no permission stops."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("target", ["pears.txt", "sub"])
def test_what_may_not_be_read_is_told_and_not_pruned(docs: Path, target: str, tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | stat.S_IXGRP | stat.S_IXOTH)
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o777)
    HashedLibrary(tmp_path / "warm").ingest(docs)  # starts a worker: nobody may not run this Python, where it is root's
    with as_nobody():
        library = HashedLibrary(home / "library")
        library.ingest(docs)
    mode = (docs / target).stat().st_mode
    (docs / target).chmod(0)
    if target == "pears.txt":
        os.utime(docs / target)
    try:
        with as_nobody():
            report = library.ingest(docs, prune=True)
    finally:
        (docs / target).chmod(mode)
    assert [(file.source, file.reason) for file in report.files if file.state != "unchanged"] == [
        (target, "it cannot be read: Permission denied")
    ]
    assert len(library.search("fruit", 9)) == 3


def test_an_earlier_version_goes_on_answering(library: HashedLibrary, docs: Path) -> None:
    library.ingest(docs)
    rewrite(docs / "pears.txt", "")
    assert library.states(docs)["pears.txt"] == "failed"
    assert library.search("pears", 1) == ["Pears are soft in autumn."]
    assert reasons(library)["pears.txt"] == "it is empty"
    rewrite(docs / "pears.txt", "Pears are soft in autumn.\n")
    assert library.states(docs)["pears.txt"] == "unchanged"
    assert reasons(library)["pears.txt"] is None


def test_a_file_that_changes_while_it_is_read_is_not_committed(
    library: HashedLibrary, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(pool: ParserPool, path: Path, source: str, **options: Any) -> Iterator[Progress]:
        rewrite(path, "something else")
        yield Progress(source, 0, 1, "pages")

    monkeypatch.setattr(ParserPool, "load_documents", load)
    report = library.ingest(docs / "pears.txt")
    assert report.files[0].reason == "it changed while it was being read; add it again"
    monkeypatch.undo()
    assert library.states(docs / "pears.txt") == {"pears.txt": "added"}
    assert library.search("something", 1) == ["something else"]


# ---- between the reading of a file and its turn


@pytest.fixture
def once_read(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Has something happen once a file is read and before what was read of it is written."""

    def happen(act: Callable[[], object]) -> None:
        acts = [act]
        split, load = rag.splitter.split_documents, ParserPool.load_documents

        def split_then(*given: Any, **options: Any) -> list[Document]:
            chunks = split(*given, **options)
            if acts:
                acts.pop()()
            return chunks

        def load_then(pool: ParserPool, *given: Any, **options: Any) -> Generator[Progress, None, list[Document]]:
            try:
                return (yield from load(pool, *given, **options))
            except DocumentError:
                if acts:
                    acts.pop()()
                raise

        monkeypatch.setattr(rag.splitter, "split_documents", split_then)
        monkeypatch.setattr(ParserPool, "load_documents", load_then)

    return happen


@pytest.mark.parametrize("text", ['["a pear"]', "["], ids=["whole", "damaged"])
@pytest.mark.parametrize("kept", [True, False], ids=["kept", "unlinked"])
def test_what_is_deleted_while_it_is_read_again_stays_deleted(
    library: HashedLibrary, tmp_path: Path, once_read: Any, text: str, kept: bool
) -> None:
    path = tmp_path / "a.json"
    path.write_text('["pear"]')
    library.ingest(path)
    rewrite(path, text)
    other = HashedLibrary(library.settings.library)

    def delete() -> None:
        other.ingester.delete(other.manifest.named("default", "a.json").id)
        if not kept:
            path.unlink()

    once_read(delete)
    (report,) = library.ingest(path, again=True).files
    assert (report.state, report.reason) == ("removed", "it was deleted while it was being read")
    assert library.manifest.documents() == []
    assert library.search("pear") == []
    assert library.problems() == []


@pytest.mark.parametrize("text", ['["a pear"]', "["], ids=["whole", "damaged"])
def test_a_file_that_is_gone_once_it_is_read_is_told_and_leaves_nothing(
    library: HashedLibrary, tmp_path: Path, once_read: Any, text: str
) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    once_read(path.unlink)
    (report,) = library.ingest(path).files
    assert (report.state, report.outcome) == ("failed", "unreadable")
    assert "No such file" in (report.reason or "")
    assert library.manifest.documents() == []
    assert library.problems() == []


@pytest.mark.parametrize("old", ['["old"]', "["], ids=["whole", "damaged"])
def test_an_older_version_never_replaces_what_another_writer_made_of_a_newer_one(
    library: HashedLibrary, tmp_path: Path, once_read: Any, old: str
) -> None:
    path = tmp_path / "a.json"
    path.write_text('["oldest"]')
    library.ingest(path)
    rewrite(path, old)
    other = HashedLibrary(library.settings.library)
    new: list[FileReport] = []

    def be_faster() -> None:
        rewrite(path, '["new"]')
        new.extend(other.ingest(path).files)

    once_read(be_faster)
    (report,) = library.ingest(path).files
    assert ([each.state for each in new], report.state) == (["changed"], "unchanged")
    assert library.search("anything") == ["new"]
    assert reasons(library) == {"a.json": None}
    assert library.problems() == []


@pytest.mark.parametrize("text", ['["old"]', "["], ids=["whole", "damaged"])
def test_a_file_that_changes_once_it_is_read_is_not_committed(
    library: HashedLibrary, tmp_path: Path, once_read: Any, text: str
) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    once_read(lambda: rewrite(path, '["new"]'))
    (report,) = library.ingest(path).files
    assert (report.state, report.reason) == ("failed", "it changed while it was being read; add it again")
    assert library.states(path) == {"a.json": "added"}
    assert library.search("anything") == ["new"]


def test_a_dry_run_says_it_all_and_does_nothing(library: HashedLibrary, docs: Path) -> None:
    library.ingest(docs)
    rewrite(docs / "apples.md", "Red apples.")
    (docs / "pears.txt").unlink()
    (docs / "new.txt").write_text("new")
    (docs / "empty.txt").write_text("")
    os.utime(docs / "sub" / "plums.csv")
    files = {path: path.read_bytes() for path in library.settings.library.rglob("*") if path.is_file()}
    assert library.states(docs, dry_run=True, prune=True) == {
        "apples.md": "changed",
        "pears.txt": "removed",
        "new.txt": "added",
        "empty.txt": "failed",
        "sub/plums.csv": "unchanged",
    }
    assert {path: path.read_bytes() for path in library.settings.library.rglob("*") if path.is_file()} == files


# ---- another embedding model


def test_another_embedding_model_is_refused_and_reindex_embeds_again(library: HashedLibrary, docs: Path) -> None:
    library.ingest(docs)
    other = HashedLibrary(library.settings.library, fingerprint="hashed@2")
    for attempt in (lambda: other.ingest(docs), lambda: other.ingest(docs, dry_run=True), other.ingester.check_model):
        with pytest.raises(
            LibraryError, match=r"was indexed with hashed@1, but .* hashed@2; .*`python -m rag reindex`"
        ):
            attempt()
    told = [(event.done, event.total) for event in other.ingester.reindex() if event.what == "Embedding"]
    assert told == [(0, 3)]
    assert len(other.embedder.embedded) == 3
    assert other.ingest(docs).embedded == 0
    assert other.search("pears", 1) == ["Pears are soft in autumn."]
    kept = other.manifest.vectors(other.manifest.all_chunk_ids("default")[:1])[0]
    embedded = table(other.manifest, "SELECT headings || char(10) || text FROM chunks ORDER BY id LIMIT 1")[0][0]
    assert embedded.startswith("Apples\n# Apples\n")
    assert kept.tolist() == pytest.approx(other.embedder.embed_query(embedded), abs=1e-6)
    assert other.problems() == []
    with pytest.raises(LibraryError, match="was indexed with hashed@2"):
        library.ingester.check_model()


def test_a_reindex_that_stops_halfway_is_noticed(library: HashedLibrary, docs: Path) -> None:
    library.ingest(docs)
    other = HashedLibrary(library.settings.library, fingerprint="hashed@2")
    run = other.ingester.reindex()
    next(run)
    run.close()
    for either in (library, other):
        with pytest.raises(LibraryError, match="indexed with several embedding models"):
            either.ingester.check_model()
    list(other.ingester.reindex())
    other.ingester.check_model()
    assert other.problems() == []


def test_vectors_of_a_stopped_run_are_not_taken_for_another_model_s(library: HashedLibrary, docs: Path) -> None:
    library.ingest(docs)
    (docs / "new.txt").write_text("never committed")
    library.manifest.add_vectors(["never committed"], library.embedder.embed_documents(["never committed"]))
    other = HashedLibrary(library.settings.library, fingerprint="hashed@2")
    list(other.ingester.reindex())
    assert other.ingest(docs).embedded == 1
    assert other.search("never committed", 1) == ["never committed"]


def test_asking_whether_the_model_fits_decides_nothing(library: HashedLibrary, docs: Path) -> None:
    library.ingester.check_model()
    other = HashedLibrary(library.settings.library, fingerprint="hashed@2")
    assert other.ingest(docs).count("added") == 3


# ---- several at once


def test_threads_taking_turns_lose_nothing(library: HashedLibrary, tmp_path: Path) -> None:
    folders = []
    for name in ("one", "two", "three"):
        folders.append(tmp_path / name)
        folders[-1].mkdir()
        for number in range(5):
            (folders[-1] / f"{number}.txt").write_text(f"text {number} of {name}")
    with ThreadPoolExecutor(6) as pool:
        reports = list(pool.map(library.ingest, folders + folders))
    for folder in (0, 1, 2):
        assert reports[folder].embedded + reports[folder + 3].embedded == 5
        assert reports[folder].count("failed") == 0
    assert len(library.embedder.embedded) == 15
    assert library.problems() == []


@pytest.mark.timeout(60)
def test_a_run_may_go_on_in_another_thread_while_the_first_waits_to_delete(library: HashedLibrary, docs: Path) -> None:
    library.ingest(docs / "pears.txt")
    run = library.ingester.ingest([docs])
    while getattr(next(run), "unit", "") != "chunks":
        pass  # now it holds the writer's lock
    rest: list[object] = []
    later = threading.Timer(0.5, lambda: rest.extend(run))
    later.start()
    library.ingester.delete(library.manifest.named("default", "pears.txt").id)
    later.join()
    assert any(isinstance(event, FileReport) for event in rest)
    library.ingest(docs)
    assert library.problems() == []


@pytest.mark.timeout(60)
def test_a_run_that_is_dropped_halfway_lets_the_next_one_in(library: HashedLibrary, docs: Path) -> None:
    run = library.ingester.ingest([docs])
    while getattr(next(run), "unit", "") != "chunks":
        pass
    closer = threading.Thread(target=run.close)
    closer.start()
    closer.join()
    assert library.states(docs) == {"apples.md": "added", "pears.txt": "added", "sub/plums.csv": "added"}
    assert library.problems() == []


def test_a_document_another_process_deletes_meanwhile_is_no_error(
    library: HashedLibrary, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.ingest(docs)
    other = HashedLibrary(library.settings.library)
    find = library.manifest.find

    def find_then_lose(collection: str, path: str) -> object:
        row = find(collection, path)
        if row and row.source == "pears.txt":
            other.ingester.delete(row.id)
        return row

    monkeypatch.setattr(library.manifest, "find", find_then_lose)
    assert library.states(docs)["pears.txt"] == "unchanged"
    monkeypatch.undo()
    assert library.states(docs)["pears.txt"] == "added"


def test_a_reader_between_chunks_and_vectors_is_not_disturbed(
    library: HashedLibrary, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.ingest(docs)
    chunks = library.manifest.chunks

    def chunks_then_lose(ids: list[int]) -> object:
        found = chunks(ids)
        document = library.manifest.named("default", "pears.txt").id
        deleter = threading.Thread(target=library.ingester.delete, args=(document,))
        deleter.start()
        deleter.join()
        return found

    monkeypatch.setattr(library.manifest, "chunks", chunks_then_lose)
    retriever = LibraryRetriever(
        manifest=library.manifest,
        index=library.index,
        embeddings=library.embedder,
        scope=Scope(("default",)),
        k=5,
    )
    found = retriever.invoke("pears")
    assert found[0].page_content == "Pears are soft in autumn."


def test_an_index_made_while_a_document_is_being_deleted_does_not_hold_it(
    library: HashedLibrary, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.ingest(docs)
    delete = library.index.delete

    def delete_then_make(collection: str, ids: list[int]) -> None:
        delete(collection, ids)
        library.index.rebuild()  # as a reader does that finds the index damaged

    monkeypatch.setattr(library.index, "delete", delete_then_make)
    library.ingester.delete(library.manifest.named("default", "pears.txt").id)
    monkeypatch.undo()
    assert library.problems() == []


def test_processes_at_once_and_a_reader_lose_nothing(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
        for number in range(12):
            (folder / f"{number}.txt").write_text(f"text {number} of {folder.name}")
    library = HashedLibrary(tmp_path / "library")
    script = (
        "import sys; from pathlib import Path; from hashed_library import HashedLibrary\n"
        "library = HashedLibrary(Path(sys.argv[1]))\n"
        "report = library.ingest(Path(sys.argv[2]))\n"
        "assert not report.count('failed'); print(report.embedded)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])}
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", script, tmp_path / "library", folder],
            env=environment,
            stdout=subprocess.PIPE,
        )
        for folder in (*folders, folders[0])  # two folders, and one of them twice
    ]
    while any(run.poll() is None for run in runs):
        known = [
            text
            for (text,) in table(
                library.manifest,
                "SELECT c.text FROM chunks c JOIN documents d ON d.id = document_id WHERE state = 'ready'",
            )
        ]
        if known:
            assert library.search(known[0], 1) == [known[0]]
    outputs = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert sum(map(int, outputs)) == 24  # nothing twice
    assert len(library.manifest.documents()) == 24
    assert library.problems() == []
