"""Rows to lines: when a row is a header, and when it is not."""

from __future__ import annotations

import pytest

from rag.loaders_rows import join_lines, write_rows


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([["Year", "Ducks"], ["2025", "120"]], "Year: 2025\nDucks: 120"),
        ([["City", "2025", "2026"], ["Oslo", "1", "2"]], "City: Oslo\n2025: 1\n2026: 2"),
        ([["Ducks a year"], ["Year", "Ducks"], ["2025", "120"]], "Ducks a year\n\nYear: 2025\nDucks: 120"),
        ([["Oslo", "12.5"], ["Rome", "21"]], "Oslo | 12.5\nRome | 21"),
        ([["Name", "Ann"], ["Town", "Oslo"]], "Name | Ann\nTown | Oslo"),
        ([["", "Price", "Stock"], ["Pump", "250", "3"]], "Pump\nPrice: 250\nStock: 3"),
        ([["A", "N"], ["x", "1"], [], ["B", "M"], ["y", "2"]], "A: x\nN: 1\n\nB: y\nM: 2"),
        ([["A", "A"], ["x", "1"]], "A | A\nx | 1"),
        ([], ""),
    ],
)
def test_headers(rows: list[list[str]], expected: str) -> None:
    assert write_rows(rows) == expected


def test_blank_lines_never_pile_up() -> None:
    assert join_lines(["", "a", "", " ", "", "b", ""]) == "a\n\nb"
