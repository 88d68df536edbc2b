"""The sample library's questions on the real models: the passage found, the right source cited, the refusal made.

`python -m pytest tests/test_answers.py -s --every-case` prints the figures.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from addresses import write_addresses

from rag.config import load_settings
from rag.library import Library
from rag.prompts import REFUSAL
from rag.types import Answer, Turn

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
SAMPLES = HERE.parent / "sample_docs"


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / name).read_text().splitlines()]


CASES = lines("sample_cases.jsonl")
ANSWERABLE = [case for case in CASES if not case["refused"]]
ASKED = ANSWERABLE[::2]  # an answer takes seconds; --every-case asks the others too
REFUSED = [case for case in CASES if case["refused"]]
THREADS = lines("sample_threads.jsonl")

# What the default models get wrong, measured. These are refused though their passage is read, or cite another edition
# (one of them, manual-both-hot, only on some runs):
NOT_CITED = {
    "board-letter",
    "calls-fuse",
    "faq-rooibos",
    "faq-saturday",
    "manual-2026-minimum",
    "manual-both-hot",
    "study-rig",
}
# and these are answered with something near, since every name in them occurs in the library.
NOT_REFUSED = {"refuse-auditor", "refuse-parking-fee"}


def sources(case: dict[str, Any]) -> list[str]:
    return case["source"] if isinstance(case["source"], list) else [case["source"]]


def right(case: dict[str, Any], answer: Answer) -> bool:
    return not answer.refused and any(fact.lower() in answer.text.lower() for fact in case["contains"])


def pinned(cases: list[dict[str, Any]], but: set[str]) -> Any:
    kept = [case for case in cases if case["id"] not in but]
    return pytest.mark.parametrize("case", kept, ids=[case["id"] for case in kept])


def ask(library: Library, question: str, history: tuple[Turn, ...] = ()) -> Answer:
    *_, answer = library.ask(question, history)
    assert isinstance(answer, Answer)
    return answer


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    made = Library(load_settings(library=tmp_path_factory.mktemp("samples")))
    list(made.ingest([SAMPLES]))
    yield made


@pytest.fixture(scope="module")
def answers(library: Library, request: pytest.FixtureRequest) -> dict[str, Answer]:
    cases = CASES if request.config.getoption("--every-case") else [*ASKED, *REFUSED]
    return {case["id"]: ask(library, case["question"]) for case in cases}


@pinned(ANSWERABLE, set())
def test_the_source_is_among_the_passages_that_the_model_reads(library: Library, case: dict[str, Any]) -> None:
    assert {hit.source for hit in library.search(case["question"])} & set(sources(case))


@pinned(ASKED, NOT_CITED)
def test_the_answer_cites_its_source(answers: dict[str, Answer], case: dict[str, Any]) -> None:
    answer = answers[case["id"]]
    assert not answer.refused
    assert {citation.source for citation in answer.citations} & set(sources(case)), answer.text


@pinned(REFUSED, NOT_REFUSED)
def test_what_the_library_does_not_hold_is_refused(answers: dict[str, Answer], case: dict[str, Any]) -> None:
    answer = answers[case["id"]]
    assert answer.refused, answer.text
    assert not answer.citations
    assert answer.sources


def test_figures(answers: dict[str, Answer]) -> None:
    asked = [case for case in ANSWERABLE if case["id"] in answers]
    facts = sum(right(case, answers[case["id"]]) for case in asked)
    cited = sum(
        bool({citation.source for citation in answers[case["id"]].citations} & set(sources(case))) for case in asked
    )
    lost = sum(answers[case["id"]].refused for case in asked)
    refused = sum(answers[case["id"]].refused for case in REFUSED)
    print(
        f"\nof {len(asked)} questions that the sample library answers, {facts} answers hold the fact, "
        f"{cited} cite the right document, {lost} are refused; "
        f"of {len(REFUSED)} that it does not, {refused} are refused"
    )
    assert facts >= 0.65 * len(asked)  # one answer fewer than on a good run
    assert cited >= 0.82 * len(asked)
    assert lost <= 0.15 * len(asked)
    assert refused >= 14


def test_every_citation_is_the_text_at_its_offsets(library: Library, answers: dict[str, Answer]) -> None:
    for answer in answers.values():
        for source in answer.sources:
            assert library.text(source.document_id)[source.start : source.end] == source.text


def test_follow_ups_are_understood_in_their_thread(library: Library, request: pytest.FixtureRequest) -> None:
    told = []
    threads = THREADS if request.config.getoption("--every-case") else THREADS[:6]
    for thread in threads:
        first, second = thread["turns"]
        opening = ask(library, first)
        answer = ask(library, second, (Turn(first, opening.text),))
        told.append((right(thread, answer), second, answer.text))
    right_ones = sum(fact for fact, *_ in told)
    print("", *told, f"of {len(told)} follow-ups {right_ones} are answered with the fact", sep="\n")
    assert right_ones >= 0.5 * len(told)


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("addresses")
    made = Library(load_settings(library=folder / "library"))
    list(made.ingest([write_addresses(folder / "docs")]))
    return made


def test_the_three_of_many_near_duplicates_that_answer_are_found(addresses: Library) -> None:
    answer = ask(addresses, "What did the president say about the price of insulin?")
    assert "$35" in answer.text
    assert answer.citations
    assert {citation.source[:4] for citation in answer.citations} <= {"2022", "2023", "2024"}


@pytest.mark.parametrize("question", ["Who won the football cup?", "Who won the football World Cup in 2022?"])
def test_what_none_of_many_near_duplicates_holds_is_refused(addresses: Library, question: str) -> None:
    answer = ask(addresses, question)
    assert answer.refused, answer.text
    assert answer.text.startswith(REFUSAL)
