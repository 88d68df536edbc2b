"""What a tab asks: what was chosen, of what is there, and how it is told."""

from __future__ import annotations

from dataclasses import replace

from page_fakes import HOSTILE, LIBRARY

from rag.types import Scope
from rag.ui_render_scope import (
    render_account,
    render_choices,
    render_gather,
    render_leave,
    render_move,
    render_target,
    render_told,
)
from rag.ui_scope import Choice
from rag.ui_texts import ENGLISH

OTHERS = replace(LIBRARY[2], collection="service")
THERE = [*LIBRARY[:2], OTHERS, *LIBRARY[3:]]


def test_nothing_chosen_asks_the_usual_collections() -> None:
    choice = Choice(("default",))
    assert choice.scope(THERE) is None
    assert [each.id for each in choice.asked(THERE)] == [1, 2, 5]  # 4 could not be read
    assert choice.told(ENGLISH, THERE) == ""
    assert len(Choice().asked(THERE)) == 4


def test_collections_or_documents_are_chosen_and_what_is_gone_is_not_asked() -> None:
    choice = Choice(("default",))
    choice.choose(collections=["service", "nowhere"])
    assert choice.scope(THERE) == Scope(("service",))
    assert (choice.told(ENGLISH, THERE), [each.id for each in choice.asked(THERE)]) == ("service", [3])
    choice.choose(documents=[2, 1, 99])
    assert choice.scope(THERE) == Scope((), (1, 2))
    assert choice.told(ENGLISH, THERE) == "Kettle K3 manual.pdf, Warranty 2026.html"
    choice.choose(documents=[1, 2, 3, 5])
    assert choice.told(ENGLISH, THERE).endswith(" and 1 more")
    assert choice.scope([]) is None


def test_a_visitor_s_collections_have_names_of_their_own() -> None:
    choice = Choice(("default", "visitor"))
    assert [choice.label(ENGLISH, name) for name in choice.usual] == ["Shared library", "Yours"]
    assert Choice(("default",)).label(ENGLISH, "default") == "default"


def test_names_are_escaped_and_long_lists_are_cut() -> None:
    choice = Choice(("default",))
    choice.choose(documents=[5])
    for drawn in (render_told(ENGLISH, choice, THERE), render_choices(ENGLISH, choice, THERE)):
        assert "<img" not in drawn
        assert "&lt;img" in drawn
    hostile = [THERE[0], *(replace(each, collection=HOSTILE) for each in THERE[1:])]
    for drawn in (
        render_gather(ENGLISH, "", choice, hostile, ()),
        render_gather(ENGLISH, HOSTILE, choice, hostile, ["default", HOSTILE]),
        render_gather(ENGLISH, HOSTILE, choice, [], [HOSTILE]),
        render_move(ENGLISH, ["default", HOSTILE]),
        render_target(ENGLISH, ["default", HOSTILE], HOSTILE),
        render_account(ENGLISH, "form", HOSTILE),
        render_leave(ENGLISH, "", HOSTILE, "", False),
    ):
        assert "pwned" in drawn
        assert "<script" not in drawn
        assert "<img" not in drawn
    many = [replace(LIBRARY[0], id=number, source=f"{number}.pdf") for number in range(1000, 1100)]
    drawn = render_choices(ENGLISH, choice, many)
    assert (drawn.count("data-choose"), "70 more" in drawn) == (30, True)
    assert render_gather(ENGLISH, "", choice, many, ()) == ""
    assert render_move(ENGLISH, ["default"]) == render_target(ENGLISH, ["default"], "") == ""
    assert render_account(ENGLISH, "", "") == render_account(ENGLISH, "form", "") == ""


def test_only_an_empty_collection_that_is_shown_can_be_deleted_and_the_usual_one_stays() -> None:
    names, choice = ["default", "empty", "service"], Choice(("default",))

    def drawn(shown: str) -> str:
        return render_gather(ENGLISH, shown, choice, THERE, names)

    assert "data-make" in drawn("")
    assert "data-relabel" not in drawn("") + drawn("default")
    assert "data-scrap" not in drawn("") + drawn("default") + drawn("service")
    assert 'data-relabel="service"' in drawn("service")
    assert "when it is empty" in drawn("service")
    assert 'data-scrap="empty"' in drawn("empty")
