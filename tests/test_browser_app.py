"""The whole product as a person meets it: `python app.py`, the real models, a real browser, one library."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_process import ROOT, AppProcess
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import expect
from speech_files import recording, silence, speak
from test_browser_page import ask, browser  # noqa: F401  (the fixture)

from benchmarks.marks import squeezed, text_under
from rag.types import Mark

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SAMPLES = sorted(path.name for path in (ROOT / "sample_docs").iterdir())
PAGE_S = 10.0
SOON = 30_000  # milliseconds for the page to show what it already knows, on a machine that is busy
ANSWER = 240_000  # for a whole answer, and for loading the models
MODELS = 900_000  # where they must be fetched first

WARRANTY = "How long is the concealed heating element covered by the warranty?"
RECALL = "Which power bases are recalled, and why?"
LIGHTHOUSE = (
    "The lamp of the Veldmoor lighthouse weighs 4,713 kilograms. It was lit for the first time on 3 May 1887.\n"
)
CODE = "What does the code E3 on the display of the K3 mean?"
LIGHTHOUSE_ASKED = "How much does the lamp of the Veldmoor lighthouse weigh?"
ORCHARD = "The orchard of Quillbeck grows 212 medlar trees. Its gate is painted violet every second spring.\n"
ORCHARD_ASKED = "How many medlar trees does the orchard of Quillbeck grow?"

SAID = ("Keep the receipt in a safe place.", "Call the boiler inspector on Monday morning.")
SAID_ASKED = "When should the boiler inspector be called?"
WRITTEN = ("The harbour lamp was lit at dusk.", "It burned for seven hours.", "Nobody saw the boat return.")
WRITTEN_ASKED = "For how many hours did the harbour lamp burn?"

# What a page says of itself that is reloaded while it waits for an event
CUT_SHORT = r"AbortError: signal is aborted|(Error: |Unexpected error )?Connection errored out"

Open = Callable[[AppProcess], Any]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    process = AppProcess(tmp_path_factory.mktemp("app") / "library")
    yield process
    process.kill()
    print(process.written("stderr"))


@pytest.fixture
def open_tab(browser: Any) -> Iterator[Open]:  # noqa: F811
    """Opens an app in a fresh browser profile. Whatever the tab asked another machine for, or complained of, fails."""
    contexts, requests, complaints = [], [], []

    def open_app(running: AppProcess) -> Any:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        contexts.append(context)
        context.set_default_timeout(SOON)
        context.on("request", lambda request: requests.append(request.url))
        context.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        tab = context.new_page()
        tab.goto(running.address)
        assert requests
        expect(tab.locator("#documents h2")).to_be_visible(timeout=SOON)
        return tab

    yield open_app
    for context in contexts:
        context.close()
    assert [url for url in requests if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))] == []
    assert [each for each in complaints if not re.match(CUT_SHORT, each)] == []


@pytest.fixture
def tab(app: AppProcess, open_tab: Open) -> Any:
    """The app with its models loaded and the sample library in it."""
    app.wait_for_page()
    tab = open_tab(app)
    expect(documents(tab, SAMPLES[-1])).to_be_visible(timeout=MODELS)
    expect(tab.locator("#status .status")).to_have_count(0, timeout=MODELS)
    return tab


def documents(tab: Any, name: str) -> Any:
    return tab.locator("#documents .doc", has_text=name)


def answered(tab: Any, question: str) -> str:
    """Ask, wait for the end of the answer, and return it as it can be read."""
    ask(tab, question)
    expect(tab.locator("#answer .q")).to_have_text(question, timeout=SOON)
    expect(tab.locator("#answer .meta")).to_be_visible(timeout=ANSWER)
    expect(tab.locator("#ask-button")).to_be_visible()
    return str(tab.inner_text("#answer .a"))


def grown(tab: Any) -> int:
    """Wait until more text stands in the answer than now; returns how many characters it is."""
    length = len(tab.inner_text("#answer .a"))
    tab.wait_for_function(
        "before => document.querySelector('#answer .a').innerText.length > before", arg=length, timeout=ANSWER
    )
    return len(tab.inner_text("#answer .a"))


def test_the_page_is_there_while_the_library_and_the_models_load(app: AppProcess, open_tab: Open) -> None:
    assert app.wait_for_page() < PAGE_S
    tab = open_tab(app)
    expect(tab.locator("#status .status")).to_contain_text(re.compile("Starting|Indexing|Loading|Fetching"))
    expect(tab.locator("#status [role=progressbar]")).to_be_visible()
    assert "Ready." not in app.written("stdout")
    expect(tab.locator("#documents h2")).to_have_text(f"Library · {len(SAMPLES)} documents", timeout=MODELS)
    for name in SAMPLES:
        expect(documents(tab, name)).to_contain_text("ready")
    expect(tab.locator("#status .status")).to_have_count(0, timeout=MODELS)
    assert re.search(r"^(Indexing|Loading) ", app.written("stderr"), re.MULTILINE)
    assert "Ready." in app.written("stdout")


def test_an_answer_streams_and_each_number_opens_its_proof(tab: Any) -> None:
    ask(tab, RECALL)
    expect(tab.locator("#sources .src").first).to_be_visible(timeout=ANSWER)
    expect(tab.locator("#answer .writing")).to_be_visible(timeout=ANSWER)
    first = grown(tab)
    assert grown(tab) > first
    expect(tab.locator("#answer .meta")).to_be_visible(timeout=ANSWER)
    assert re.search("relay|overheat|fire", tab.inner_text("#answer .a"))
    tab.click("#answer .n >> nth=0")
    expect(tab.locator("#proof header")).to_contain_text("recall-notice.html")
    expect(tab.locator("#sources .src.on")).to_have_count(1)

    assert re.search(r"\b(5|five) years", answered(tab, WARRANTY))
    expect(tab.locator("#sources .src", has_text="warranty-terms.md").first).to_be_visible()
    expect(tab.locator("#sources .src small").first).to_have_text(re.compile(r"(p\. \w+ · )?-?\d\.\d\d$"))
    tab.click("#answer .n >> nth=0")
    expect(tab.locator("#proof header")).to_contain_text("warranty-terms.md")
    expect(tab.locator("#proof mark")).to_contain_text("The concealed heating element is covered for 5 years")


def test_a_page_number_stands_by_what_has_pages_and_a_follow_up_is_understood(tab: Any) -> None:
    assert "contacts" in answered(tab, "What does the code E3 on the display of the K3 mean?")
    expect(tab.locator("#sources .src small").first).to_contain_text("p. ")
    expect(tab.locator("#proof header")).to_contain_text("k3-manual-2026.pdf")
    expect(tab.locator("#proof header")).to_contain_text(re.compile(r"page \w+ \(\d+ of \d+\)"))
    expect(tab.locator("#proof .leaf img")).to_be_visible()
    assert tab.locator("#proof .leaf img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 1000
    expect(tab.locator("#proof .marks i").first).to_be_visible()
    expect(tab.locator("#proof mark")).to_contain_text("Kettle not seated on the base")
    tab.click("#new-chat")
    assert "27" in answered(tab, "How many days of holiday do full-time staff have?")
    assert re.search("four|4", answered(tab, "How long does their probation last?"))
    expect(tab.locator("#thread .turn")).to_have_count(1)
    expect(tab.locator("#proof header")).to_contain_text("onboarding-handbook.md")


def marks_on(tab: Any, best: bool) -> list[Mark]:
    """The rectangles that are seen on the picture of the page, as shares of it; each lies inside of it."""
    picture = tab.locator("#proof .leaf img").bounding_box()
    marks = []
    for each in tab.locator("#proof .marks .best" if best else "#proof .marks i").all():
        box = each.bounding_box()
        left, top = (box["x"] - picture["x"]) / picture["width"], (box["y"] - picture["y"]) / picture["height"]
        mark = Mark(left, top, box["width"] / picture["width"], box["height"] / picture["height"], best)
        assert mark.left >= -1e-3 and mark.top >= -1e-3 and mark.width > 0 and mark.height > 0
        assert mark.left + mark.width <= 1.001 and mark.top + mark.height <= 1.001
        marks.append(mark)
    return marks


def test_under_the_rectangles_on_the_page_stands_what_is_cited(tab: Any) -> None:
    assert "contacts" in answered(tab, CODE)
    tab.click("#sources .src >> nth=-1")
    tab.click("#answer .n >> nth=0")
    expect(tab.locator("#proof header")).to_contain_text("k3-manual-2026.pdf")
    expect(tab.locator("#proof .marks .best").first).to_be_visible()
    pane = tab.locator("#proof").bounding_box()
    first = tab.locator("#proof .marks i").first.bounding_box()
    assert pane["y"] <= first["y"] <= pane["y"] + pane["height"]  # in view, without scrolling
    page = re.search(r"\((\d+) of \d+\)", tab.inner_text("#proof header"))
    assert page
    data = (ROOT / "sample_docs" / "k3-manual-2026.pdf").read_bytes()
    cited = squeezed(tab.locator("#proof mark").text_content())
    assert text_under(data, int(page[1]) - 1, marks_on(tab, best=False)) == cited
    best = text_under(data, int(page[1]) - 1, marks_on(tab, best=True))
    assert best in cited
    assert re.search("kettlenotseatedonthebase|wipethecontactsdry", best.lower())  # either cell of the row of E3


def test_settings_act_and_the_model_alone_answers_beside_the_documents(tab: Any) -> None:
    tab.click("#settings-open")
    tab.locator("#set-answer_tokens").fill("20")
    tab.locator("#set-sources").fill("1")
    tab.keyboard.press("Escape")
    answered(tab, CODE)
    expect(tab.locator("#sources .src")).to_have_count(1)
    assert len(tab.inner_text("#answer .a").split()) <= 25
    tab.click("[data-compare]")
    alone = tab.locator("#answer .alone")
    expect(alone.locator(".meta")).to_be_visible(timeout=ANSWER)
    expect(alone).to_contain_text("no proof")
    assert 0 < len(alone.locator(".a").inner_text().split()) <= 20
    expect(tab.locator("#ask-button")).to_be_visible()


def test_stop_ends_the_answer_and_the_next_question_works(tab: Any) -> None:
    ask(tab, "Explain everything that the onboarding handbook says about the first weeks, in many sentences.")
    expect(tab.locator("#answer .writing")).to_be_visible(timeout=ANSWER)
    expect(tab.locator("#ask-button")).to_be_hidden()
    tab.click("#stop-button")
    expect(tab.locator("#answer .tag")).to_have_text("stopped")
    expect(tab.locator("#ask-button")).to_be_visible()
    expect(tab.locator("#stop-button")).to_be_hidden()
    kept = tab.inner_text("#answer .a")
    assert kept
    assert re.search(r"\b(5|five) years", answered(tab, WARRANTY))
    assert kept in tab.inner_text("#thread")


def test_an_upload_answers_until_it_is_deleted(tab: Any, tmp_path: Path) -> None:
    note = tmp_path / "veldmoor-lighthouse.txt"
    note.write_text(LIGHTHOUSE, "utf-8")
    tab.set_input_files("#upload input[type=file]", note)
    expect(tab.locator("#uploads .doc")).to_contain_text(re.compile("veldmoor-lighthouse.txt.*(waiting|reading)", re.S))
    expect(documents(tab, note.name)).to_contain_text("ready", timeout=ANSWER)
    expect(tab.locator("#uploads .doc")).to_have_count(0)
    expect(tab.locator("#documents h2")).to_have_text(f"Library · {len(SAMPLES) + 1} documents")

    assert re.search(r"4,?713", answered(tab, LIGHTHOUSE_ASKED))
    tab.click("#answer .n >> nth=0")
    expect(tab.locator("#proof header")).to_contain_text(note.name)
    expect(tab.locator("#proof mark")).to_contain_text("4,713 kilograms")

    documents(tab, note.name).hover()
    documents(tab, note.name).locator("[data-forget]").click()
    expect(documents(tab, note.name)).to_have_count(0)
    expect(tab.locator("#undo .undo")).to_have_count(0, timeout=SOON)
    tab.wait_for_timeout(2000)  # it cannot be taken back any more, and is being deleted
    expect(tab.locator("#documents h2")).to_have_text(f"Library · {len(SAMPLES)} documents")
    expect(tab.locator("#proof mark")).to_have_count(0)
    tab.click("#new-chat")
    assert not re.search(r"4,?713", answered(tab, LIGHTHOUSE_ASKED))
    expect(tab.locator("#sources .src", has_text=note.name)).to_have_count(0)


def test_the_next_answer_knows_what_another_process_added(app: AppProcess, tab: Any, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "quillbeck-orchard.md").write_text(ORCHARD, "utf-8")
    assert "212" not in answered(tab, ORCHARD_ASKED)
    ask(tab, WARRANTY)
    ingest = subprocess.run(
        [sys.executable, "ingest.py", str(folder), "--library", str(app.library)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=ANSWER / 1000,
    )
    assert ingest.returncode == 0, ingest.stderr
    expect(tab.locator("#answer .meta")).to_be_visible(timeout=ANSWER)
    assert re.search(r"\b(5|five) years", tab.inner_text("#answer .a"))
    tab.click("#new-chat")
    assert "212" in answered(tab, ORCHARD_ASKED)
    expect(tab.locator("#proof mark")).to_contain_text("212 medlar trees")
    expect(documents(tab, "quillbeck-orchard.md")).to_contain_text("ready")


def written(*lines: str) -> bytes:
    """A picture of 1000 x 400 pixels with a line of text every 90."""
    made = Image.new("RGB", (1000, 400), "white")
    for number, line in enumerate(lines):
        ImageDraw.Draw(made).text((60, 50 + 90 * number), line, "black", ImageFont.load_default(size=44))
    file = io.BytesIO()
    made.save(file, "PNG")
    return file.getvalue()


def test_a_recording_and_a_picture_lead_to_the_moment_and_to_the_line(tab: Any, tmp_path: Path) -> None:
    first, pause = speak(SAID[0]), silence(4)
    sound = np.concatenate([first, pause, speak(SAID[1]), silence(1)])
    (tmp_path / "service.wav").write_bytes(recording(sound, "wav", "pcm_s16le"))
    (tmp_path / "lamp.png").write_bytes(written(*WRITTEN))
    tab.set_input_files("#upload input[type=file]", [tmp_path / "service.wav", tmp_path / "lamp.png"])
    for name in ("service.wav", "lamp.png"):
        expect(documents(tab, name)).to_contain_text("ready", timeout=MODELS)

    assert "Monday" in answered(tab, SAID_ASKED)
    tab.click("#answer .n >> nth=0")
    expect(tab.locator("#proof header")).to_contain_text("service.wav")
    expect(tab.locator("#proof mark strong")).to_contain_text("Monday")
    tab.wait_for_function("() => document.querySelector('#proof audio')?.currentTime > 0")
    moment = tab.locator("#proof audio").evaluate("audio => audio.currentTime")
    begun = len(first) / 16_000
    assert begun < moment < begun + len(pause) / 16_000 + 1  # in the pause, or with the first words after it
    assert tab.locator("#proof audio").evaluate("audio => audio.paused")
    tab.click("#proof [data-seek]")
    tab.wait_for_function("before => document.querySelector('#proof audio').currentTime > before", arg=moment)

    tab.click("#new-chat")
    assert re.search("seven|7", answered(tab, WRITTEN_ASKED))
    tab.click("#answer .n >> nth=0")
    expect(tab.locator("#proof header")).to_contain_text("lamp.png")
    expect(tab.locator("#proof mark strong")).to_have_text(WRITTEN[1])
    assert len(marks_on(tab, best=False)) == 4
    (line,) = marks_on(tab, best=True)
    assert line.top * 400 < 50 + 90 + 30 < (line.top + line.height) * 400  # through the middle of the second line
    assert line.left * 1000 == pytest.approx(60, abs=15)


def test_a_model_server_that_is_down_is_one_message_and_the_library_still_works(open_tab: Open, tmp_path: Path) -> None:
    note = tmp_path / "veldmoor-lighthouse.txt"
    note.write_text(LIGHTHOUSE, "utf-8")
    server = "http://127.0.0.1:9/v1"
    broken = AppProcess(tmp_path / "library", "--no-samples", environment={"RAG_LLM_BASE_URL": server})
    try:
        broken.wait_for_page()
        tab = open_tab(broken)
        expect(tab.locator("#status [role=alert]")).to_contain_text(f"{server} does not answer", timeout=ANSWER)
        tab.set_input_files("#upload input[type=file]", note)
        expect(documents(tab, note.name)).to_contain_text("ready", timeout=ANSWER)
        ask(tab, LIGHTHOUSE_ASKED)
        expect(tab.locator("#answer [role=alert]")).to_contain_text(f"{server} does not answer", timeout=ANSWER)
        expect(tab.locator("#answer [role=alert]")).to_have_count(1)
        expect(tab.locator("#ask-button")).to_be_visible()
        assert "Traceback" not in tab.inner_text("body")
        tab.context.close()  # so that its complaint of the lost connection counts for nothing
        assert "Traceback" not in broken.written("stderr")
    finally:
        broken.kill()


def test_ctrl_c_ends_the_app_quickly_also_while_it_answers(app: AppProcess, tab: Any) -> None:
    """The last test: it ends the app that the others share."""
    ask(tab, RECALL)
    expect(tab.locator("#answer .writing")).to_be_visible(timeout=ANSWER)
    tab.context.close()  # so that its complaint of the lost connection counts for nothing
    status, seconds = app.interrupt()
    assert status == 0
    assert seconds < 3
    assert app.written("stdout").splitlines() == [f"Footnote is at {app.address}/  (Ctrl-C stops it)", "Ready."]
    for noise in ("Traceback", "Warning", "WARNING", "ERROR", "error:"):
        assert noise not in app.written("stderr")


def test_a_conversation_survives_a_restart_of_the_app(app: AppProcess, open_tab: Open) -> None:
    """After the last test: the library that it left, under another app (whose model is never asked)."""
    again = AppProcess(app.library, "--no-samples", environment={"RAG_LLM_BASE_URL": "http://127.0.0.1:9/v1"})
    try:
        again.wait_for_page()
        tab = open_tab(again)
        kept = tab.locator("#conversations .doc", has_text=ORCHARD_ASKED)
        kept.first.locator(".name").click()
        expect(tab.locator("#answer .q")).to_have_text(ORCHARD_ASKED)
        expect(tab.locator("#answer .a")).to_contain_text("212")
        expect(tab.locator("#proof mark")).to_contain_text("212 medlar trees")
        tab.reload()
        expect(tab.locator("#answer .q")).to_have_text(ORCHARD_ASKED)
        tab.context.close()  # so that its complaint of the lost connection counts for nothing
    finally:
        again.kill()
