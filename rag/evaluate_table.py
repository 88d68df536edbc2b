"""The scores of many questions as a table: means and percentiles with bootstrap intervals, and two runs compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rag.errors import EvaluationError

RESAMPLES = 1000
_SEED = 0
_LEVEL = (2.5, 97.5)  # percentiles: a 95 % interval

Array = np.ndarray[Any, np.dtype[np.float64]]
Statistic = Callable[[Array], Array]  # over the last axis


def _mean(scores: Array) -> Array:
    return np.asarray(scores.mean(axis=-1))


def _p50(scores: Array) -> Array:
    return np.asarray(np.percentile(scores, 50, axis=-1))


def _p95(scores: Array) -> Array:
    return np.asarray(np.percentile(scores, 95, axis=-1))


class Measure(NamedTuple):
    """A row of the table: a statistic of what each question scored under `key`."""

    name: str
    key: str
    statistic: Statistic


MEASURES = (
    *(
        Measure(name, name, _mean)
        for name in (
            "doc@1",
            "doc@5",
            "span recall@5",
            "span recall@10",
            "span recall in 600 tokens",
            "ans@1",
            "ans@5",
            "MRR",
            "nDCG@10",
            "exact match",
            "token F1",
            "contains gold",
            "ROUGE-L",
            "unanswerable refused",
            "answerable refused",
            "citation precision",
            "cited files right",
            "support",
            "wrong numbers unmarked",
        )
    ),
    *(
        Measure(f"{name} {label}, s", f"{name}, s", statistic)
        for name in ("retrieval", "first token", "total")
        for label, statistic in (("p50", _p50), ("p95", _p95))
    ),
    Measure("prompt tokens", "prompt tokens", _mean),
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, its 95 % bootstrap interval, and how many questions it is of."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Results:
    """One run over a set: what was asked, and for each question its scores (None: nothing to score)."""

    set: str
    system: str
    models: tuple[str, ...]
    notes: tuple[str, ...]
    questions: Mapping[str, Mapping[str, float | None]]


def estimate(results: Results) -> dict[str, Estimate]:
    """Every measure that any question has a score for."""
    found = {}
    for measure in MEASURES:
        values = [row[measure.key] for row in results.questions.values() if row.get(measure.key) is not None]
        if values:
            found[measure.name] = _estimate(np.asarray([values], np.float64), measure.statistic)
    return found


def compare(first: Results, second: Results) -> dict[str, Estimate]:
    """Second less first over the questions that both hold, pair by pair.

    Raises EvaluationError where the sets are different or no question is shared.
    """
    if first.set != second.set:
        raise EvaluationError(f"{first.set} and {second.set} are different question sets; compare runs over one")
    shared = [key for key in first.questions if key in second.questions]
    found = {}
    for measure in MEASURES:
        pairs = [(first.questions[i].get(measure.key), second.questions[i].get(measure.key)) for i in shared]
        held = [pair for pair in pairs if None not in pair]
        if held:
            found[measure.name] = _estimate(np.asarray(held, np.float64).T, measure.statistic)
    if not found:
        raise EvaluationError(f"the two runs over {first.set} have no score of the same question in common")
    return found


def is_real(difference: Estimate) -> bool:
    """Whether the interval of a difference leaves 0 out."""
    return difference.low > 0 or difference.high < 0


def _estimate(values: Array, statistic: Statistic) -> Estimate:
    """Of one row of scores the statistic, of two rows its difference; the rows are drawn from together."""
    count = values.shape[1]
    drawn = np.random.default_rng(_SEED).integers(count, size=(RESAMPLES, count))

    def last_less_first(rows: Array) -> Array:
        figures = statistic(rows)
        return np.asarray(figures[-1] - figures[0] if len(figures) > 1 else figures[0])

    low, high = np.percentile(last_less_first(values[:, drawn]), _LEVEL)
    return Estimate(float(last_less_first(values)), float(low), float(high), count)


def result_lines(results: Results) -> Iterator[str]:
    """The table of one run."""
    yield f"{results.set}: {results.system}" + (f", {', '.join(results.models)}" if results.models else "")
    yield from (f"note: {note}" for note in results.notes)
    rows = [(name, _told(e.value), _interval(e), str(e.n)) for name, e in estimate(results).items()]
    yield from _table(("measure", "value", "95 % interval", "questions"), rows)


def comparison_lines(first: Results, second: Results) -> Iterator[str]:
    """The table of two runs side by side, and which differences are real."""
    yield f"{second.set}: {second.system} less {first.system}"
    rows = [
        (name, _told(e.value, "+"), _interval(e, "+"), str(e.n), "real" if is_real(e) else "-")
        for name, e in compare(first, second).items()
    ]
    yield from _table(("measure", "difference", "95 % interval", "questions", ""), rows)


def save_results(results: Results, path: Path) -> None:
    """Write a run as JSON, with the table under `measures`. Raises EvaluationError."""
    fields = asdict(results) | {"measures": {name: asdict(e) for name, e in estimate(results).items()}}
    try:
        path.write_text(json.dumps(fields, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise EvaluationError(f"{path} cannot be written: {error.strerror}") from error


def load_results(path: Path) -> Results:
    """Read what `save_results` wrote. Raises EvaluationError."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        models, notes = tuple(fields["models"]), tuple(fields["notes"])
        return Results(fields["set"], fields["system"], models, notes, fields["questions"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvaluationError(f"{path} is not a result of `evaluate --json`: {error!r}") from error


def _told(value: float, sign: str = "") -> str:
    return f"{value:{sign}.3f}" if abs(value) < 100 else f"{value:{sign}.0f}"


def _interval(e: Estimate, sign: str = "") -> str:
    return f"{_told(e.low, sign)} to {_told(e.high, sign)}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        name, *figures = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join([name.strip().ljust(widths[0]), *figures]).rstrip()
