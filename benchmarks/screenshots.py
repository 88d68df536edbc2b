"""The pictures of the page in docs/screenshots, taken of the real app: python benchmarks/screenshots.py"""

from __future__ import annotations

import argparse
import io
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "screenshots"
SIZES = ((1440, 900), (390, 844))
SCHEMES = ("light", "dark")
LONG = "Which power bases are recalled, and why?"
QUESTION = "What does the code E3 on the display of the K3 mean?"
WITHOUT_ANSWER = "Who won the football cup in 2024?"
PATIENCE = 900_000  # milliseconds; the first start may have to fetch the models


def main() -> None:
    """Start the app on a temporary library, bring the page into each state, and take it in each scheme and size."""
    parser = argparse.ArgumentParser(prog="benchmarks/screenshots.py", description=__doc__)
    parser.add_argument("--out", type=Path, default=PICTURES, metavar="DIR", help="where to put them")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with running_app() as address, sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = chromium.new_page(viewport={"width": 1440, "height": 900}, color_scheme="light")
        tab.set_default_timeout(PATIENCE)
        tab.goto(address)
        for name in states(tab):
            for width, height in SIZES:
                tab.set_viewport_size({"width": width, "height": height})
                if name == "answered":
                    open_proof(tab)
                for scheme in SCHEMES:
                    tab.emulate_media(color_scheme=scheme)
                    expect(tab.locator("body.dark")).to_have_count(int(scheme == "dark"))
                    take(tab, out / f"{name}-{scheme}-{width}.png")
            tab.set_viewport_size({"width": 1440, "height": 900})
        chromium.close()


def take(tab: Any, path: Path) -> None:
    """Take a picture; 256 colours are enough for a page, and make a third of the size."""
    picture = Image.open(io.BytesIO(tab.screenshot(animations="disabled", caret="hide"))).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.name}  {path.stat().st_size // 1000} kB", flush=True)


@contextmanager
def running_app() -> Iterator[str]:
    """The app on a library that goes away with it; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as library:
        app = subprocess.Popen([sys.executable, "app.py", "--port", str(port), "--library", library], cwd=ROOT)
        try:
            while not answers(address):
                if app.poll() is not None:
                    raise SystemExit("the app did not start")
                time.sleep(0.2)
            yield address
        finally:
            app.kill()
            app.wait()


def answers(address: str) -> bool:
    """Whether the page is there."""
    try:
        urllib.request.urlopen(address, timeout=10).close()
    except OSError:
        return False
    return True


def states(tab: Any) -> Iterator[str]:
    """Bring the page into each state to show; yields its name."""
    expect(tab.locator("#documents h2")).to_have_text("Library · 12 documents", timeout=PATIENCE)
    expect(tab.locator("#status .status")).to_have_count(0, timeout=PATIENCE)
    yield "empty"
    ask(tab, LONG)
    tab.wait_for_function("() => (document.querySelector('#answer .writing')?.innerText.length ?? 0) > 40")
    yield "answering"
    finished(tab)
    ask(tab, QUESTION)
    finished(tab)
    yield "answered"
    tab.click("#answer [data-compare]")
    expect(tab.locator("#answer .alone .meta")).to_be_visible(timeout=PATIENCE)
    finished(tab)
    yield "compared"
    tab.click("#settings-open")
    yield "settings"
    tab.select_option("#set-language", "zh")
    expect(tab.locator("html")).to_have_attribute("lang", "zh-Hans")
    tab.keyboard.press("Escape")
    yield "chinese"
    tab.click("#settings-open")
    tab.select_option("#set-language", "en")
    expect(tab.locator("html")).to_have_attribute("lang", "en")
    tab.keyboard.press("Escape")
    tab.click("#documents [data-view]")
    tab.click("#shelf-rows [data-open] >> nth=4")
    expect(tab.locator("#proof .reader")).to_be_visible()
    tab.check("#shelf-rows [data-pick] >> nth=2")
    expect(tab.locator("#shelf-bulk .bulk")).to_be_visible()
    tab.mouse.move(0, 0)
    tab.keyboard.press("Escape")  # on a phone the document's sheet would lie over the list
    yield "documents"
    tab.click("#new-chat")
    expect(tab.locator("#thread .empty")).to_be_visible()
    ask(tab, WITHOUT_ANSWER)
    finished(tab)
    expect(tab.locator("#answer .refuse")).to_be_visible()
    yield "refused"


def open_proof(tab: Any) -> None:
    """Open another passage and then the one that the answer cites first, so that it is in view at this size."""
    tab.click("#answer .n >> nth=0")
    expect(tab.locator("#sources .src.on .n")).to_have_text(tab.inner_text("#answer .n >> nth=0"))
    tab.click("#sources .src:not(.on) >> nth=0")
    expect(tab.locator("#sources .src.on .n")).not_to_have_text(tab.inner_text("#answer .n >> nth=0"))
    tab.click("#answer .n >> nth=0")
    expect(tab.locator("#answer .n.on").first).to_be_visible()
    expect(tab.locator("#sources .src.on .n")).to_have_text(tab.inner_text("#answer .n >> nth=0"))
    tab.mouse.move(0, 0)
    tab.wait_for_timeout(1000)


def ask(tab: Any, question: str) -> None:
    """Ask as a person does."""
    tab.fill("#ask-box textarea", question)
    tab.click("#ask-button")
    expect(tab.locator("#answer .q")).to_have_text(question)


def finished(tab: Any) -> None:
    """Wait for the end of the answer and of all movement."""
    expect(tab.locator("#answer .meta").last).to_be_visible(timeout=PATIENCE)
    expect(tab.locator("#ask-button")).to_be_visible()
    tab.mouse.move(0, 0)
    tab.wait_for_timeout(500)


if __name__ == "__main__":
    main()
