"""Paths of headings: which holds where, and of what length."""

from __future__ import annotations

import pytest

from rag.headings import MAX_PATH, MAX_TITLE, HeadingPaths, embedded_text


def test_a_heading_ends_those_of_its_level_and_below() -> None:
    paths = HeadingPaths([(5, 1, "Manual"), (10, 2, "Safety"), (20, 3, "Disposal"), (30, 2, "Storage"), (40, 1, "Law")])
    held = [paths.at(offset) for offset in (0, 5, 12, 29, 30, 99)]
    assert held == ["", "Manual", "Manual > Safety", "Manual > Safety > Disposal", "Manual > Storage", "Law"]
    assert [paths.begin(offset) for offset in (0, 5, 29, 99)] == [0, 5, 20, 40]


def test_a_title_stands_over_headings_of_the_first_level() -> None:
    assert HeadingPaths([(0, 0, "Manual"), (5, 1, "Safety"), (9, 1, "Law")]).at(9) == "Manual > Law"


def test_long_paths_lose_their_outermost_headings() -> None:
    paths = HeadingPaths([(0, level, f"{level} " + "word " * 30) for level in (1, 2, 3, 4)])
    titles = paths.at(0).split(" > ")
    assert len(paths.at(0)) <= MAX_PATH
    assert all(len(title) <= MAX_TITLE and title.endswith("…") for title in titles)
    assert [title[0] for title in titles] == ["3", "4"]
    assert HeadingPaths([(0, 1, "One"), (0, 2, "Two")], lambda path: len(path) < 4).at(0) == "Two"
    assert HeadingPaths([(0, 1, "One")], lambda path: False).at(0) == ""


@pytest.mark.timeout(20)
def test_headings_without_end_take_no_time() -> None:
    """Org's levels have no bound; a path is made where a chunk begins, not of each heading."""
    asked: list[str] = []
    deep = HeadingPaths([(level, level, f"h{level}") for level in range(4000)], lambda path: not asked.append(path))
    assert not asked
    assert deep.at(4000).endswith("h3998 > h3999") and MAX_PATH - 10 < len(deep.at(4000)) <= MAX_PATH
    assert deep.at(2) == "h0 > h1 > h2" and len(asked) == 2
    letters = HeadingPaths([(level, level, "x") for level in range(100)]).at(100)
    assert len(letters) == MAX_PATH - 3  # not a heading more would fit


def test_text_without_headings_is_embedded_as_it_is() -> None:
    assert embedded_text("text", "") == "text"
    assert embedded_text("text", "A > B") == "A > B\ntext"
