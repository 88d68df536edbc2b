"""The page in a real browser, over functions of the tests' own: no model, no store, no network."""

from __future__ import annotations

import re
import shutil
import socket
import threading
import time
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fpdf import FPDF
from page_fakes import CITED, HOSTILE, LIBRARY, QUESTION, SENTENCES, Fakes, citation
from playwright.sync_api import expect, sync_playwright

from rag import ui_removal
from rag.errors import ModelError, RagError
from rag.page_image import load_page_image
from rag.types import Answer, AnswerEvent, Progress, Recording, Sentence
from rag.ui import build_ui, launch_options
from rag.ui_files import Files

pytestmark = pytest.mark.browser
expect.set_options(timeout=15_000)  # milliseconds; the machine may be busy


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Site:
    """A running page over fakes, and the tabs that look at it."""

    def __init__(self, browser: Any, fakes: Fakes, starters: Sequence[str] = ()) -> None:
        self.browser, self.fakes = browser, fakes
        files = Files()
        fakes.topics = [("", starter) for starter in starters] or fakes.topics
        self.blocks = build_ui(fakes.actions(), files)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.blocks.launch(
            server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True, **launch_options(files)
        )
        self.address = f"http://127.0.0.1:{port}"
        self.requests: list[str] = []
        self.contexts: list[Any] = []

    def tab(self, width: int = 1440, height: int = 900, context: Any = None) -> Any:
        """A page in a browser profile of its own, or in one that is given."""
        if context is None:
            context = self.browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True)
            self.contexts.append(context)
            context.set_default_timeout(15_000)
        tab = context.new_page()
        tab.on("request", lambda request: self.requests.append(request.url))
        tab.goto(self.address)
        expect(tab.locator("#documents h2")).to_have_text(f"Library · {len(self.fakes.library):,} documents")
        return tab

    def close(self) -> None:
        for context in self.contexts:
            context.close()
        self.blocks.close(verbose=False)


@pytest.fixture
def site(browser: Any) -> Iterator[Any]:
    sites = []

    def start(fakes: Fakes | None = None, starters: Sequence[str] = ()) -> Site:
        sites.append(Site(browser, fakes or Fakes(LIBRARY), starters))
        return sites[-1]

    yield start
    for each in sites:
        each.close()


def ask(tab: Any, question: str = QUESTION) -> None:
    tab.fill("#ask-box textarea", question)
    tab.click("#ask-button")


def test_an_answer_streams_beside_its_sources_and_opens_its_first_proof(site: Any) -> None:
    tab = site().tab()
    ask(tab)
    expect(tab.locator("#answer .phase")).to_contain_text("Searching")
    expect(tab.locator("#sources .src")).to_have_count(3)
    expect(tab.locator("#answer .phase")).to_contain_text("Reading 3 passages")
    expect(tab.locator("#answer .writing")).to_contain_text("Descale every 60 days")
    assert "not found" not in tab.inner_text("#answer")
    assert tab.input_value("#ask-box textarea") == ""
    expect(tab.locator("#answer .un")).to_have_text("A receipt for the descaler is needed.")
    expect(tab.locator("#answer .flag")).to_have_text("not found in your documents")
    expect(tab.locator("#answer .meta")).to_contain_text("3 sources found · first word 1.9 s · 3.4 s in all")
    expect(tab.locator("#proof mark")).to_have_text(CITED)
    expect(tab.locator("#answer")).to_have_attribute("aria-live", "polite")
    expect(tab.locator("#answer")).to_have_attribute("aria-busy", "false")


def test_stop_closes_the_model_within_a_token_and_keeps_what_was_written(site: Any) -> None:
    fakes = Fakes(LIBRARY, pace=0.1)
    tab = site(fakes).tab()
    ask(tab)
    expect(tab.locator("#answer .writing")).to_contain_text("Descale")
    before = fakes.pulled
    tab.click("#stop-button")
    assert fakes.closed.wait(3)
    stopped_at = fakes.pulled
    expect(tab.locator("#answer .tag")).to_have_text("stopped")
    expect(tab.locator("#answer .a")).to_contain_text("Descale")
    assert stopped_at - before < 8  # a click takes a moment to arrive
    time.sleep(0.4)
    assert fakes.pulled == stopped_at
    fakes.refuse = True
    ask(tab, "And then?")
    expect(tab.locator("#answer .refuse")).to_contain_text("Your documents do not say.")
    expect(tab.locator("#answer .flag")).to_have_count(0)
    assert [turn.question for turn in fakes.history[1]] == [QUESTION]
    assert fakes.history[1][0].answer.startswith("Descale")


def test_closing_the_tab_closes_the_model(site: Any) -> None:
    fakes = Fakes(LIBRARY, pace=0.2)
    tab = site(fakes).tab()
    ask(tab)
    expect(tab.locator("#answer .writing")).to_be_visible()
    tab.close()
    assert fakes.closed.wait(5)


def test_a_citation_opens_its_passage_by_mouse_and_by_keyboard(site: Any) -> None:
    tab = site().tab()
    ask(tab)
    expect(tab.locator("#answer .meta")).to_be_visible()
    tab.click("#answer .n[data-n='2']")
    expect(tab.locator("#proof header")).to_contain_text("Warranty 2026.html")
    expect(tab.locator("#proof header")).to_contain_text("page xi (4 of 24)")
    expect(tab.locator("#sources .src.on")).to_contain_text("Warranty 2026.html")
    expect(tab.locator("#answer .n.on")).to_have_text("2")
    tab.focus("#sources .src >> nth=2")
    tab.keyboard.press("Enter")
    expect(tab.locator("#proof header")).to_contain_text("service/calls 2025.csv")
    expect(tab.locator("#sources .src.on")).to_have_count(1)
    expect(tab.locator("#sources .src >> nth=2")).to_be_focused()


def pictured(fakes: Fakes) -> tuple[float, float]:
    """Give the fakes the page that the first source stands on; returns how far down and how high its first line is."""
    lines = [f"Line {number} of the manual is about something else." for number in range(46)]
    lines[30:33] = CITED.replace(", every", "\n, every").replace("The indicator", "\nThe indicator").splitlines()
    sheet = FPDF(unit="pt", format=(500, 1000))
    sheet.add_page()
    sheet.set_font("Helvetica", size=11)
    for number, line in enumerate(lines):
        sheet.text(50, 60 + 20 * number, line.strip())
    data = bytes(sheet.output())
    text = "\n".join(line.strip() for line in lines)
    start, end = text.index(CITED[:20]), text.index(CITED[-20:]) + 20
    best = text.index("The indicator")
    fakes.image = load_page_image(data, 0, text, (start, end), [(best, end)])
    fakes.best = ((CITED.index("The indicator"), len(CITED)),)
    return (60 + 20 * 30 - 8) / 1000, 8 / 1000


def test_a_citation_of_a_pdf_opens_its_page_with_the_passage_marked(site: Any) -> None:
    fakes = Fakes(LIBRARY)
    top, height = pictured(fakes)
    tab = site(fakes).tab()
    ask(tab)
    expect(tab.locator("#answer .meta")).to_be_visible()
    tab.click("#sources .src >> nth=1")
    expect(tab.locator("#proof .leaf")).to_have_count(0)
    tab.click("#answer .n[data-n='1'] >> nth=0")
    picture, marks = tab.locator("#proof .leaf img"), tab.locator("#proof .marks i")
    expect(picture).to_be_visible()
    expect(tab.locator("#proof header")).to_contain_text("page xi (11 of 24)")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1200
    assert "page xi (11 of 24) of Kettle K3 manual.pdf" in picture.get_attribute("alt")
    expect(marks).to_have_count(4)
    expect(tab.locator("#proof .marks .best")).to_have_count(1)
    page, first = picture.bounding_box(), marks.first.bounding_box()
    middle = (first["y"] + first["height"] / 2 - page["y"]) / page["height"]
    assert top <= middle <= top + height
    assert (first["x"] - page["x"]) / page["width"] == pytest.approx(0.1, abs=0.01)
    pane = tab.locator("#proof").bounding_box()
    tab.wait_for_function("() => document.querySelector('#proof').scrollTop > 100")
    assert pane["y"] < marks.first.bounding_box()["y"] < pane["y"] + pane["height"]

    before = picture.bounding_box()["width"]
    tab.click("#enlarge")
    expect(tab.locator("#enlarge")).to_have_attribute("aria-pressed", "true")
    assert picture.bounding_box()["width"] > 1.5 * before
    assert pane["y"] < marks.first.bounding_box()["y"] < pane["y"] + pane["height"]
    tab.click("#enlarge")

    expect(tab.locator("#proof mark")).to_be_hidden()
    tab.click("#proof summary")
    expect(tab.locator("#proof mark")).to_have_text(CITED)
    expect(tab.locator("#proof mark strong")).to_have_text(CITED[CITED.index("The indicator") :])
    tab.click("#sources .src >> nth=1")
    expect(tab.locator("#proof .leaf")).to_have_count(0)
    tab.click("#sources .src >> nth=0")
    expect(tab.locator("#proof mark")).to_be_visible()  # who opened the text finds it open at the next page


def test_a_page_that_cannot_be_shown_says_why_above_the_passage(site: Any) -> None:
    fakes = Fakes(LIBRARY)
    fakes.problem = "changed"
    tab = site(fakes).tab()
    ask(tab)
    expect(tab.locator("#proof .note")).to_contain_text("The file has changed since it was read")
    expect(tab.locator("#proof mark")).to_have_text(CITED)
    expect(tab.locator("#proof mark")).to_be_visible()


def test_uploads_have_a_row_each_and_end_ready_or_with_the_reason(site: Any, tmp_path: Path) -> None:
    fakes = Fakes([])
    tab = site(fakes).tab()
    expect(tab.locator("#thread")).to_contain_text("Start with your documents")
    names = ("a.zip", "b.pdf", "c.txt")
    for name in names:
        (tmp_path / name).write_text(name)
    tab.set_input_files("#upload input[type=file]", [tmp_path / name for name in names])
    expect(tab.locator("#uploads .doc")).to_have_count(3)
    expect(tab.locator("#uploads [role=progressbar]")).to_be_visible()
    expect(tab.locator("#uploads .doc >> nth=0")).to_contain_text("a.zip was not added: this format is not known")
    expect(tab.locator("#uploads .doc >> nth=1")).to_contain_text("it needs a password")
    expect(tab.locator("#documents .doc >> nth=1")).to_contain_text("3 pages · 9 passages")
    expect(tab.locator("#uploads .doc")).to_have_count(1)  # b.pdf has its place in the list now, with its reason
    expect(tab.locator("#documents .doc >> nth=0")).to_contain_text("it needs a password")
    expect(tab.locator("#thread")).to_contain_text("What would you like to know?")


def test_what_is_being_added_is_shown_and_can_be_cancelled_after_a_reload(site: Any, tmp_path: Path) -> None:
    fakes = Fakes([], pace=0.1)
    running = site(fakes)
    tab, names = running.tab(), [f"{letter}.txt" for letter in "abcd"]
    for name in names:
        (tmp_path / name).write_text(name)
    tab.set_input_files("#upload input[type=file]", [tmp_path / name for name in names])
    expect(tab.locator("#uploads .doc >> nth=0")).to_contain_text("12 of 61 passages")
    tab.reload()
    expect(tab.locator("#uploads .doc >> nth=0")).to_contain_text(re.compile("a.txt.*(24|36|48|60) of 61", re.S))
    expect(tab.locator("#uploads h2")).to_have_text("Adding · 3 left")
    expect(tab.locator("#documents .doc")).to_contain_text("a.txt")
    tab.click("[data-cancel]")
    expect(tab.locator("#uploads .doc")).to_have_count(0)
    time.sleep(1)
    added = len(fakes.library)
    assert 1 <= added < 4
    fakes.pace = 0.02
    tab.set_input_files("#upload input[type=file]", [tmp_path / name for name in names])
    expect(tab.locator("#uploads .doc")).to_have_count(4)
    tab.reload()
    expect(tab.locator("#uploads .doc >> nth=0")).to_be_visible()
    expect(tab.locator("#uploads .doc")).to_have_count(0)
    expect(tab.locator("#documents h2")).to_have_text(f"Library · {added + 4} documents")


def test_adding_files_can_be_cancelled_and_says_how_many_are_left(site: Any, tmp_path: Path) -> None:
    fakes = Fakes([], pace=0.1)
    tab = site(fakes).tab()
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text(name)
    tab.set_input_files("#upload input[type=file]", [tmp_path / name for name in ("a.txt", "b.txt", "c.txt")])
    expect(tab.locator("#uploads h2")).to_have_text("Adding · 3 left")
    expect(tab.locator("#uploads .doc >> nth=0")).to_contain_text("12 of 61 passages")
    expect(tab.locator("#uploads h2")).to_have_text("Adding · 2 left")
    tab.click("[data-cancel]")
    expect(tab.locator("#uploads .doc")).to_have_count(0)
    expect(tab.locator("#documents .doc")).to_have_count(1)
    time.sleep(1)
    assert [each.source for each in fakes.library] == ["a.txt"]


def test_what_is_deleted_can_be_taken_back_for_a_moment(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ui_removal, "UNDO_S", 60)
    fakes = Fakes(LIBRARY)
    tab = site(fakes).tab()
    tab.hover("#documents .doc >> nth=1")
    tab.click("[data-forget='2']")
    expect(tab.locator("#documents .doc")).to_have_count(4)
    expect(tab.locator("#undo")).to_contain_text("Deleted: Warranty 2026.html")
    tab.click("#undo button")
    expect(tab.locator("#documents .doc")).to_have_count(5)
    expect(tab.locator("#undo .undo")).to_have_count(0)
    monkeypatch.setattr(ui_removal, "UNDO_S", 0.5)
    tab.hover("#documents .doc >> nth=1")
    tab.click("[data-forget='2']")
    expect(tab.locator("#undo .undo")).to_have_count(0)
    expect(tab.locator("#documents .doc")).to_have_count(4)
    assert fakes.left([1, 3, 4, 5])


def test_a_failed_delete_says_why_and_the_document_is_there_again(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ui_removal, "UNDO_S", 0.5)
    tab = site().tab()
    tab.hover("#documents .doc >> nth=2")
    tab.click("[data-forget='3']")
    expect(tab.locator("#documents .doc")).to_have_count(4)
    expect(tab.locator("#documents [role=alert]")).to_contain_text("being written by another program")
    expect(tab.locator("#documents .doc")).to_have_count(5)


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (ModelError("The model server does not answer. Start it."), "The model server does not answer. Start it."),
        (ZeroDivisionError("secret detail"), "Something went wrong on this machine."),
    ],
)
def test_an_error_is_a_sentence_and_never_a_trace(site: Any, error: Exception, shown: str) -> None:
    fakes = Fakes(LIBRARY)
    fakes.error = error
    tab = site(fakes).tab()
    ask(tab)
    expect(tab.locator("#answer [role=alert]")).to_contain_text(shown)
    expect(tab.locator("#ask-button")).to_be_visible()
    assert isinstance(error, RagError) or "secret" not in tab.inner_text("body")
    fakes.error = None
    ask(tab, "Again?")
    expect(tab.locator("#answer .meta")).to_be_visible()


def test_hostile_text_stays_text_and_nothing_is_fetched_from_elsewhere(site: Any) -> None:
    fakes = Fakes(LIBRARY)
    fakes.sources = (citation(1, HOSTILE, 1, HOSTILE, 0.5), citation(2, "b", 2, "${1+1} {{7*7}} </mark>", 0.4))
    fakes.sentences = (Sentence(f"{HOSTILE} says it. ", (1,)), Sentence("${1+1} {{7*7}} `tick`", ()))
    running = site(fakes)
    tab = running.tab()
    ask(tab, HOSTILE)
    expect(tab.locator("#answer .meta")).to_be_visible()
    expect(tab.locator("#answer .un")).to_have_text("${1+1} {{7*7}} `tick`")
    expect(tab.locator("#proof mark")).to_contain_text("<script>window.pwned=1</script>")
    tab.click("#answer .n >> nth=0")
    assert tab.evaluate("window.pwned") is None
    assert tab.locator("#app img, #app script").count() == 0
    assert "\u202e" not in tab.inner_text("body")
    local = (running.address, "data:", "blob:")
    assert running.requests
    assert [url for url in running.requests if not url.startswith(local)] == []


def test_two_tabs_share_no_conversation(site: Any) -> None:
    fakes = Fakes(LIBRARY)
    running = site(fakes)
    first, second = running.tab(), running.tab()
    ask(first)
    expect(first.locator("#answer .meta")).to_be_visible()
    ask(second, "Something else?")
    expect(second.locator("#answer .meta")).to_be_visible()
    assert QUESTION not in second.inner_text("#talk")
    assert "Something else?" not in first.inner_text("#talk")
    assert fakes.history == [[], []]
    first.click("#new-chat")
    expect(first.locator("#thread")).to_contain_text("What would you like to know?")
    expect(first.locator("#sources .src")).to_have_count(0)
    expect(second.locator("#answer .meta")).to_be_visible()


def test_a_question_waits_while_the_model_loads(site: Any) -> None:
    fakes = Fakes(LIBRARY)
    fakes.state = Progress("Fetching the chat model", 50_000_000, 200_000_000, "B")
    tab = site(fakes).tab()
    expect(tab.locator("#status [role=progressbar]")).to_have_attribute("aria-valuenow", "25")
    ask(tab)
    expect(tab.locator("#answer .phase")).to_contain_text("waits for the model: Fetching the chat model 50 of 200 MB")
    assert fakes.history == []
    fakes.state = None
    expect(tab.locator("#answer .meta")).to_be_visible()
    expect(tab.locator("#status .status")).to_have_count(0)
    fakes.state = "weights are altered; delete them"
    ask(tab, "More?")
    expect(tab.locator("#answer [role=alert]")).to_have_text("weights are altered; delete them")


def test_a_starter_question_is_asked(site: Any) -> None:
    tab = site(Fakes(LIBRARY), starters=("First?", "Second?")).tab()
    tab.click("[data-starter='1']")
    expect(tab.locator("#answer .q")).to_have_text("Second?")
    expect(tab.locator("#answer .meta")).to_be_visible()


def test_a_starter_asks_a_document_about_one_of_its_headings(site: Any) -> None:
    fakes = Fakes(LIBRARY)
    fakes.topics = [("Warranty 2026.html", "How long it runs")]
    tab = site(fakes).tab()
    tab.click("[data-starter]")
    expect(tab.locator("#answer .q")).to_have_text("What does Warranty 2026.html say about “How long it runs”?")
    expect(tab.locator("#answer .meta")).to_be_visible()


def test_the_arrows_walk_from_number_to_number_and_open_each(site: Any) -> None:
    tab = site(Fakes(LIBRARY, pace=0.003)).tab()
    ask(tab)
    expect(tab.locator("#ask-button")).to_be_visible()
    numbers = tab.locator("#answer .n")
    expect(numbers).to_have_count(4)
    numbers.nth(1).focus()
    tab.keyboard.press("ArrowRight")
    expect(numbers.nth(2)).to_be_focused()
    expect(tab.locator("#proof header")).to_contain_text("Warranty 2026.html")
    tab.keyboard.press("ArrowRight")
    expect(tab.locator("#proof header")).to_contain_text("service/calls 2025.csv")
    tab.keyboard.press("ArrowLeft")
    expect(tab.locator("#proof header")).to_contain_text("Warranty 2026.html")
    expect(numbers.nth(2)).to_be_focused()


def test_the_arrows_are_followed_however_fast_they_are(site: Any) -> None:
    fakes = Fakes(LIBRARY, pace=0.003)
    fakes.drawing_s = 0.5
    tab = site(fakes).tab()
    ask(tab)
    expect(tab.locator("#ask-button")).to_be_visible()
    numbers = tab.locator("#answer .n")
    expect(numbers).to_have_count(4)
    numbers.nth(0).focus()
    for _ in range(3):
        tab.keyboard.press("ArrowRight")
    expect(tab.locator("#proof header")).to_contain_text("service/calls 2025.csv")
    expect(numbers.nth(3)).to_have_attribute("aria-pressed", "true")
    tab.wait_for_timeout(1500)  # what was overtaken is not drawn when it comes
    expect(tab.locator("#proof header")).to_contain_text("service/calls 2025.csv")
    expect(numbers.nth(3)).to_be_focused()


class Checking(Fakes):
    """Takes as long as the test wants to check what was written."""

    def __init__(self) -> None:
        super().__init__(LIBRARY, pace=0.003)
        self.checked = threading.Event()

    def ask(self, *asked: Any) -> Iterator[AnswerEvent]:
        for event in super().ask(*asked):
            if isinstance(event, Answer):
                self.checked.wait(60)
            yield event


def test_a_number_keeps_the_focus_when_the_answer_is_drawn_as_checked(site: Any) -> None:
    fakes = Checking()
    fakes.sentences = (Sentence("A receipt for the descaler is needed. ", ()), *SENTENCES[:3])
    tab = site(fakes).tab()
    ask(tab)
    numbers = tab.locator("#answer .n")
    expect(numbers).to_have_text(["1", "2", "3"])
    numbers.nth(1).focus()
    tab.keyboard.press("ArrowLeft")
    expect(numbers.nth(0)).to_be_focused()
    assert tab.locator("#answer .un").count() == 0
    fakes.checked.set()
    expect(tab.locator("#answer .un")).to_be_visible()  # where the number stood before
    expect(numbers).to_have_text(["1", "1", "2", "3"])
    expect(numbers.nth(0)).to_be_focused()
    for _ in range(3):
        tab.keyboard.press("ArrowRight")
    expect(tab.locator("#proof header")).to_contain_text("service/calls 2025.csv")
    expect(numbers.nth(3)).to_be_focused()


def recorded(path: Path, seconds: int) -> Path:
    """A recording of nothing."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 16_000 * seconds))
    return path


def test_a_citation_of_a_recording_leads_to_the_moment_and_plays_it_when_asked(site: Any, tmp_path: Path) -> None:
    fakes = Fakes(LIBRARY, pace=0.003)
    fakes.sources = (citation(1, "Service call.wav", 2, CITED, 0.8), *fakes.sources[1:])
    fakes.recording, fakes.file = Recording(41.5, "audio/wav"), recorded(tmp_path / "Service call.wav", 60)
    tab = site(fakes).tab()
    parts: list[tuple[int, str]] = []
    tab.on("response", lambda reply: "/original/" in reply.url and parts.append((reply.status, reply.url)))
    ask(tab)
    player = tab.locator("#proof audio")
    expect(player).to_have_attribute("aria-label", "Recording Service call.wav, at 0:41, where the passage is heard")
    tab.wait_for_function("() => document.querySelector('#proof audio').readyState >= 1")
    tab.wait_for_function("() => Math.abs(document.querySelector('#proof audio').currentTime - 41.5) < 0.1")
    tab.wait_for_function("() => !document.querySelector('#proof audio').seeking")  # which it says it is from the start
    assert player.evaluate("audio => [audio.paused, audio.controls, Math.round(audio.duration)]") == [True, True, 60]
    assert parts and {status for status, _ in parts} == {206}
    assert parts[0][1].startswith(tab.url)
    expect(tab.locator("#proof mark")).to_have_text(CITED)
    above, below = player.bounding_box(), tab.locator("#proof mark").bounding_box()
    assert above["y"] + above["height"] <= below["y"]

    player.evaluate("audio => { audio.currentTime = 5; }")
    tab.focus("#proof [data-seek]")
    tab.keyboard.press("Enter")
    tab.wait_for_function("() => document.querySelector('#proof audio').currentTime > 41.5")
    assert player.evaluate("audio => audio.paused") is False
    expect(tab.locator("#proof .player [role=alert]")).to_be_hidden()

    fakes.file = tmp_path / "gone.wav"
    tab.click("#sources .src >> nth=1")
    expect(player).to_have_count(0)
    tab.click("#sources .src >> nth=0")
    expect(tab.locator("#proof .player [role=alert]")).to_contain_text("does not play recordings of this kind")


def test_the_footer_of_an_answer_says_what_its_figures_are(site: Any) -> None:
    tab = site(Fakes(LIBRARY, pace=0.003)).tab()
    ask(tab)
    expect(tab.locator("#ask-button")).to_be_visible()
    expect(tab.locator("#answer .meta li").first).to_be_hidden()
    tab.focus("#answer .meta summary")
    tab.keyboard.press("Enter")
    expect(tab.locator("#answer .meta")).to_contain_text("3.1 GB memory: the most memory that Footnote has taken")
    assert "Check it before" in tab.get_attribute("#answer .un", "title")


def test_on_a_phone_the_proof_is_a_sheet_and_nothing_scrolls_sideways(site: Any) -> None:
    tab = site().tab(390, 844)
    assert not tab.is_visible("#documents")
    tab.click("#library-toggle")
    assert tab.is_visible("#documents")
    tab.click("#library-toggle")
    ask(tab)
    expect(tab.locator("#answer .meta")).to_be_visible()
    assert not tab.is_visible("#proof")
    tab.click("#answer .n >> nth=0")
    expect(tab.locator("#proof mark")).to_be_visible()
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tab.keyboard.press("Escape")
    expect(tab.locator("#proof")).to_be_hidden()


def test_on_a_phone_a_page_fits_the_sheet_and_is_enlarged_inside_it(site: Any) -> None:
    fakes = Fakes(LIBRARY)
    pictured(fakes)
    tab = site(fakes).tab(390, 844)
    ask(tab)
    expect(tab.locator("#answer .meta")).to_be_visible()
    tab.click("#answer .n >> nth=0")
    expect(tab.locator("#proof .leaf img")).to_be_visible()
    expect(tab.locator("#proof .marks i").first).to_be_in_viewport()
    assert tab.locator("#proof .leaf img").bounding_box()["width"] <= 390
    tab.click("#enlarge")
    assert tab.locator("#proof .leaf img").bounding_box()["width"] > 700
    expect(tab.locator("#proof .marks i").first).to_be_in_viewport()
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_only_the_service_is_open_to_programs(site: Any) -> None:
    info = site().blocks.get_api_info()
    assert sorted(info["named_endpoints"]) == ["/ask", "/delete", "/documents", "/ingest", "/search"]
    assert info["unnamed_endpoints"] == {}
