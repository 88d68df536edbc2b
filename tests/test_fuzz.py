"""The loaders before damaged files, for a second; and what the command calls a fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from format_files import CASES
from langchain_core.documents import Document
from office_files import unzipped

from benchmarks.fuzz import FaultError, check, damage, fuzz, main, outcome
from rag.errors import DocumentError


class Pool:
    """Reads a file as it is told to."""

    def __init__(self, *, fails_on: bytes = b"", error: DocumentError | None = None) -> None:
        self.fails_on, self.error, self.seen = fails_on, error, 0

    def load_documents(self, path: Path, source: str, **_: Any) -> Any:
        self.seen += 1
        if self.error and self.fails_on in path.read_bytes():
            raise self.error
        yield from ()
        return [Document(page_content="pears", metadata={"page": 1, "page_label": None})]


def test_the_loaders_stand_a_second_of_damage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seconds", "1", "--only", ".md", ".docx", ".rtf"]) == 0
    *rows, total = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows[1:]] == [".docx", ".rtf", ".md"]
    assert all(int(row.split()[1]) > 0 for row in rows[1:])
    assert " of 3 formats, 0 faults; peak " in total


@pytest.mark.parametrize(
    "error",
    [
        DocumentError("its parser failed: KeyError(1)"),
        DocumentError("it is damaged: its parser crashed on it (SIGSEGV)"),
        DocumentError("reading it came no further", "timed_out"),
    ],
)
def test_a_fault_is_found_and_made_small(error: DocumentError, tmp_path: Path) -> None:
    pool: Any = Pool(fails_on=b"<", error=error)
    tally = fuzz(pool, ".txt", b"pears and plums", 30, 1, tmp_path, None)
    assert tally.faults and tally.examples == pool.seen
    assert (tmp_path / "fault.txt").read_bytes().count(b"<") >= 1


def test_a_refusal_is_no_fault(tmp_path: Path) -> None:
    pool: Any = Pool(error=DocumentError("it is damaged, or not JSON at all"))
    (tmp_path / "a.json").write_text("{")
    assert outcome(pool, tmp_path / "a.json") == "corrupt"
    tally = fuzz(pool, ".json", b"{}", 0.2, 1, None, None)
    assert not tally.faults and tally.outcomes["corrupt"] == tally.examples > 0


@pytest.mark.parametrize(("text", "page"), [("a\x01b", 1), ("a\ufffe", None), ("a", 2)])
def test_text_that_is_not_clean_and_pages_out_of_order_are_faults(text: str, page: int | None) -> None:
    with pytest.raises(FaultError):
        check([Document(page_content=text, metadata={"page": page, "page_label": None})])


def test_damage_reaches_the_parts_of_a_package() -> None:
    whole = next(case.data for case in CASES if case.name.endswith(".docx"))
    names = list(unzipped(whole))
    for number, name in enumerate(names):
        parts = unzipped(damage(whole, 4 * number + 1, [(0.5, 3, b"!", 2)]))
        assert [other for other in names if parts[other] != unzipped(whole)[other]] == [name]
    assert damage(whole, 0, [(0.0, 2, b"", 1)]) == whole[2:]
