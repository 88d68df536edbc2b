"""What retrieval is worth for one question: pure functions of gold and found. None where there is nothing to score."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby

import ir_measures
from ir_measures import RR, nDCG

from rag.evaluate_set import Question, Retrieved, Span

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
Scores = dict[str, float | None]
DEPTH = 10  # chunks asked for
CONTEXT = 600  # tokens of sources that systems are compared at


def score_retrieval(question: Question, found: Retrieved) -> Scores:
    """The measures of retrieval of an answerable question."""
    if question.unanswerable or not question.gold_docs:
        return {}
    docs = [span.doc for span in found.spans]
    scores: Scores = {f"doc@{k}": float(not set(question.gold_docs).isdisjoint(docs[:k])) for k in (1, 5)}
    if question.gold_spans:
        for k in (5, DEPTH):
            scores[f"span recall@{k}"] = span_recall(question.gold_spans, found.spans[:k])
        fitting = found.spans[: fit_count(found.tokens, CONTEXT)]
        scores[f"span recall in {CONTEXT} tokens"] = span_recall(question.gold_spans, fitting)
    if question.answer_spans:
        for k in (1, 5):
            scores[f"ans@{k}"] = float(holds_answer(question.answer_spans, found.spans[:k]))
    return scores | rank_measures(question.gold_docs, docs)


def span_recall(gold: Sequence[Span], found: Sequence[Span]) -> float:
    """Share of the gold characters, each counted once, that the found spans cover."""
    wanted = list(_merged(gold))
    covered = sum(_overlap(span, other) for span in wanted for other in _merged(found))
    return covered / sum(span.end - span.start for span in wanted)


def holds_answer(answers: Sequence[Span], found: Sequence[Span]) -> bool:
    """Whether a found span holds one of the answers whole."""
    return any(
        span.doc == answer.doc and span.start <= answer.start and answer.end <= span.end
        for answer in answers
        for span in found
    )


def overlaps(span: Span, gold: Iterable[Span]) -> bool:
    """Whether a span shares a character with the gold."""
    return any(_overlap(span, other) > 0 for other in gold)


def fit_count(tokens: Sequence[int], budget: int) -> int:
    """How many of the first chunks fit whole into a budget of tokens together."""
    for count, _ in enumerate(tokens):
        if sum(tokens[: count + 1]) > budget:
            return count
    return len(tokens)


def rank_measures(gold_docs: Sequence[str], docs: Sequence[str]) -> Scores:
    """Reciprocal rank and nDCG@10 over documents: a document ranks where its first chunk does."""
    ranked = dict.fromkeys(docs)
    run = {"q": {doc: float(len(ranked) - rank) for rank, doc in enumerate(ranked)}}
    names = {RR: "MRR", nDCG @ 10: "nDCG@10"}
    if not ranked:
        return dict.fromkeys(names.values(), 0.0)
    found = ir_measures.iter_calc(list(names), {"q": dict.fromkeys(gold_docs, 1)}, run)
    return {names[metric.measure]: float(metric.value) for metric in found}


def _merged(spans: Sequence[Span]) -> Iterator[Span]:
    """The same characters in spans that do not overlap."""
    for doc, group in groupby(sorted(spans), key=lambda span: span.doc):
        start = end = -1
        for span in group:
            if span.start > end:
                if end > start:
                    yield Span(doc, start, end)
                start, end = span.start, span.end
            end = max(end, span.end)
        if end > start:
            yield Span(doc, start, end)


def _overlap(span: Span, other: Span) -> int:
    return max(0, min(span.end, other.end) - max(span.start, other.start)) if span.doc == other.doc else 0


def numbers(text: str) -> set[Decimal]:
    """The numbers of a text by their value: "1,200.50" is 1200.5."""
    return {Decimal(number.replace(",", "")) for number in _NUMBER.findall(text)}
