"""The benchmarks that have no test file of their own, at their smallest."""

import pytest

from benchmarks import retrieval, scale
from rag.evaluate_table import Results
from rag.ranking import LONGEST, Weights


def test_the_steps_of_the_ranking_end_with_all_of_it() -> None:
    *parts, whole = retrieval.STEPS.values()
    assert whole == (Weights(), LONGEST)
    assert len({*parts, whole}) == len(retrieval.STEPS)  # each adds something


def test_the_rows_of_a_set_are_a_table() -> None:
    scores = {"1": {"doc@1": 1.0, "ans@1": 0.0}, "2": {"doc@1": 1.0, "ans@1": 1.0}}
    rows = [(name, Results("kettles", name, (), (), scores)) for name in ("Footnote", "BM25 alone")]
    assert list(retrieval.lines("kettles", rows)) == [
        "| kettles | doc@1 | ans@1 |",
        "| --- | --- | --- |",
        "| Footnote | 1.000 (1.00 to 1.00) | 0.500 (0.00 to 1.00) |",
        "| BM25 alone | 1.000 (1.00 to 1.00) | 0.500 (0.00 to 1.00) |",
    ]


def test_the_growth_of_retrieval_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert scale.main(["40"]) == 0
    *_, row = capsys.readouterr().out.splitlines()
    count, *figures = (float(cell.replace(",", "")) for cell in row.strip("| ").split("|"))
    assert 20 <= count <= 80
    assert all(figure > 0 for figure in figures)
