"""Files that Hypothesis damages, put before the parsers: python -m benchmarks.fuzz [--seconds 60] [--only .docx ...]

A small file of each format (tests/format_files.py) is edited at random: bytes are cut out, put in and repeated; those
of a package within its parts, so that the damage passes the outer layers. A worker of the parser pool reads each. It
must end as text or as a refusal that a loader meant (a DocumentError of its own); a parser that fails in another way,
crashes or hangs is a fault, and so is text that is not clean Unicode, too long, or on pages not counted from 1.
Of a fault Hypothesis looks for a smaller one; the exit status is 1. Recordings are heard with --speech only.
"""

from __future__ import annotations

import argparse
import io
import logging
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from langchain_core.documents import Document

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from format_files import CASES  # noqa: E402

from rag.config import load_settings  # noqa: E402
from rag.errors import DocumentError  # noqa: E402
from rag.loaders import clean_text  # noqa: E402
from rag.parsing import MAX_TEXT, ParserPool  # noqa: E402
from rag.speech import SpeechModel  # noqa: E402

MAX_BYTES = 2**25
MEMORY_MB = 1024  # of a worker
EXAMPLES = 50  # of one run of Hypothesis; the next has another seed
_MEANINGFUL = (*(bytes([one]) for one in b'<>&"{}[(\\\n\0 0A'), b"</", b"\xff\xff\xff\xff", b"-1", b"9" * 19)

Edit = tuple[float, int | None, bytes, int]

EDITS: st.SearchStrategy[list[Edit]] = st.lists(
    st.tuples(
        st.floats(0, 1),  # where, as a share of the length
        st.one_of(st.none(), st.integers(0, 8)),  # how many bytes go; None: as many as come, so that no offset moves
        st.one_of(st.sampled_from(_MEANINGFUL), st.binary(max_size=4)),  # what comes
        st.sampled_from((1, 1, 1, 1, 1, 1, 2, 5000)),  # how often
    ),
    min_size=1,
    max_size=4,
)


class FaultError(Exception):
    """A parser did not end as it must."""


class Tally:
    """What became of the examples of one format."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.slowest = 0.0
        self.faults: list[str] = []

    @property
    def examples(self) -> int:
        """How many were read or refused."""
        return self.outcomes.total()


def main(args: Sequence[str] | None = None) -> int:
    """Give each format its share of the time and print a line for it; 1 if there was a fault."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, metavar="N", help="for all formats together (60)")
    parser.add_argument("--only", nargs="+", metavar="SUFFIX", help="these formats")
    parser.add_argument("--seed", type=int, default=1, help="of the damage (1)")
    parser.add_argument("--timeout", type=float, default=30, help="seconds without progress that are a hang (30)")
    parser.add_argument("--speech", action="store_true", help="hear recordings as well; takes its time")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="put files here that make a fault")
    options = parser.parse_args(args)
    seeds = {PurePath(case.name).suffix: case for case in CASES}
    if options.only:
        seeds = {suffix: case for suffix, case in seeds.items() if suffix in options.only}
    speech = SpeechModel(load_settings()) if options.speech else None
    print(
        f"{'format':<8}{'examples':>9}{'read':>7}{'refused':>9}{'faults':>8}{'slowest':>9}{'peak MiB':>10}", flush=True
    )
    total, peak, faulty = 0, 0.0, 0
    for suffix, case in seeds.items():
        with closing(ParserPool(options.timeout, MEMORY_MB)) as pool:
            tally = fuzz(pool, suffix, case.data, options.seconds / len(seeds), options.seed, options.keep, speech)
        read, faults = tally.outcomes["read"], len(tally.faults)
        print(
            f"{suffix:<8}{tally.examples:>9}{read:>7}{tally.examples - read - faults:>9}{faults:>8}"
            f"{tally.slowest:>8.2f}s{pool.peak_mb:>10.0f}",
            *(f"\n  {fault}" for fault in sorted(set(tally.faults))[:5]),
            flush=True,
        )
        total, peak, faulty = total + tally.examples, max(peak, pool.peak_mb), faulty + faults
    print(f"{total:,} examples of {len(seeds)} formats, {faulty} faults; peak {peak:,.0f} MiB of a worker")
    return 1 if faulty else 0


def fuzz(
    pool: ParserPool,
    suffix: str,
    data: bytes,
    seconds: float,
    first: int,
    keep: Path | None,
    speech: SpeechModel | None,
) -> Tally:
    """Damage one file for so many seconds; a fault ends it, once a smaller one has been looked for."""
    tally, end = Tally(), time.monotonic() + seconds
    with TemporaryDirectory() as folder:
        path = Path(folder, f"a{suffix}")

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.integers(0, 2**16), EDITS)
        def read_damaged(part: int, edits: list[Edit]) -> None:
            if time.monotonic() > end and tally.examples:
                return
            path.write_bytes(damage(data, part, edits))
            began = time.monotonic()
            try:
                tally.outcomes[outcome(pool, path, speech)] += 1
            except FaultError as error:
                tally.outcomes["fault"] += 1
                tally.faults.append(str(error))
                if keep:
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"fault{suffix}").write_bytes(path.read_bytes())
                raise
            finally:
                tally.slowest = max(tally.slowest, time.monotonic() - began)

        while time.monotonic() < end or not tally.examples:
            try:
                seed(first)(read_damaged)()
            except (FaultError, Flaky):
                break
            first += 1
    return tally


def outcome(pool: ParserPool, path: Path, speech: SpeechModel | None = None) -> str:
    """What reading came to: "read" or a DocumentError's outcome. Raises FaultError."""
    events = pool.load_documents(path, path.name, max_bytes=MAX_BYTES, speech=speech)
    try:
        while True:
            next(events)
    except StopIteration as end:
        check(end.value)
        return "read"
    except DocumentError as error:
        if error.outcome == "timed_out" or "its parser failed" in str(error) or "its parser crashed" in str(error):
            raise FaultError(f"{error.outcome}: {error}") from error
        return error.outcome


def check(pages: list[Document]) -> None:
    """The text is clean and bounded, the pages are counted. Raises FaultError."""
    if sum(len(page.page_content) for page in pages) > MAX_TEXT:
        raise FaultError("more text than a file may have")
    for number, page in enumerate(pages, start=1):
        label = page.metadata["page_label"] or ""
        if clean_text(page.page_content) != page.page_content or "\0" in label:
            raise FaultError(f"text that is not clean on page {number}")
        (page.page_content + label).encode()
        if page.metadata["page"] not in (None, number):
            raise FaultError(f"page {number} is called {page.metadata['page']}")


def damage(data: bytes, part: int, edits: list[Edit]) -> bytes:
    """The file with these edits; of a package three in four go into one of its parts, `part` chooses."""
    if not data.startswith(b"PK") or part % 4 == 0:
        return edited(data, edits)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as package, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        names = package.namelist()
        for number, name in enumerate(names):
            content = package.read(name)
            made.writestr(name, edited(content, edits) if number == part // 4 % len(names) else content)
    return out.getvalue()


def edited(data: bytes, edits: list[Edit]) -> bytes:
    """The bytes after the edits, one after the other."""
    for where, gone, piece, times in edits:
        at = int(where * len(data))
        come = piece * times
        data = data[:at] + come + data[at + (len(come) if gone is None else gone) :]
    return data


if __name__ == "__main__":
    logging.getLogger("rag.parsing").setLevel(logging.ERROR)  # a fault is told once, in the table
    sys.exit(main())
