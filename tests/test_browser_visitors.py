"""Two people in two browsers, who see nothing of each other; and what a question is asked of. No model is loaded."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_process import AppProcess
from gradio_client import Client
from page_fakes import LIBRARY, Fakes
from playwright.sync_api import expect
from public_app import serve_visitors
from test_browser_page import ask, browser, site  # noqa: F401  (the fixtures)

from rag.accounts import account_line
from rag.types import Scope

pytestmark = pytest.mark.browser

SLOW = 60_000  # milliseconds: it is a process of its own, on a machine that may be busy


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    """An app as it is deployed for others, with one shared document."""
    with serve_visitors(tmp_path_factory.mktemp("public"), files=2) as process:
        yield process


@pytest.fixture
def visitors(browser: Any, public: AppProcess) -> Iterator[tuple[Any, Any]]:  # noqa: F811
    """Two browsers that look at it."""
    contexts = [browser.new_context(viewport={"width": 1440, "height": 900}) for _ in range(2)]
    tabs = []
    for context in contexts:
        context.set_default_timeout(SLOW)
        tabs.append(context.new_page())
        tabs[-1].goto(public.address)
        expect(tabs[-1].locator("#documents h2")).to_have_text("Library · 1 document", timeout=SLOW)
        expect(tabs[-1].locator("#status .status")).to_have_count(0, timeout=SLOW)
    yield tabs[0], tabs[1]
    for context in contexts:
        context.close()


def listed(tab: Any) -> list[str]:
    return [name.strip() for name in tab.locator("#documents .doc .name").all_inner_texts()]


def status_of(address: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=20) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_two_visitors_see_nothing_of_each_other(public: AppProcess, visitors: tuple[Any, Any], tmp_path: Path) -> None:
    ann, ben = visitors
    note = tmp_path / "jelly.md"
    note.write_text("The quince jelly of Annabel needs exactly nine spoons of sugar.\n")
    with ann.expect_response(lambda reply: "/gradio_api/upload?" in reply.url) as uploaded:
        ann.set_input_files("#upload input[type=file]", note)
    (path,) = uploaded.value.json()
    expect(ann.locator("#documents .doc", has_text="jelly.md")).to_contain_text("ready", timeout=SLOW)
    assert listed(ann) == ["jelly.md", "harbour.md"]
    assert ann.locator("#documents [data-forget]").count() == 1  # the shared one cannot be deleted
    ask(ann, "How many spoons of sugar does the quince jelly need?")
    expect(ann.locator("#answer .meta")).to_be_visible(timeout=SLOW)
    expect(ann.locator("#sources .src", has_text="jelly.md")).to_be_visible(timeout=SLOW)

    ask(ben, "How many spoons of sugar does the quince jelly need?")
    expect(ben.locator("#answer .meta")).to_be_visible(timeout=SLOW)
    expect(ben.locator("#conversations .doc")).to_have_count(1, timeout=SLOW)  # it is kept
    assert listed(ben) == ["harbour.md"]
    ben.reload()
    expect(ben.locator("#answer .meta")).to_be_visible(timeout=SLOW)
    assert listed(ben) == ["harbour.md"]
    assert "jelly.md" not in ben.content()
    expect(ben.locator("#conversations .doc")).to_have_count(1, timeout=SLOW)

    token = ann.evaluate("localStorage.getItem('footnote-visitor')")
    other = ben.evaluate("localStorage.getItem('footnote-visitor')")
    assert token and other and token != other
    client = Client(public.address, verbose=False, analytics_enabled=False)
    named = {
        each: [d["source"] for d in client.predict(visitor=each, api_name="/documents")] for each in (token, other)
    }
    assert named == {token: ["jelly.md", "harbour.md"], other: ["harbour.md"]}
    assert path.endswith("jelly.md")
    assert status_of(f"{public.address}/gradio_api/file={path}") == 404
    assert not Path(path).exists()

    ann.reload()
    expect(ann.locator("#documents .doc", has_text="jelly.md")).to_be_visible(timeout=SLOW)
    ann.click("#leave summary")
    expect(ann.locator("#leave")).to_contain_text("This cannot be undone", timeout=SLOW)
    ann.click("#leave [data-leave]")
    expect(ann.locator("#leave [role=status]")).to_contain_text("are removed", timeout=SLOW)
    assert listed(ann) == ["harbour.md"]
    expect(ann.locator("#conversations .doc")).to_have_count(0, timeout=SLOW)
    expect(ann.locator("#answer .q")).to_have_count(0, timeout=SLOW)
    expect(ben.locator("#conversations .doc")).to_have_count(1, timeout=SLOW)
    left = [each for each in public.library.rglob("*") if each.is_file() and b"quince jelly of" in each.read_bytes()]
    assert left == []


def test_a_visitor_s_room_ends_with_a_message(visitors: tuple[Any, Any], tmp_path: Path) -> None:
    ann, _ = visitors
    files = [tmp_path / f"{name}.md" for name in ("one", "two", "three")]
    for file in files:
        file.write_text(f"This is note {file.stem}.\n")
    ann.set_input_files("#upload input[type=file]", files)
    expect(ann.locator("#uploads .doc", has_text="three.md")).to_contain_text(
        "a visitor may have 2 documents", timeout=SLOW
    )
    assert listed(ann) == ["one.md", "two.md", "harbour.md"]


def test_what_is_asked_is_chosen_from_the_ask_box(site: Any) -> None:  # noqa: F811
    fakes = Fakes(LIBRARY[:4], pace=0.003)
    tab = site(fakes).tab()
    expect(tab.locator("#scope-told")).to_contain_text("Asked of all documents")
    tab.focus("#scope-toggle")
    tab.keyboard.press("Enter")
    expect(tab.locator("#scope-look input")).to_be_focused()
    tab.keyboard.type("warr")
    expect(tab.locator("#scope-choices label")).to_have_text(["Warranty 2026.html"])
    tab.keyboard.press("Tab")
    tab.keyboard.press("Space")
    expect(tab.locator("#scope-told")).to_contain_text("Asked of Warranty 2026.html")
    tab.keyboard.press("Escape")
    expect(tab.locator("#scope-panel")).to_be_hidden()
    expect(tab.locator("#scope-toggle")).to_be_focused()
    fakes.refuse = True
    ask(tab)
    expect(tab.locator("#answer .searched")).to_contain_text("Searched 1 document (Warranty 2026.html) for this")
    assert fakes.scopes == [Scope((), (2,))]
    tab.click("#scope-told [data-every]")
    expect(tab.locator("#scope-told")).to_contain_text("Asked of all documents")
    tab.click("#documents [data-view]")
    tab.check("[data-pick='1']")
    tab.check("[data-pick='3']")
    expect(tab.locator(".bulk strong")).to_have_text("2 documents selected")
    tab.click(".bulk [data-only]")
    expect(tab.locator("#scope-told")).to_contain_text("Kettle K3 manual.pdf, service/calls 2025.csv")
    expect(tab.locator("#ask-box")).to_be_visible()
    ask(tab)
    expect(tab.locator("#answer .searched")).to_contain_text("Searched 2 documents")
    assert fakes.scopes[-1] == Scope((), (1, 3))


def test_collections_are_listed_filtered_and_chosen_on_a_phone_too(site: Any) -> None:  # noqa: F811
    from dataclasses import replace

    fakes = Fakes([*LIBRARY[:2], replace(LIBRARY[2], collection="service")], pace=0.003)
    tab = site(fakes).tab(390, 844)
    expect(tab.locator("#scope-told")).to_contain_text("Asked of 2 documents")  # those of the usual collection
    tab.click("#scope-toggle")
    box = tab.locator("#scope-panel").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert box["y"] >= 0
    tab.check("#scope-choices input[value=service]")
    expect(tab.locator("#scope-told")).to_contain_text("Asked of default, service")
    tab.uncheck("#scope-choices input[value=default]")
    expect(tab.locator("#scope-told")).to_contain_text("Asked of service")
    tab.keyboard.press("Escape")
    ask(tab)
    expect(tab.locator("#answer .meta")).to_be_visible()
    assert fakes.scopes == [Scope(("service",))]
    tab.click("#library-toggle")
    tab.click("#documents [data-view]")
    tab.select_option("#look-gather", "service")
    expect(tab.locator("#shelf-rows tbody th")).to_have_text(["service/calls 2025.csv"])


def test_two_accounts_sign_in_keep_what_is_theirs_in_any_browser_and_sign_out(
    browser: Any,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("accounts")
    (folder / "users").write_text(f"{account_line('ann', 'nine spoons')}\n{account_line('ben', 'grey herons')}\n")
    (folder / "jelly.md").write_text("The quince jelly of Annabel needs exactly nine spoons of sugar.\n")

    def sign_in(name: str, password: str) -> Any:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.set_default_timeout(SLOW)
        tab = context.new_page()
        tab.goto(running.address)
        fill_in(tab, name, password)
        return tab

    def fill_in(tab: Any, name: str, password: str) -> None:
        tab.locator("input[type=password]").wait_for()
        assert "harbour.md" not in tab.content()
        tab.locator("input:not([type=password])").first.fill(name)
        tab.locator("input[type=password]").fill(password)
        tab.locator("button").first.click()

    with serve_visitors(folder, files=2, RAG_USERS=str(folder / "users"), RAG_VISITOR_HOURS="0.001") as running:
        ann = sign_in("ann", "grey herons")
        expect(ann.locator("body")).to_contain_text("Incorrect", timeout=SLOW)
        fill_in(ann, "ann", "nine spoons")
        expect(ann.locator("#account")).to_contain_text("Signed in as ann", timeout=SLOW)
        expect(ann.locator("#documents h2")).to_have_text("Library · 1 document", timeout=SLOW)
        ann.set_input_files("#upload input[type=file]", folder / "jelly.md")
        expect(ann.locator("#documents .doc", has_text="jelly.md")).to_contain_text("ready", timeout=SLOW)
        ask(ann, "How many spoons of sugar does the quince jelly need?")
        expect(ann.locator("#conversations .doc")).to_have_count(1, timeout=SLOW)
        assert not ann.evaluate("localStorage.getItem('footnote-visitor')")
        expect(ann.locator("#leave .note").last).to_contain_text("Only ann can", timeout=SLOW)

        ben = sign_in("ben", "grey herons")
        expect(ben.locator("#account")).to_contain_text("Signed in as ben", timeout=SLOW)
        expect(ben.locator("#documents h2")).to_have_text("Library · 1 document", timeout=SLOW)
        assert "jelly" not in ben.content()

        ben.click("#account a")
        fill_in(ben, "ann", "nine spoons")  # in another browser, and after the time that a visitor's things stay
        expect(ben.locator("#account")).to_contain_text("Signed in as ann", timeout=SLOW)
        expect(ben.locator("#documents .doc", has_text="jelly.md")).to_be_visible(timeout=SLOW)
        expect(ben.locator("#conversations .doc")).to_have_count(1, timeout=SLOW)
        for tab in (ann, ben):
            tab.context.close()
