"""axe-core looks at every view of the page, light and dark: no serious and no critical violation."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from page_fakes import CITED, LIBRARY, QUESTION, Fakes, citation, document
from playwright.sync_api import expect
from test_browser_page import Site, ask, browser, pictured, recorded, site  # noqa: F401  (the fixtures)

from rag import ui_removal
from rag.config import Settings
from rag.errors import ModelError
from rag.types import Progress, Recording

pytestmark = pytest.mark.browser

AXE = "axe-core@4.14.1"
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
RUN = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
    .filter(each => ['serious', 'critical'].includes(each.impact))
    .map(each => `${each.id} (${each.impact}): ${each.help}: ${each.nodes.map(node => node.html).join(' | ')}`)"""


@pytest.fixture(scope="module")
def axe(settings: Settings) -> str:
    """axe-core's one file, from its npm package, kept in the user's cache."""
    kept = settings.cache / "tests" / f"{AXE}.min.js"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.with_suffix(".draft").write_bytes(fetch(kept.parent))
        kept.with_suffix(".draft").rename(kept)
    data = kept.read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        pytest.fail(f"{kept} is not {AXE}; delete it to fetch it again", pytrace=False)
    return data.decode("utf-8")


def fetch(folder: Path) -> bytes:
    """Fetch the package through the user's own npm."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.fail(f"npm is needed to fetch {AXE}; install Node.js", pytrace=False)
    done = subprocess.run(
        [npm, "pack", AXE, "--silent", "--pack-destination", folder], capture_output=True, text=True, timeout=180
    )
    if done.returncode:
        told = (done.stderr or done.stdout).strip().splitlines()[-1:]
        pytest.fail(f"{AXE} could not be fetched with npm: {' '.join(told)}", pytrace=False)
    archive = folder / done.stdout.strip().splitlines()[-1]
    with tarfile.open(archive) as package:
        member = package.extractfile("package/axe.min.js")
        assert member is not None
        data = member.read()
    archive.unlink()
    return data


def answered(tab: Any, question: str = QUESTION) -> None:
    ask(tab, question)
    expect(tab.locator("#answer .q")).to_have_text(question)
    expect(tab.locator("#answer .meta")).to_be_visible()
    expect(tab.locator("#ask-button")).to_be_visible()


def heard(fakes: Fakes, folder: Path) -> None:
    """The last source is a recording, which `talking` opens."""
    fakes.sources = (*fakes.sources[:2], citation(3, "Service call.wav", 2, CITED, 0.4))
    fakes.recording, fakes.file = Recording(41.5, "audio/wav"), recorded(folder / "Service call.wav", 60)


def talking(tab: Any, fakes: Fakes) -> Iterator[str]:
    """The views of a conversation."""
    yield "empty"
    ask(tab)
    expect(tab.locator("#answer .phase")).to_be_visible()
    yield "searching"
    expect(tab.locator("#answer .meta")).to_be_visible()
    expect(tab.locator("#proof .leaf img")).to_be_visible()
    yield "answered"
    tab.click("#sources .src >> nth=2")
    expect(tab.locator("#proof audio")).to_be_visible()
    yield "a recording"
    tab.click("[data-compare]")
    expect(tab.locator("#answer .alone .meta")).to_be_visible()
    tab.click("#settings-open")
    expect(tab.locator("#settings form")).to_be_visible()
    yield "compared, and the settings"
    tab.keyboard.press("Escape")
    fakes.refuse = True
    answered(tab, "Refused?")
    tab.click("[data-edit]")
    expect(tab.locator("#editing .editing")).to_be_visible()
    tab.click("#conversations [data-more]")
    expect(tab.locator("#conversations input")).to_be_visible()
    yield "refused, editing, the conversation unfolded"
    fakes.refuse, fakes.error = False, ModelError("The model server does not answer.")
    tab.click("[data-retry]")
    expect(tab.locator("#answer [role=alert]")).to_be_visible()
    tab.click("#conversations [data-drop]")
    expect(tab.locator("#undo .undo")).to_be_visible()
    yield "deleted"
    fakes.state = Progress("Fetching the chat model", 50_000_000, 200_000_000, "B")
    tab.reload()
    expect(tab.locator("#status [role=progressbar]")).to_be_visible()
    yield "loading"


def browsing(tab: Any, fakes: Fakes) -> Iterator[str]:
    """The Documents view."""
    tab.click("#documents [data-view]")
    expect(tab.locator("#shelf table")).to_be_visible()
    tab.check("[data-pick] >> nth=0")
    tab.click("#shelf [data-open] >> nth=0")
    expect(tab.locator("#proof .reader")).to_be_visible()
    yield "a selection, and a document that is read"
    tab.fill("#look-for", "scan")
    expect(tab.locator("#shelf .why")).to_have_count(1)
    yield "a document that failed"
    tab.fill("#look-for", "nothing")
    expect(tab.locator("#shelf .hint")).to_be_visible()
    yield "nothing found"


def visiting(tab: Any, fakes: Fakes) -> Iterator[str]:
    """What a visitor of a public page sees, with collections to choose from."""
    fakes.library = [replace(LIBRARY[0], collection="visitor"), replace(LIBRARY[1], read_only=True)]
    tab.click("#documents [data-view]")
    expect(tab.locator("#shelf table")).to_be_visible()
    tab.check("[data-pick='2']")
    expect(tab.locator(".bulk")).to_be_visible()
    expect(tab.locator("#look-gather")).to_be_visible()
    tab.click("#leave summary")
    yield "a shared document selected, about to leave"
    tab.click("#shelf [data-view='']")
    tab.click("#scope-toggle")
    expect(tab.locator("#scope-choices fieldset")).to_have_count(2)
    tab.check("#scope-choices [data-choose=document] >> nth=0")
    yield "choosing what is asked"


def on_a_phone(tab: Any, fakes: Fakes) -> Iterator[str]:
    """One column."""
    answered(tab)
    yield "answered"
    tab.click("#answer .n >> nth=0")
    expect(tab.locator("#proof .page")).to_be_attached()
    yield "the sheet"
    tab.keyboard.press("Escape")
    tab.click("#library-toggle")
    yield "the library"
    tab.click("#documents [data-view]")
    expect(tab.locator("#shelf table")).to_be_visible()
    yield "documents"


@pytest.mark.parametrize(
    ("views", "width"),
    [(talking, 1440), (browsing, 1440), (visiting, 1440), (on_a_phone, 390)],
    ids=["talking", "browsing", "visiting", "phone"],
)
def test_no_view_has_a_serious_violation(
    site: Any,  # noqa: F811
    axe: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    views: Any,
    width: int,
) -> None:
    monkeypatch.setattr(ui_removal, "UNDO_S", 60)
    fakes = Fakes([*LIBRARY, *(document(100 + number, f"{number:03}.txt", 1, 2) for number in range(60))], pace=0.01)
    pictured(fakes)
    heard(fakes, tmp_path)
    if views is visiting:
        fakes.apart, fakes.asked = True, ("default", "visitor")
    running: Site = site(fakes, starters=("First?",))
    tab = running.tab(width)
    found = []
    for view in views(tab, fakes):
        for scheme in ("light", "dark"):
            tab.emulate_media(color_scheme=scheme)
            expect(tab.locator("body.dark")).to_have_count(int(scheme == "dark"))
            tab.wait_for_timeout(400)  # colours fade from one to the other
            if not tab.evaluate("'axe' in window"):
                tab.evaluate(axe)
            found += [f"{view}, {scheme}: {each}" for each in tab.evaluate(RUN)]
    assert found == []


def test_axe_finds_what_is_wrong(site: Any, axe: str) -> None:  # noqa: F811
    tab = site(Fakes(LIBRARY)).tab()
    tab.evaluate("document.querySelector('#library').append(document.createElement('button'))")
    tab.evaluate(axe)
    assert any("button-name (critical)" in each for each in tab.evaluate(RUN))
