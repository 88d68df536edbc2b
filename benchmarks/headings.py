"""What headings over chunks bring to a search: python -m benchmarks.headings [--documents 12]

Makes documents whose chunks need their headings: each tells in long sections, alike but for their figures, of one
machine that only its title names, and of one subject that only a heading names. They are read once as Markdown, whose
headings are known, and once as plain text of the same characters. For each question the rank of the passage that
holds the answer is taken.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from rag.config import load_settings
from rag.library import Library
from rag.terminal import Terminal
from rag.types import FileReport

DEPTH = 10
# fmt: off
MACHINES = (
    "Heron", "Kestrel", "Magpie", "Osprey", "Plover", "Raven", "Siskin", "Teal", "Wagtail", "Avocet", "Bittern",
    "Curlew",
)
SUBJECTS = {  # heading: what is asked of it; neither is said in the section
    "Disposal": "How many hours must the {} stand before you dispose of it?",
    "Storage in winter": "How many hours must the {} stand before winter storage?",
    "Replacing the battery": "How many hours must the {} stand before its battery is replaced?",
}
# fmt: on
STEPS = (
    "Open the lid and look at the seal: if it is cracked or has come loose, order another before going on.",
    "Wipe the inside with a dry cloth, and never with anything that has been in contact with oil or grease.",
    "Loosen the four screws of the base by a quarter turn each, going around twice rather than all at once.",
    "Lay the parts on a clean towel in the order in which they came off, the longer screws to the left.",
    "Check that the lamp on the front stays dark; should it blink, wait for a minute and begin once more.",
    "Write down the number on the plate underneath, which the service will ask for when you call them.",
    "Keep children and pets away while the lid is open, since the spring beneath it may still be tight.",
    "Do not use force: whatever does not come off by hand is held by a clip that can be pushed aside.",
)


def main() -> int:
    """Print how often the answer came first, and among the first five, with headings and without."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.headings", description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=len(MACHINES), help=f"at most {len(MACHINES)}, the default")
    options = parser.parse_args()
    machines = MACHINES[: options.documents]
    print(f"{'headings':<10}{'questions':>10}{'first':>8}{'among 5':>9}")
    for name, suffix in (("known", ".md"), ("unknown", ".txt")):
        with tempfile.TemporaryDirectory() as folder, Terminal() as terminal:
            write_documents(Path(folder, "docs"), machines, suffix)
            library = Library(load_settings(library=Path(folder, "library")), terminal.progress)
            for event in library.ingest([Path(folder, "docs")]):
                if isinstance(event, FileReport):
                    assert event.state == "added", event
            ranks = [
                rank(library, question.format(machine), answer(number, index))
                for number, machine in enumerate(machines)
                for index, question in enumerate(SUBJECTS.values())
            ]
        first, five = (sum(found <= most for found in ranks) for most in (1, 5))
        print(f"{name:<10}{len(ranks):>10}{first:>8}{five:>9}", flush=True)
    return 0


def write_documents(folder: Path, machines: tuple[str, ...], suffix: str) -> None:
    """A manual a machine, under names that do not say whose it is."""
    folder.mkdir()
    for number, machine in enumerate(machines):
        lines = [f"# The {machine}", "What to know before you begin. " * 70]
        for index, heading in enumerate(SUBJECTS):
            steps = [STEPS[(at * 3 + number + index) % len(STEPS)] for at in range(16)]
            lines += [f"## {heading}", *steps[:12], answer(number, index), *steps[12:]]
        Path(folder, f"{number + 1}{suffix}").write_text("\n\n".join(lines))


def answer(number: int, index: int) -> str:
    """What a section says, and no other."""
    return f"Let it stand for {20 + 3 * number + index} hours before anything else is done."


def rank(library: Library, question: str, told: str) -> int:
    """At which place the passage that tells it is found; one more than are looked at where it is not."""
    found = library.search(question, DEPTH)
    return next((hit.number for hit in found if told in hit.text), DEPTH + 1)


if __name__ == "__main__":
    raise SystemExit(main())
