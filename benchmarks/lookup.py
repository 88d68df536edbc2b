"""What guessing an answer's tokens from its prompt gives: python -m benchmarks.lookup

Footnote answers questions about the sample documents; the prompts that it sent are sent again to two engines with
nothing around them, one that guesses (rag/llm_gguf.py) and one that does not, in turns. A ratio below 1 is a gain.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.answering import ROOT, Recorder, ask, converted, pick, replay, show, tell
from rag.config import load_settings
from rag.library import Library
from rag.llm_gguf import GgufChatModel, open_pipeline


def main() -> int:
    """Print two rows a question, then the medians."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lookup", description=__doc__)
    parser.add_argument("--questions", type=int, default=12, metavar="N", help="that are asked (12)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        library = Library(load_settings(library=Path(scratch) / "library"))
        for _ in library.ingest([ROOT / "sample_docs"]):
            pass
        library.load_models()
        ours = library.load_llm()
        assert isinstance(ours, GgufChatModel), "the GGUF backend is what is measured"
        recorder = Recorder(ours)
        ask(library, "What is this about?")
        folder = converted(library.settings, ours)
        engines = {lookup: open_pipeline(folder, lookup=lookup) for lookup in (True, False)}
        for lookup, engine in engines.items():
            replay(engine, recorder.calls, lookup=lookup)  # the first run allocates
        print("| what | guessing | without | ratio |\n| --- | --- | --- | --- |")
        firsts, ends = [], []
        for number, question in enumerate(pick(library, options.questions)):
            recorder.calls.clear()
            ask(library, question)
            order = (True, False) if number % 2 == 0 else (False, True)
            taken = {lookup: replay(engines[lookup], recorder.calls, lookup=lookup) for lookup in order}
            for what, place, ratios in (("first word", 0, firsts), ("end of that answer", 1, ends)):
                show(what, taken[True][place], taken[False][place])
                ratios.append(taken[True][place] / taken[False][place])
        tell("time to the first word, guessing beside not", firsts)
        tell("time to an answer's end, guessing beside not", ends)
    return 0


if __name__ == "__main__":
    sys.exit(main())
