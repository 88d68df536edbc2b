"""The measures, against values worked out by hand."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.evaluate_answers import contains_gold, exact_match, normalize, rouge_l, score_answer, token_f1
from rag.evaluate_measures import (
    fit_count,
    holds_answer,
    numbers,
    overlaps,
    rank_measures,
    score_retrieval,
    span_recall,
)
from rag.evaluate_set import Answered, Question, Retrieved, Span

GOLD = Question("1", "How often?", ("60 days",), False, ("a.txt",), (Span("a.txt", 10, 20),), (Span("a.txt", 12, 15),))
UNANSWERABLE = Question("2", "Why?", (), True, (), (), ())


def answered(
    text: str,
    *cited: Span,
    refused: bool = False,
    sentences: int = 1,
    supported: int = 1,
    wrong: int = 0,
    id: str = "1",
) -> Answered:
    return Answered(id, text, refused, cited, sentences, supported, wrong, 0.5, 1.0, 100, "scripted")


@pytest.mark.parametrize(
    ("gold", "found", "recall"),
    [
        ([Span("a", 0, 10)], [], 0),
        ([Span("a", 0, 10)], [Span("a", 5, 8)], 0.3),
        ([Span("a", 0, 10)], [Span("b", 0, 10)], 0),
        ([Span("a", 0, 10)], [Span("a", 0, 6), Span("a", 4, 8)], 0.8),  # what two chunks share counts once
        ([Span("a", 0, 10), Span("a", 5, 15)], [Span("a", 0, 5)], 1 / 3),  # and so does what two gold spans share
        ([Span("a", 0, 10), Span("b", 0, 30)], [Span("b", -5, 100)], 0.75),
        ([Span("a", 0, 10)], [Span("a", 10, 20)], 0),
    ],
)
def test_span_recall(gold: list[Span], found: list[Span], recall: float) -> None:
    assert span_recall(gold, found) == pytest.approx(recall)


spans = st.builds(
    lambda doc, start, length: Span(doc, start, start + length),
    st.sampled_from("ab"),
    st.integers(0, 40),
    st.integers(1, 20),
)


def characters(given: Sequence[Span]) -> set[tuple[str, int]]:
    return {(span.doc, at) for span in given for at in range(span.start, span.end)}


@given(st.lists(spans, min_size=1, max_size=6), st.lists(spans, max_size=6))
def test_span_recall_counts_characters(gold: list[Span], found: list[Span]) -> None:
    wanted = characters(gold)
    assert span_recall(gold, found) == pytest.approx(len(wanted & characters(found)) / len(wanted))
    assert overlaps(gold[0], found) == bool(characters(gold[:1]) & characters(found))


def test_an_answer_counts_only_whole() -> None:
    answers = [Span("a", 5, 10), Span("a", 30, 31)]
    assert holds_answer(answers, [Span("a", 0, 9), Span("a", 5, 10)])
    assert holds_answer(answers, [Span("a", 30, 31)])
    assert not holds_answer(answers, [Span("a", 0, 9), Span("a", 6, 20), Span("b", 0, 50)])
    assert not holds_answer(answers, [])


def test_chunks_fit_whole_or_not_at_all() -> None:
    assert fit_count([300, 300, 1], 600) == 2
    assert fit_count([601, 1], 600) == 0
    assert fit_count([1, 2], 600) == 2
    assert fit_count([], 600) == 0


def test_a_document_ranks_where_its_first_chunk_does() -> None:
    scores = rank_measures(["a", "b"], ["x", "x", "a", "x", "a"])
    assert scores["MRR"] == pytest.approx(1 / 2)
    assert scores["nDCG@10"] == pytest.approx(0.63093 / (1 + 0.63093), abs=1e-4)  # 1/log2(3) of 1 + 1/log2(3)
    assert rank_measures(["a"], ["a", "b"]) == {"MRR": 1, "nDCG@10": 1}
    assert rank_measures(["a"], ["b"]) == {"MRR": 0, "nDCG@10": 0}
    assert rank_measures(["a"], []) == {"MRR": 0, "nDCG@10": 0}


def test_retrieval_of_a_question() -> None:
    found = Retrieved("1", (Span("b.txt", 0, 9), Span("a.txt", 0, 15), Span("a.txt", 15, 18)), (200, 400, 10), 0.1)
    scores = score_retrieval(GOLD, found)
    assert scores == {
        "doc@1": 0, "doc@5": 1, "span recall@5": 0.8, "span recall@10": 0.8, "span recall in 600 tokens": 0.5,
        "ans@1": 0, "ans@5": 1, "MRR": 0.5, "nDCG@10": pytest.approx(0.63093, abs=1e-4),
    }  # fmt: skip
    unplaced = replace(GOLD, gold_spans=(), answer_spans=())
    assert set(score_retrieval(unplaced, found)) == {"doc@1", "doc@5", "MRR", "nDCG@10"}
    assert score_retrieval(UNANSWERABLE, found) == {}


def test_squads_normalisation() -> None:
    assert normalize("  The Cat, a\tdog & an (U.S.) Anthem!") == "cat dog us anthem"


@pytest.mark.parametrize(
    ("text", "answers", "exact", "f1", "contains"),
    [
        ("The 60 days.", ["60 days"], 1, 1, 1),
        ("Descale it every 60 days.", ["30 days", "60 days"], 0, 2 * 2 / (5 + 2), 1),
        ("Every 160 days", ["60 days"], 0, 2 * 1 / (3 + 2), 0),  # 160 days is not 60 days
        ("", ["60 days"], 0, 0, 0),
        ("the", ["a"], 1, 1, 1),  # nothing is left of either
        ("days days", ["days"], 0, 2 * 1 / (2 + 1), 1),
    ],
)
def test_short_answers(text: str, answers: list[str], exact: float, f1: float, contains: float) -> None:
    assert exact_match(text, answers) == exact
    assert token_f1(text, answers) == pytest.approx(f1)
    assert contains_gold(text, answers) == contains


def test_rouge_l() -> None:
    assert rouge_l("the cat sat", ["a cat sat down"]) == pytest.approx(4 / 7)  # cat sat: 2 of 3 and 2 of 4
    assert rouge_l("sat cat", ["x", "cat sat"]) == pytest.approx(1 / 2)
    assert rouge_l("über Größe", ["Über größe"]) == 1
    assert rouge_l("", ["cat"]) == 0


def test_an_answer_is_scored_for_text_citations_and_support() -> None:
    answer = answered(
        "60 days.", Span("a.txt", 0, 11), Span("a.txt", 20, 30), Span("b.txt", 0, 5), sentences=4, supported=3, wrong=2
    )
    assert score_answer(GOLD, answer) == {
        "answerable refused": 0, "support": 0.75, "wrong numbers unmarked": 2,
        "exact match": 1, "token F1": 1, "contains gold": 1,
        "cited files right": 0.5, "citation precision": pytest.approx(1 / 3),
    }  # fmt: skip
    assert "citation precision" not in score_answer(replace(GOLD, gold_spans=()), answer)


def test_a_wrong_refusal_scores_0_and_says_nothing_of_citations() -> None:
    answer = answered("The documents do not say 60 days.", refused=True)
    assert score_answer(GOLD, answer) == {
        "answerable refused": 1, "support": None, "wrong numbers unmarked": None,
        "exact match": 0, "token F1": 0, "contains gold": 0,
    }  # fmt: skip


@pytest.mark.parametrize("refused", [True, False])
def test_an_unanswerable_question_is_scored_for_refusing(refused: bool) -> None:
    scores = score_answer(UNANSWERABLE, answered("No.", refused=refused, sentences=2, supported=1))
    assert scores == {
        "unanswerable refused": float(refused),
        "support": None if refused else 0.5,
        "wrong numbers unmarked": None if refused else 0,
    }


def test_prose_is_scored_by_rouge_and_a_question_without_answers_by_neither() -> None:
    prose = Question(
        "3", "How?", ("one two three four five six seven eight nine ten eleven",), False, ("a.txt",), (), ()
    )
    assert score_answer(prose, answered("one two"))["ROUGE-L"] == pytest.approx(2 * 2 / (2 + 11))
    assert "exact match" not in score_answer(prose, answered("one two"))
    bare = Question("4", "How?", (), False, ("a.txt",), (), ())
    assert set(score_answer(bare, answered("one two"))) == {"answerable refused", "support", "wrong numbers unmarked"}


def test_numbers_are_compared_by_value() -> None:
    assert numbers("1,200.50 of 007, in 2026.") == numbers("2,026 had 1200.5, 7.") == {Decimal("1200.5"), 7, 2026}
