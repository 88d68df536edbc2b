"""How fast the page is by itself, in headless Chromium over the tests' library and model: python -m benchmarks.page"""

from __future__ import annotations

import argparse
import shutil
import socket
import statistics
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from page_fakes import LIBRARY, Fakes, citation

from rag.types import Sentence
from rag.ui import build_ui, launch_options
from rag.ui_files import Files

TOKENS = 3000
TYPED = "and what about the steel filter"
# When the page can be used: its documents are listed, and the field for a question takes letters
USABLE = """new MutationObserver((_, observer) => {
  if (!document.querySelector('#documents .doc') || !document.querySelector('#ask-box textarea')) return;
  observer.disconnect();
  window.usable = performance.now();
}).observe(document, {childList: true, subtree: true});"""
FIRST = """() => {
  window.first = 0;
  addEventListener('keydown', event => { if (event.key === 'Enter') window.pressed = performance.now(); }, true);
  new MutationObserver((_, observer) => {
    if (!document.querySelector('#answer .phase')) return;
    observer.disconnect();
    window.first = performance.now() - window.pressed;
  }).observe(document.querySelector('#answer'), {childList: true, subtree: true});
}"""
WATCH = """() => {
  const seen = window.seen = {tasks: [], inputs: [], frames: []};
  const watch = (type, act, more) => {
    const observer = new PerformanceObserver(list => list.getEntries().forEach(act));
    observer.observe({type, ...more});
    return observer;
  };
  const watching = [
    watch('longtask', entry => seen.tasks.push(entry.duration)),
    watch('event', entry => entry.name === 'keydown' && seen.inputs.push(entry.duration), {durationThreshold: 16}),
  ];
  let last = performance.now(), on = true;
  const frame = now => { seen.frames.push(now - last); last = now; if (on) requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
  window.ended = () => { on = false; watching.forEach(each => each.disconnect()); return seen; };
}"""


def main() -> None:
    """Print the figures of the README's section on the page."""
    parser = argparse.ArgumentParser(prog="benchmarks/page.py", description=__doc__)
    parser.add_argument("--tokens", type=int, default=TOKENS, help=f"length of the long answer ({TOKENS})")
    parser.add_argument("--pace", type=float, default=0.01, help="seconds between its tokens (0.01)")
    options = parser.parse_args()
    fakes = Fakes(LIBRARY, pace=0.001)
    address, blocks = serve(fakes)
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = chromium.new_page(viewport={"width": 1440, "height": 900})
        tab.set_default_timeout(120_000)
        tab.add_init_script(USABLE)
        tell("usable after", "ms", [opened(tab, address) for _ in range(6)][1:], 2000)
        tell("first event after Enter", "ms", [first_event(tab, address) for _ in range(5)], 300)
        fakes.pace, fakes.sentences, fakes.sources = (
            options.pace,
            long_answer(options.tokens),
            (citation(1, "a", 1, "b", 1),),
        )
        tab.goto(address)
        expect(tab.locator("#documents .doc").first).to_be_visible()
        ask(tab)
        expect(tab.locator("#answer .writing")).to_be_visible(timeout=60_000)
        print(f"while {options.tokens:,} tokens are written: {used(tab)}", flush=True)
        expect(tab.locator("#answer .meta")).to_be_visible(timeout=900_000)
        print(f"when they stand there: {used(tab)}", flush=True)
        chromium.close()
    blocks.close(verbose=False)


def serve(fakes: Fakes) -> tuple[str, Any]:
    """The page over the fakes; its address."""
    files = Files()
    blocks = build_ui(fakes.actions(), files)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    blocks.launch(
        server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True, **launch_options(files)
    )
    return f"http://127.0.0.1:{port}", blocks


def tell(what: str, unit: str, figures: list[float], goal: float) -> None:
    """The median of some runs, and the worst."""
    median = statistics.median(figures)
    print(
        f"{what}: {median:.0f} {unit} (worst of {len(figures)}: {max(figures):.0f}; goal: under {goal:.0f})", flush=True
    )


def opened(tab: Any, address: str) -> float:
    """Milliseconds from the address to a page that can be used."""
    tab.goto(address)
    tab.wait_for_function("() => window.usable")
    return float(tab.evaluate("window.usable"))


def first_event(tab: Any, address: str) -> float:
    """Milliseconds from Enter to the first thing that is seen of an answer."""
    tab.goto(address)
    expect(tab.locator("#documents .doc").first).to_be_visible()
    tab.click("#new-chat")
    expect(tab.locator("#thread .empty")).to_be_visible()
    tab.evaluate(FIRST)
    ask(tab)
    tab.wait_for_function("() => window.first")
    expect(tab.locator("#answer .meta")).to_be_visible()
    return float(tab.evaluate("window.first"))


def ask(tab: Any) -> None:
    """Ask with the Enter key."""
    tab.fill("#ask-box textarea", "How often should it be descaled?")
    tab.press("#ask-box textarea", "Enter")


def used(tab: Any) -> str:
    """Type and scroll for some seconds; what came of it, in words."""
    tab.fill("#ask-box textarea", "")
    tab.evaluate(WATCH)
    for letter in TYPED:
        tab.keyboard.type(letter)
        tab.mouse.move(700, 400)
        tab.mouse.wheel(0, -120 if letter in "aeiou " else 60)
        tab.wait_for_timeout(60)
    seen = tab.evaluate("window.ended()")
    lost = len(TYPED) - len(tab.input_value("#ask-box textarea"))
    inputs, tasks, frames = ([*seen[name], 0.0] for name in ("inputs", "tasks", "frames"))
    return (
        f"{lost} of {len(TYPED)} letters lost, slowest {max(inputs):.0f} ms; {len(tasks) - 1} tasks over 50 ms, "
        f"longest {max(tasks):.0f} ms; {len(frames) - 1} frames, longest {max(frames):.0f} ms"
    )


def long_answer(tokens: int) -> list[Sentence]:
    """An answer of so many tokens of the fakes, each four characters long; some of its sentences cite."""
    text = "The kettle is descaled every sixty days where the water is hard and every hundred and twenty elsewhere. "
    count = max(1, tokens * 4 // len(text))
    return [Sentence(text + ("\n\n" if at % 6 == 5 else ""), (1,) if at % 3 else ()) for at in range(count)]


if __name__ == "__main__":
    main()
