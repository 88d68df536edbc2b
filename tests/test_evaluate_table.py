"""Intervals and comparisons of scores that are made up."""

import json
from pathlib import Path

import numpy as np
import pytest

from rag.errors import EvaluationError
from rag.evaluate_table import (
    Results,
    compare,
    comparison_lines,
    estimate,
    is_real,
    load_results,
    result_lines,
    save_results,
)


def results(*scores: float | None, measure: str = "doc@1", name: str = "set", system: str = "footnote") -> Results:
    questions = {str(number): {measure: score} for number, score in enumerate(scores)}
    return Results(name, system, (), (), questions)


def test_a_mean_with_its_interval_over_the_questions_that_have_a_score() -> None:
    (found,) = estimate(results(*[1.0, 0.0] * 50, None)).values()
    assert (found.value, found.n) == (0.5, 100)
    assert found.low == pytest.approx(0.4, abs=0.03)  # 0.5 less 1.96 standard errors of 0.05
    assert found.high == pytest.approx(0.6, abs=0.03)
    assert estimate(results(*[1.0, 0.0] * 50, None)) == estimate(results(*[1.0, 0.0] * 50, None))


def test_what_no_question_has_a_score_for_is_no_row() -> None:
    assert estimate(results(None, None)) == {}


def test_percentiles() -> None:
    found = estimate(results(*np.arange(101) / 100, measure="total, s"))
    assert found["total p50, s"].value == pytest.approx(0.5)
    assert found["total p95, s"].value == pytest.approx(0.95)
    assert found["total p95, s"].low <= 0.95 <= found["total p95, s"].high


def test_pairs_find_a_small_difference_that_the_intervals_alone_would_hide() -> None:
    scores = np.random.default_rng(1).uniform(size=200)
    first, second = results(*scores), results(*(scores + 0.01))
    apart = [estimate(run)["doc@1"] for run in (first, second)]
    assert apart[0].high > apart[1].low
    difference = compare(first, second)["doc@1"]
    assert difference.value == pytest.approx(0.01)
    assert is_real(difference)
    assert compare(second, first)["doc@1"].value == pytest.approx(-0.01)
    assert is_real(compare(second, first)["doc@1"])


def test_noise_is_not_real() -> None:
    rng = np.random.default_rng(2)
    first, second = (results(*rng.integers(2, size=200).astype(float)) for _ in range(2))
    assert not is_real(compare(first, second)["doc@1"])
    assert comparison_lines(first, second).__next__() == "set: footnote less footnote"
    assert [line.split()[-1] for line in comparison_lines(first, second)][2:] == ["-"]


def test_only_the_questions_of_both_are_compared() -> None:
    assert compare(results(1.0, 0.0, 1.0, None), results(1.0, 1.0, None, 1.0))["doc@1"].n == 2
    with pytest.raises(EvaluationError, match="no score"):
        compare(results(1.0), results(1.0, measure="ans@1"))
    with pytest.raises(EvaluationError, match="different question sets"):
        compare(results(1.0), results(1.0, name="other"))


def test_results_come_back_from_their_file(tmp_path: Path) -> None:
    run = Results("set", "baseline", ("scripted",), ("a note",), {"ä": {"doc@1": 1.0, "ans@1": None}})
    save_results(run, tmp_path / "run.json")
    assert load_results(tmp_path / "run.json") == run
    saved = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert saved["measures"] == {"doc@1": {"value": 1.0, "low": 1.0, "high": 1.0, "n": 1}}
    assert list(result_lines(run))[:2] == ["set: baseline, scripted", "note: a note"]


@pytest.mark.parametrize("text", [None, "no JSON", "[]", '{"set": "set"}'])
def test_what_is_no_result_is_named(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "run.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(EvaluationError, match=r"run\.json is not a result of `evaluate --json`"):
        load_results(path)


def test_results_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"run\.json cannot be written"):
        save_results(results(1.0), tmp_path / "none" / "run.json")
