"""Conversations in a real browser: asked again, edited, copied, saved, kept, and each visitor's own."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from page_fakes import HOSTILE, LIBRARY, QUESTION, Fakes
from playwright.sync_api import expect
from test_browser_page import ask, browser, site  # noqa: F401  (the fixtures)

from rag import ui_removal

pytestmark = pytest.mark.browser

OTHER = "What did the 2024 manual say?"


@pytest.fixture
def fakes() -> Fakes:
    return Fakes(LIBRARY, pace=0.003)


@pytest.fixture
def running(site: Any, fakes: Fakes) -> Any:  # noqa: F811
    return site(fakes)


def answered(tab: Any, question: str = QUESTION) -> None:
    ask(tab, question)
    expect(tab.locator("#answer .q")).to_have_text(question.replace("\u202e", ""))
    finished(tab)


def finished(tab: Any) -> None:
    expect(tab.locator("#answer .meta")).to_be_visible()
    expect(tab.locator("#ask-button")).to_be_visible()


def kept(tab: Any, name: str) -> Any:
    return tab.locator("#conversations .doc", has_text=name)


def more(tab: Any, name: str) -> Any:
    kept(tab, name).hover()
    kept(tab, name).locator("[data-more]").click()
    return kept(tab, name).locator(".more")


def saved(tab: Any, name: str, suffix: str) -> tuple[str, str]:
    with tab.expect_download() as download:
        kept(tab, name).locator(f"[data-format={suffix}]").click()
    return download.value.suggested_filename, Path(download.value.path()).read_text("utf-8")


def test_the_last_question_is_asked_again_in_its_own_place(running: Any, fakes: Fakes) -> None:
    tab = running.tab()
    answered(tab, "First?")
    answered(tab)
    fakes.refuse = True
    tab.click("[data-retry]")
    expect(tab.locator("#answer .refuse")).to_be_visible()
    finished(tab)
    expect(tab.locator(".turn")).to_have_count(2)
    expect(tab.locator("[data-retry]")).to_have_count(1)
    assert [turn.question for turn in fakes.history[2]] == ["First?"]
    tab.reload()
    expect(tab.locator("#answer .refuse")).to_be_visible()
    expect(tab.locator(".turn")).to_have_count(2)


def test_the_last_question_is_edited_or_left_as_it_was(running: Any, fakes: Fakes) -> None:
    tab = running.tab()
    answered(tab)
    tab.click("[data-edit]")
    expect(tab.locator("#ask-box textarea")).to_have_value(QUESTION)
    expect(tab.locator("#ask-box textarea")).to_be_focused()
    expect(tab.locator("#editing")).to_contain_text("takes its place")
    tab.click("[data-unedit]")
    expect(tab.locator("#ask-box textarea")).to_have_value("")
    expect(tab.locator("#editing .editing")).to_have_count(0)
    tab.click("[data-edit]")
    expect(tab.locator("#ask-box textarea")).to_have_value(QUESTION)
    answered(tab, OTHER)
    expect(tab.locator(".turn")).to_have_count(1)
    expect(tab.locator("#editing .editing")).to_have_count(0)
    expect(tab.locator("#conversations .doc .name")).to_have_text(OTHER)
    assert fakes.history == [[], []]


def test_an_answer_is_copied_with_its_numbers_and_sources(running: Any) -> None:
    tab = running.tab()
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    answered(tab)
    tab.click("[data-copy]")
    expect(tab.locator("[data-copy]")).to_have_text("Copied")
    copied = tab.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("Descale every 60 days in hard water and every 120 days in soft water.[1]")
    assert "Sources:\n\n[1] Kettle K3 manual.pdf, page 11: “Hardness decides the interval" in copied
    assert "[3]" not in copied.partition("Sources:")[2]
    expect(tab.locator("[data-copy]")).to_have_text("Copy with sources")


def test_a_conversation_is_saved_as_markdown_and_as_json(running: Any, fakes: Fakes) -> None:
    tab = running.tab()
    answered(tab)
    fakes.refuse = True
    answered(tab, HOSTILE)
    more(tab, QUESTION)
    name, text = saved(tab, QUESTION, "md")
    assert name == f"{QUESTION[:-1]}.md"
    assert text.startswith(f"# {QUESTION}\n\n## {QUESTION}\n\nDescale every 60 days")
    assert "Sources:\n\n[1] Kettle K3 manual.pdf, page 11: “Hardness" in text
    assert "Nearest passages:\n\n[1] Kettle" in text
    assert "<script" not in text
    name, text = saved(tab, QUESTION, "json")
    assert name.endswith(".json")
    record = json.loads(text)
    assert [turn["question"] for turn in record["turns"]] == [QUESTION, HOSTILE.replace("\u202e", "")]
    assert record["turns"][0]["answer"]["citations"][0]["source"] == "Kettle K3 manual.pdf"
    assert [url for url in running.requests if not url.startswith((running.address, "data:", "blob:"))] == []


def test_conversations_are_listed_reopened_and_found_again_after_a_reload(running: Any) -> None:
    tab = running.tab()
    answered(tab)
    expect(kept(tab, QUESTION)).to_contain_text("today · 1 question")
    tab.click("#new-chat")
    expect(tab.locator("#thread .empty")).to_be_visible()
    answered(tab, OTHER)
    expect(tab.locator("#conversations .doc .name")).to_have_text([OTHER, QUESTION])
    expect(tab.locator("#conversations [aria-current=true]")).to_have_text(OTHER)
    kept(tab, QUESTION).locator(".name").click()
    expect(tab.locator("#answer .q")).to_have_text(QUESTION)
    expect(tab.locator("#sources .src")).to_have_count(3)
    expect(tab.locator("#proof header")).to_contain_text("Kettle K3 manual.pdf")
    tab.reload()
    expect(tab.locator("#answer .q")).to_have_text(QUESTION)
    expect(tab.locator("#proof mark")).to_be_visible()
    answered(tab, "And then?")
    expect(kept(tab, QUESTION)).to_contain_text("2 questions")
    second = running.tab(context=tab.context)
    expect(second.locator("#answer .q")).to_have_text("And then?")
    second.click("#new-chat")
    expect(second.locator("#thread .empty")).to_be_visible()
    tab.reload()  # a tab remembers its own
    expect(tab.locator("#answer .q")).to_have_text("And then?")


def test_a_conversation_is_renamed_by_keyboard(running: Any) -> None:
    tab = running.tab()
    answered(tab)
    kept(tab, QUESTION).locator("[data-more]").focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("#conversations input")).to_be_focused()
    tab.keyboard.press("Escape")
    expect(tab.locator("#conversations .more")).to_be_hidden()
    tab.keyboard.press("Enter")
    tab.locator("#conversations input").fill(HOSTILE)
    tab.keyboard.press("Enter")
    expect(tab.locator("#conversations .doc .name")).to_contain_text("<script>window.pwned=1</script>")
    assert tab.evaluate("window.pwned") is None
    tab.reload()
    expect(tab.locator("#conversations .doc .name")).to_contain_text("<img src=x")
    assert tab.locator("#app img").count() == 0


def test_a_conversation_is_deleted_and_can_be_taken_back(
    running: Any, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ui_removal, "UNDO_S", 60)
    tab = running.tab()
    answered(tab)
    more(tab, QUESTION).locator("[data-drop]").click()
    expect(tab.locator("#conversations .doc")).to_have_count(0)
    expect(tab.locator("#thread .empty")).to_be_visible()
    tab.click("[data-undo]")
    expect(kept(tab, QUESTION)).to_be_visible()
    monkeypatch.setattr(ui_removal, "UNDO_S", 0.3)
    more(tab, QUESTION).locator("[data-drop]").click()
    expect(tab.locator("#conversations .doc")).to_have_count(0)
    expect(tab.locator("#undo .undo")).to_have_count(0)
    assert fakes.conversations.infos("") == []
    tab.reload()
    expect(tab.locator("#thread .empty")).to_be_visible()


def test_an_answer_that_was_left_is_kept_as_far_as_it_came(site: Any) -> None:  # noqa: F811
    fakes = Fakes(LIBRARY, pace=0.1)
    tab = site(fakes).tab()
    ask(tab)
    expect(tab.locator("#answer .writing")).to_contain_text("Descale")
    tab.reload()
    assert fakes.closed.wait(10)
    expect(tab.locator("#thread .empty")).to_be_visible()
    tab.wait_for_timeout(1500)
    tab.reload()
    kept(tab, QUESTION).locator(".name").click()
    expect(tab.locator("#answer .tag")).to_have_text("stopped")
    expect(tab.locator("#answer .a")).to_contain_text("Descale")


def test_leaving_a_conversation_while_it_is_answered_keeps_it_apart(site: Any) -> None:  # noqa: F811
    fakes = Fakes(LIBRARY, pace=0.05)
    tab = site(fakes).tab()
    ask(tab)
    expect(tab.locator("#answer .writing")).to_contain_text("Descale")
    tab.click("#new-chat")
    expect(tab.locator("#thread .empty")).to_be_visible()
    expect(kept(tab, QUESTION)).to_be_visible()
    fakes.pace = 0.003
    answered(tab, OTHER)
    expect(tab.locator(".turn")).to_have_count(1)
    expect(tab.locator("#conversations .doc")).to_have_count(2)


def test_a_refusal_says_what_was_searched(running: Any, fakes: Fakes) -> None:
    fakes.refuse = True
    tab = running.tab()
    answered(tab, OTHER)
    expect(tab.locator("#answer .searched")).to_have_text(
        "Searched 4 documents for this. The nearest passages are in "
        "Kettle K3 manual.pdf, Warranty 2026.html, service/calls 2025.csv."
    )


def test_visitors_of_a_public_page_see_nothing_of_each_other(running: Any, fakes: Fakes, site: Any) -> None:  # noqa: F811
    fakes.apart = True
    public = site(fakes)
    first, second = public.tab(), public.tab()
    answered(first)
    expect(kept(first, QUESTION)).to_be_visible()
    expect(first.locator("#conversations .note")).to_contain_text("Only this browser can open them")
    expect(first.locator("#conversations .note")).to_contain_text("removed 24 hours after its last question")
    second.reload()
    expect(second.locator("#conversations .note")).to_contain_text("What you ask is kept here")
    # Nor when it claims the other's conversation, or sends an event for it
    number = first.evaluate("localStorage.getItem('footnote-conversation')")
    assert number
    second.evaluate("number => sessionStorage.setItem('footnote-conversation', number)", number)
    second.reload()
    expect(second.locator("#thread .empty")).to_be_visible()
    answered(second, OTHER)
    second.evaluate(
        """number => {
            const button = document.querySelector('#conversations [data-reopen]');
            button.dataset.reopen = number;
            button.click();
        }""",
        number,
    )
    expect(second.locator("#conversations [role=alert]")).to_have_text("this conversation is no longer kept")
    assert QUESTION not in second.inner_text("body")
    first.reload()
    expect(first.locator("#answer .q")).to_have_text(QUESTION)
    expect(first.locator("#conversations .doc")).to_have_count(1)
    # A secret that is too short to be one is not taken
    first.evaluate("localStorage.setItem('footnote-visitor', 'guess')")
    first.reload()
    expect(first.locator("#conversations .note")).to_contain_text("What you ask is kept here")
    assert len(first.evaluate("localStorage.getItem('footnote-visitor')")) == 43
    # Nor is it the library's own
    own = running.tab()
    expect(own.locator("#conversations .doc")).to_have_count(0)


def test_a_store_that_fails_is_a_message_and_the_answer_stays(running: Any, fakes: Fakes) -> None:
    tab = running.tab()
    fakes.conversations.path.unlink()
    fakes.conversations.path.mkdir()
    fakes.conversations._local = threading.local()
    answered(tab)
    expect(tab.locator("#conversations [role=alert]")).to_contain_text("the file of the conversations")
    expect(tab.locator("#answer .a")).to_contain_text("Descale")
