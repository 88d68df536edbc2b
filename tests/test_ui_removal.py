"""Deleting with a moment to take it back."""

from __future__ import annotations

import pytest

from rag.errors import LibraryError
from rag.ui_removal import Removal


def test_it_deletes_when_the_time_is_over_and_not_before() -> None:
    deleted: list[str] = []
    removal = Removal("a", lambda: deleted.append("a"), seconds=0.2)
    assert (removal.open, removal.hides, deleted) == (True, True, [])
    assert removal.done.wait(5)
    assert (removal.open, removal.hides, deleted) == (False, True, ["a"])


def test_what_is_taken_back_stays() -> None:
    deleted: list[str] = []
    removal = Removal("a", lambda: deleted.append("a"), seconds=30)
    removal.undo()
    assert removal.done.wait(5)
    assert (removal.open, removal.hides, deleted) == (False, False, [])


@pytest.mark.parametrize(
    ("error", "told"),
    [(LibraryError("the disk is full"), "the disk is full"), (ValueError("x"), "Something went wrong")],
)
def test_what_cannot_be_deleted_is_shown_again_with_the_reason(error: Exception, told: str) -> None:
    def fail() -> None:
        raise error

    removal = Removal("a", fail, seconds=0.01)
    assert removal.done.wait(5)
    assert not removal.hides
    assert told in removal.problem
