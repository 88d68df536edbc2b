"""What comes out of real files of every format, against what must: python benchmarks/formats.py DIR [--expect text]

DIR/manifest.jsonl has a row for each file: "file", "ext", "expect" (text, ocr, speech, empty, password-error,
unsupported-error, any) and, of what must come out, "must_include" and "must_not_include" (strings) and "expected_file"
(a text). Strings are compared after NFKC, white space as one space, capitals as small letters. Word recall is the share
of the expected text's words, each as often as it is there, that came out; what stands in <!-- --> is none of them.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import unicodedata
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.documents import Document

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from rag.config import load_settings  # noqa: E402
from rag.errors import DocumentError  # noqa: E402
from rag.parsing import ParserPool  # noqa: E402
from rag.speech import SpeechModel  # noqa: E402

MAX_BYTES = 100 * 2**20
RECALL = 0.85  # of a text row's words at least
_READ = frozenset(("text", "ocr", "speech"))
_STATES = {"password": "password-error", "unsupported": "unsupported-error"}  # as a manifest calls two outcomes


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one file. `recall` is None where no expected text is known."""

    row: dict[str, Any]
    state: str
    reason: str
    missing: list[str]
    recall: float | None
    seconds: float

    @property
    def right(self) -> bool:
        """Whether the state is the expected one."""
        expected = self.row["expect"]
        return expected == "any" or self.state == ("text" if expected in _READ else expected)


def main() -> int:
    """Measure, print the table and the misses; the exit status says whether the target is met."""
    parser = argparse.ArgumentParser(prog="benchmarks/formats.py", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument(
        "--expect", action="append", help="only the rows that expect this (may be given more than once)"
    )
    options = parser.parse_args()
    rows = [json.loads(line) for line in (options.folder / "manifest.jsonl").read_text("utf-8").splitlines()]
    with closing(ParserPool(timeout=120, memory_mb=2048)) as pool:
        speech = SpeechModel(load_settings())
        results = [
            measure(pool, options.folder, row, speech)
            for row in rows
            if not options.expect or row["expect"] in options.expect
        ]
    show_table(results)
    show_misses(results)
    found, asked = strings(results)
    return 0 if all(result.right for result in results) and found >= 0.97 * asked else 1


def measure(pool: ParserPool, folder: Path, row: dict[str, Any], speech: SpeechModel) -> Result:
    """Read a file and compare."""
    began = time.perf_counter()
    try:
        pages = read(pool, folder / row["file"], speech)
    except DocumentError as error:
        text, reason, state = "", str(error), _STATES.get(error.outcome, error.outcome)
    else:
        text, reason, state = "\n\n".join(page.page_content for page in pages), "", "text"
    seconds = time.perf_counter() - began
    have = plain(text)
    missing = [string for string in row.get("must_include", ()) if plain(string) not in have]
    missing += [f"NOT {string}" for string in row.get("must_not_include", ()) if plain(string) in have]
    recall = None
    if "expected_file" in row:
        expected = words(
            re.sub(r"<!--.*?-->", " ", (folder / row["expected_file"]).read_text("utf-8"), flags=re.DOTALL)
        )
        recall = (expected & words(text)).total() / max(1, expected.total())
    return Result(row, state, reason, missing, recall, seconds)


def read(pool: ParserPool, path: Path, speech: SpeechModel) -> list[Document]:
    """The pages of a file, by a worker."""
    events = pool.load_documents(path, path.name, max_bytes=MAX_BYTES, speech=speech)
    while True:
        try:
            next(events)
        except StopIteration as end:
            pages: list[Document] = end.value
            return pages


def plain(text: str) -> str:
    """The text as it is compared."""
    return " ".join(unicodedata.normalize("NFKC", text).split()).casefold()


def words(text: str) -> Counter[str]:
    """The words of a text, and how often each is there; an underscore is none of a word's letters."""
    return Counter(re.findall(r"[^\W_]+", plain(text)))


def strings(results: list[Result]) -> tuple[int, int]:
    """How many strings were found, and how many were asked for."""
    asked = sum(
        len(result.row.get("must_include", ())) + len(result.row.get("must_not_include", ())) for result in results
    )
    return asked - sum(len(result.missing) for result in results), asked


def show_table(results: list[Result]) -> None:
    """A line for each format and expectation, and one for all that expect text."""
    groups: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        groups[result.row["ext"], result.row["expect"]].append(result)
    print(
        f"{'format':<8}{'expected':<20}{'files':>6}{'states':>9}{'strings':>9}{'recall':>8}{'>=0.85':>9}{'seconds':>9}"
    )
    for (ext, expected), group in sorted(groups.items(), key=lambda item: (item[0][1] != "text", item[0])):
        show_line(ext, expected, group)
    show_line("all", "text", [result for result in results if result.row["expect"] == "text"])
    show_line("all", "everything", results)


def show_line(ext: str, expected: str, group: list[Result]) -> None:
    """Files, states right, strings found, mean word recall, files with enough of it, and seconds of a group."""
    found, asked = strings(group)
    recalls = [result.recall for result in group if result.recall is not None]
    mean = f"{sum(recalls) / len(recalls):.3f}" if recalls else ""
    enough = f"{sum(recall >= RECALL for recall in recalls)}/{len(recalls)}" if recalls else ""
    states = f"{sum(result.right for result in group)}/{len(group)}"
    said = f"{found}/{asked}" if asked else ""
    seconds = sum(result.seconds for result in group)
    print(f"{ext:<8}{expected:<20}{len(group):>6}{states:>9}{said:>9}{mean:>8}{enough:>9}{seconds:>9.2f}")


def show_misses(results: list[Result]) -> None:
    """What is not as it must be, file by file."""
    for result in results:
        name = result.row["file"]
        if not result.right:
            print(f"{name}: {result.state} instead of {result.row['expect']} ({result.reason})")
        elif result.state == "text":
            for string in result.missing:
                print(f"{name}: lacks {string!r}")
            if result.recall is not None and result.recall < RECALL:
                print(f"{name}: word recall {result.recall:.3f}")


if __name__ == "__main__":
    sys.exit(main())
