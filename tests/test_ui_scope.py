"""What a tab asks: what was chosen, of what is there, and how it is told."""

from __future__ import annotations

from dataclasses import replace

from page_fakes import HOSTILE, LIBRARY

from rag.types import Scope
from rag.ui_render_scope import render_choices, render_gather, render_leave, render_told
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
    assert HOSTILE not in render_gather(ENGLISH, "", choice, [replace(each, collection=HOSTILE) for each in THERE])
    many = [replace(LIBRARY[0], id=number, source=f"{number}.pdf") for number in range(1000, 1100)]
    drawn = render_choices(ENGLISH, choice, many)
    assert (drawn.count("data-choose"), "70 more" in drawn) == (30, True)
    assert render_gather(ENGLISH, "", choice, many) == ""
    assert render_leave(ENGLISH, "", "", False) == ""
