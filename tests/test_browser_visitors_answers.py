"""Two visitors of one app on the real models: each is answered from what is his, and refused what is the other's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_process import AppProcess
from playwright.sync_api import expect
from test_browser_app import ANSWER, LIGHTHOUSE, LIGHTHOUSE_ASKED, MODELS, ORCHARD, ORCHARD_ASKED
from test_browser_page import ask, browser  # noqa: F401  (the fixture)

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def visitors(browser: Any, tmp_path: Path) -> Iterator[tuple[Any, Any]]:  # noqa: F811
    """Two browsers that look at an app which is deployed for others, with nothing in its shared library."""
    process = AppProcess(tmp_path / "library", "--no-samples", environment={"RAG_SEPARATE_VISITORS": "true"})
    contexts = [browser.new_context(viewport={"width": 1440, "height": 900}) for _ in range(2)]
    try:
        process.wait_for_page()
        tabs = [context.new_page() for context in contexts]
        for tab in tabs:
            tab.goto(process.address)
            expect(tab.locator("#status .status")).to_have_count(0, timeout=MODELS)
        yield tabs[0], tabs[1]
    finally:
        for context in contexts:
            context.close()
        process.kill()
        print(process.written("stderr"))


def test_each_is_answered_from_his_own_and_refused_the_other_s(visitors: tuple[Any, Any], tmp_path: Path) -> None:
    ann, ben = visitors
    for tab, name, text in ((ann, "lighthouse.txt", LIGHTHOUSE), (ben, "orchard.md", ORCHARD)):
        (tmp_path / name).write_text(text, "utf-8")
        tab.set_input_files("#upload input[type=file]", tmp_path / name)
    for tab, name in ((ann, "lighthouse.txt"), (ben, "orchard.md")):
        expect(tab.locator("#documents .doc")).to_contain_text(re.compile(f"{name}.*ready", re.S), timeout=ANSWER)

    ask(ann, ORCHARD_ASKED)
    ask(ben, LIGHTHOUSE_ASKED)
    for tab, name, fact in ((ann, "lighthouse.txt", "212"), (ben, "orchard.md", "4,?713")):
        expect(tab.locator("#answer .refuse")).to_be_visible(timeout=ANSWER)
        expect(tab.locator("#answer .a")).not_to_contain_text(re.compile(fact))
        expect(tab.locator("#sources .src .name", has_not_text=name)).to_have_count(0)

    ask(ann, LIGHTHOUSE_ASKED)
    ask(ben, ORCHARD_ASKED)
    for tab, question, fact, cited in (
        (ann, LIGHTHOUSE_ASKED, "4,?713", "4,713 kilograms"),
        (ben, ORCHARD_ASKED, "212", "212 medlar trees"),
    ):
        expect(tab.locator("#answer .q")).to_have_text(question, timeout=ANSWER)
        expect(tab.locator("#answer .meta")).to_be_visible(timeout=ANSWER)
        expect(tab.locator("#answer .a")).to_contain_text(re.compile(fact))
        expect(tab.locator("#answer .n").first).to_have_text("1")
        expect(tab.locator("#proof mark")).to_contain_text(cited)
