"""What the Documents view finds, and in what order."""

from __future__ import annotations

import pytest

from rag.types import DocumentInfo
from rag.ui_listing import LEAF_CHARACTERS, Listing, Reader


def document(number: int, source: str, chunks: int = 1, reason: str | None = None) -> DocumentInfo:
    state = "failed" if reason else "ready"
    return DocumentInfo(number, "c", source, source, state, reason, number, chunks, 10 * number, f"2026-01-0{number}")


DOCUMENTS = [
    document(1, "Manual K3.pdf", 61),
    document(2, "archive/letter.txt", 3),
    document(3, "scan.pdf", 0, "it needs a password"),
    document(4, "manual K2.pdf", 50),
]


def names(listing: Listing) -> list[str]:
    return [each.source for each in listing.found(DOCUMENTS)]


@pytest.mark.parametrize(
    ("query", "state", "found"),
    [
        ("", "", [2, 4, 1, 3]),
        ("MANUAL", "", [4, 1]),
        ("k3 manual", "", [1]),
        ("password", "", [3]),
        ("pdf", "ready", [4, 1]),
        ("", "failed", [3]),
        ("nothing", "", []),
        ("", "no such state", [2, 4, 1, 3]),
    ],
)
def test_it_finds_every_word_in_any_order_and_case(query: str, state: str, found: list[int]) -> None:
    listing = Listing(page=3)
    listing.look(query, state)
    assert [each.id for each in listing.found(DOCUMENTS)] == found
    assert listing.page == 0


def test_numbers_come_with_the_largest_first_and_turn_round() -> None:
    listing = Listing()
    listing.order("chunks")
    assert names(listing)[0] == "Manual K3.pdf"
    listing.order("chunks")
    assert names(listing)[0] == "scan.pdf"
    listing.order("name")
    assert names(listing)[0] == "archive/letter.txt"
    listing.order("name")
    assert names(listing)[0] == "scan.pdf"
    listing.order("__class__")
    assert listing.sort == "name"


def test_a_page_past_the_end_is_the_last() -> None:
    many = [document(1, f"{number:03}") for number in range(101)]
    listing = Listing(page=99)
    assert [each.source for each in listing.rows(many)] == ["100"]
    assert listing.page == 2
    assert listing.rows([]) == []
    assert listing.page == 0


def test_a_long_page_is_cut_where_a_line_ends_and_nothing_is_lost() -> None:
    line = "A line of some length that is repeated.\n"
    text = line * 2000 + "x" * 50_000
    leaves = Reader.of(document(1, "a"), [("page 1", text), ("page 2", "")]).leaves
    assert "".join(part for where, part in leaves if where == "page 1") == text
    assert all(len(part) <= LEAF_CHARACTERS for _, part in leaves)
    assert leaves[0][1].endswith("repeated.\n")
    assert leaves[-1] == ("page 2", "")
