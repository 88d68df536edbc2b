"""The settings, the languages and the comparison in a real browser."""

from __future__ import annotations

from typing import Any

import pytest
from page_fakes import ALONE, LIBRARY, QUESTION, Fakes
from playwright.sync_api import expect
from test_browser_page import ask, browser, site  # noqa: F401  (the fixtures)

from rag.types import AS_SET, AskLimits, AskOptions, Progress

pytestmark = pytest.mark.browser


@pytest.fixture
def fakes() -> Fakes:
    return Fakes(LIBRARY, pace=0.003)


@pytest.fixture
def running(site: Any, fakes: Fakes) -> Any:  # noqa: F811
    return site(fakes)


def answered(tab: Any, question: str = QUESTION) -> None:
    ask(tab, question)
    expect(tab.locator("#answer .q")).to_have_text(question)
    expect(tab.locator("#answer .meta")).to_be_visible()
    expect(tab.locator("#ask-button")).to_be_visible()


def slide(tab: Any, name: str, value: str) -> None:
    tab.locator(f"#set-{name}").fill(value)


def test_settings_act_on_this_visitor_s_answers_alone_and_are_remembered(site: Any, fakes: Fakes) -> None:  # noqa: F811
    fakes.limits = AskLimits(4, 400, 0.0, ("small", "large"))
    running = site(fakes)
    tab, other = running.tab(), running.tab()
    answered(other)
    tab.click("#settings-open")
    for name, value in (("sources", "2"), ("answer_tokens", "120"), ("temperature", "0.6")):
        slide(tab, name, value)
    expect(tab.locator("#settings output >> nth=1")).to_have_text("120")
    tab.select_option("#set-model", "large")
    tab.keyboard.press("Escape")
    answered(tab)
    chosen = AskOptions(sources=2, answer_tokens=120, temperature=0.6, model="large")
    assert fakes.options == [AS_SET, chosen]
    again = running.tab(context=tab.context)
    expect(again.locator("#set-answer_tokens")).to_have_value("120")
    answered(again, "Once more?")
    answered(other, "Something else?")
    assert fakes.options[2:] == [chosen, AS_SET]
    again.click("#settings-open")
    again.click("#settings-reset")
    expect(again.locator("#set-answer_tokens")).to_have_value("400")
    again.keyboard.press("Escape")
    answered(again, "And now?")
    assert fakes.options[4:] == [AS_SET]


def test_the_panel_opens_and_closes_by_keyboard_and_gives_the_focus_back(running: Any) -> None:
    tab = running.tab()
    tab.focus("#settings-open")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("dialog", name="Settings")).to_be_visible()
    expect(tab.locator("#set-language")).to_be_focused()
    expect(tab.locator("#settings-open")).to_have_attribute("aria-expanded", "true")
    expect(tab.locator("#settings .one")).to_have_text("Qwen2.5 1.5B")
    tab.keyboard.press("Escape")
    expect(tab.locator("#settings")).to_be_hidden()
    expect(tab.locator("#settings-open")).to_be_focused()
    tab.keyboard.press("Enter")
    tab.click("#thread")
    expect(tab.locator("#settings")).to_be_hidden()


def test_the_page_speaks_chinese_to_one_and_english_to_another(running: Any) -> None:
    tab, other = running.tab(), running.tab()
    expect(tab.locator("html")).to_have_attribute("lang", "en")
    tab.click("#settings-open")
    tab.select_option("#set-language", "zh")
    expect(tab.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(tab.locator("#documents h2")).to_have_text("资料库 · 5 个文档")
    expect(tab.locator("#ask-box textarea")).to_have_attribute("placeholder", "向你的文档提问…")
    expect(tab.locator("#ask-button")).to_have_text("提问")
    expect(tab.locator("#set-language")).to_be_focused()
    tab.keyboard.press("Escape")
    expect(tab.locator("#settings-open")).to_be_focused()
    added = "getComputedStyle(document.querySelector('#upload .upload-container'), '::before').content"
    assert tab.evaluate(added) == '"添加文档"'
    assert tab.get_attribute("#talk", "aria-label") == "对话"
    answered(tab)
    expect(tab.locator("#answer .flag")).to_have_text("文档中没有依据")
    tab.reload()
    expect(tab.locator("#documents h2")).to_have_text("资料库 · 5 个文档")
    answered(other)
    expect(other.locator("#answer .flag")).to_have_text("not found in your documents")


def test_a_chinese_browser_is_spoken_to_in_chinese_and_looks_for_documents(running: Any) -> None:
    context = running.browser.new_context(locale="zh-CN", viewport={"width": 1440, "height": 900})
    running.contexts.append(context)
    tab = context.new_page()
    tab.goto(running.address)
    expect(tab.locator("#documents h2")).to_have_text("资料库 · 5 个文档")
    tab.evaluate("localStorage.setItem('footnote-settings', '{')")  # what cannot be read counts for nothing
    tab.reload()
    expect(tab.locator("#documents h2")).to_have_text("资料库 · 5 个文档")
    tab.click("#documents [data-view]")
    tab.fill("#look-for", "warranty")  # the field was drawn anew, and still looks
    expect(tab.locator("#shelf tbody tr")).to_have_count(1)
    tab.select_option("#look-state", "failed")
    expect(tab.locator("#shelf .hint")).to_contain_text("没有这个名称的文档")


def test_the_model_alone_is_compared_beside_the_answer_and_can_be_stopped(running: Any, fakes: Fakes) -> None:
    tab = running.tab()
    answered(tab, "First?")
    answered(tab)
    tab.click("#answer [data-compare]")
    alone, grounded = tab.locator("#answer .alone"), tab.locator("#answer .grounded")
    expect(alone.locator(".a")).to_have_text(ALONE)
    expect(alone).to_contain_text("no proof")
    expect(alone.locator("button, .n")).to_have_count(0)
    expect(grounded.locator(".n >> nth=0")).to_be_visible()
    left, right = alone.bounding_box(), grounded.bounding_box()
    assert left["x"] + left["width"] <= right["x"]
    assert abs(left["y"] - right["y"]) < 4
    ((question, history, options),) = fakes.asked_alone
    assert (question, [turn.question for turn in history], options) == (QUESTION, ["First?"], AS_SET)
    fakes.pace = 0.2
    tab.click("#thread [data-compare]")
    stopped = tab.locator("#thread .alone")
    expect(stopped.locator(".writing")).to_be_visible()
    tab.click("#stop-button")
    assert fakes.closed.wait(3)
    expect(stopped.locator(".meta")).to_have_text("stopped")
    expect(tab.locator("#ask-button")).to_be_visible()
    fakes.pace = 0.003
    tab.set_viewport_size({"width": 390, "height": 844})
    above, below = alone.bounding_box(), grounded.bounding_box()
    assert above["y"] + above["height"] <= below["y"]
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_comparison_is_there_again_when_the_conversation_is(running: Any, fakes: Fakes) -> None:
    tab = running.tab()
    answered(tab)
    tab.click("#answer [data-compare]")
    expect(tab.locator("#answer .alone .meta")).to_be_visible()
    expect(tab.locator("#ask-button")).to_be_visible()
    tab.reload()
    expect(tab.locator("#answer .alone .a")).to_have_text(ALONE)
    expect(tab.locator("#answer .alone .tag")).to_contain_text("no proof")
    expect(tab.locator("#answer .grounded .n >> nth=0")).to_be_visible()
    (conversation,) = fakes.conversations.infos("")
    ((_, kept),) = fakes.conversations.turns("", conversation.id)
    assert kept.alone is not None
    assert kept.alone.answer is not None


def test_who_chose_another_model_sees_it_load_while_others_are_answered(site: Any, fakes: Fakes) -> None:  # noqa: F811
    fakes.limits = AskLimits(4, 400, 0.0, ("small", "large"))
    fakes.model_state = {"large": Progress("Loading large", 3, 10, "steps")}
    running = site(fakes)
    tab, other = running.tab(), running.tab()
    tab.click("#settings-open")
    tab.select_option("#set-model", "large")
    tab.keyboard.press("Escape")
    ask(tab)
    told = "Your question waits for the model: Loading large 3 of 10 steps"
    expect(tab.locator("#answer .phase")).to_contain_text(told)
    answered(other)
    expect(tab.locator("#answer .phase")).to_be_visible()
    fakes.model_state = {}
    expect(tab.locator("#answer .meta")).to_be_visible()
    assert [options.model for options in fakes.options] == [None, "large"]
    fakes.model_state = {"large": "large has no weights"}
    ask(tab, "Again?")
    expect(tab.locator("#answer [role=alert]")).to_have_text("large has no weights")
