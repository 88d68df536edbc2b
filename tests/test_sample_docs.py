"""The sample library and the questions about it agree: every answer is there once, every refused fact is nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from make_sample_pdfs import make_pdfs

from rag.loaders import load_documents

HERE = Path(__file__).parent
SAMPLE_DOCS = HERE.parent / "sample_docs"
FILES = sorted(path.name for path in SAMPLE_DOCS.iterdir())
PDFS = [name for name in FILES if name.endswith(".pdf")]
TRAPS = {"missing fact", "missing record", "other edition", "other product", "general knowledge"}


def read_lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / name).read_text(encoding="utf-8").splitlines()]


CASES = read_lines("sample_cases.jsonl")
THREADS = read_lines("sample_threads.jsonl")
ANSWERABLE = [case for case in CASES if not case["refused"]]
REFUSALS = [case for case in CASES if case["refused"]]


def collapse(text: str) -> str:
    return " ".join(text.split())


def sources(case: dict[str, Any]) -> list[str]:
    return [case["source"]] if isinstance(case["source"], str) else case["source"]


def named(cases: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[case["id"] for case in cases])


@pytest.fixture(scope="module")
def library() -> dict[str, str]:
    """The text of every sample document, with white space collapsed."""
    return {
        name: collapse("\n".join(page.page_content for page in load_documents(SAMPLE_DOCS / name, max_bytes=2**20)))
        for name in FILES
    }


def test_library_has_the_promised_shape(library: dict[str, str]) -> None:
    assert 8 <= len(FILES) <= 12
    assert {Path(name).suffix for name in FILES} == {".pdf", ".md", ".txt", ".html", ".csv"}
    for name, text in library.items():
        assert 250 <= len(text.split()) <= 1600, name


def test_counts() -> None:
    assert len(ANSWERABLE) >= 32
    assert len(REFUSALS) >= 12
    assert len(CASES) >= 45
    assert len(THREADS) == 30
    ids = [case["id"] for case in CASES + THREADS]
    questions = [case["question"] for case in CASES]
    assert len(set(ids)) == len(ids)
    assert len(set(questions)) == len(questions)


def test_every_file_is_asked_about() -> None:
    assert {source for case in ANSWERABLE for source in sources(case)} == set(FILES)


def test_every_trap_is_tried() -> None:
    assert {case["trap"] for case in REFUSALS} == TRAPS


@named(ANSWERABLE + THREADS)
def test_answer_is_in_its_sources_and_nowhere_else(case: dict[str, Any], library: dict[str, str]) -> None:
    passage = case["passage"]
    assert passage == collapse(passage)
    assert [name for name in FILES if passage in library[name]] == sorted(sources(case))
    assert any(expected.casefold() in passage.casefold() for expected in case["contains"])


@named(ANSWERABLE)
def test_question_does_not_give_its_answer_away(case: dict[str, Any]) -> None:
    assert not any(expected.casefold() in case["question"].casefold() for expected in case["contains"])


@named(THREADS)
def test_threads_have_two_turns(case: dict[str, Any]) -> None:
    assert len(case["turns"]) == 2


@named(REFUSALS)
def test_refused_fact_is_in_no_document(case: dict[str, Any], library: dict[str, str]) -> None:
    assert (case["source"], case["contains"], case["passage"]) == ([], [], "")
    assert case["absent"]
    for words in case["absent"]:
        assert [name for name in FILES if words.casefold() in library[name].casefold()] == []


@pytest.mark.parametrize("word", ["warranty", "Parking", "auditors", "pension", "K7"])
def test_refused_facts_look_as_if_they_were_there(word: str, library: dict[str, str]) -> None:
    assert any(word in text for text in library.values())


@pytest.mark.parametrize(
    ("one", "other"),
    [("k3-manual-2025.pdf", "k3-manual-2026.pdf"), ("expense-policy-2025.md", "expense-policy-2026.md")],
)
def test_editions_are_near_duplicates(one: str, other: str, library: dict[str, str]) -> None:
    words = [set(library[name].split()) for name in (one, other)]
    assert 0.75 < len(words[0] & words[1]) / len(words[0] | words[1]) < 1


@pytest.mark.parametrize("name", PDFS)
def test_printed_page_number_is_the_page_label(name: str) -> None:
    pdf = pypdfium2.PdfDocument(SAMPLE_DOCS / name)
    labels = [pdf.get_page_label(index) for index in range(len(pdf))]
    printed = [page.get_textpage().get_text_range().split()[-1] for page in pdf]
    pdf.close()
    assert printed == labels
    assert labels[:4] == ["i", "ii", "iii", "1"] if "manual" in name else labels[0] == "1"


@pytest.mark.parametrize("year", ["2025", "2026"])
def test_contents_of_the_manual_give_the_right_pages(year: str) -> None:
    pages = load_documents(SAMPLE_DOCS / f"k3-manual-{year}.pdf", max_bytes=2**20)
    by_label = {page.metadata["page_label"]: page.page_content for page in pages}
    entries = [line.rsplit(" ", 1) for line in by_label["iii"].splitlines() if line[0].isdigit()]
    assert len(entries) == 10
    for heading, label in entries:
        assert heading in by_label[label].splitlines()


def test_pdfs_are_those_the_script_makes(tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    for first, second in zip(make_pdfs(tmp_path), make_pdfs(again), strict=True):
        assert first.read_bytes() == second.read_bytes()
        kept = load_documents(SAMPLE_DOCS / first.name, max_bytes=2**20)
        assert load_documents(first, max_bytes=2**20) == kept
