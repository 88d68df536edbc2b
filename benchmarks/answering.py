"""What an answer costs beside the bare engine, one asker and the plain chain: python -m benchmarks.answering

Real models over a library of some 10,000 chunks: the sample documents with their own vectors, and generated documents
with vectors by chance (benchmarks/scale.py), which are in nobody's way but have to be searched. Three measurements, by
questions that no arm has read before:

* engine: Footnote's answer, then the very prompts it sent (its Yes or No for each passage, then the answer) to the
  same engine with nothing around it.
* askers: two questions asked together, then each of them alone.
* plain (with --plain N questions): the chain that everyone writes, RetrievalQA over Chroma, 4 chunks of 1,000
  characters, HuggingFaceEmbeddings and a transformers pipeline in fp32 of the same weights; it does not stream, so its
  time is that to the end of its answer, of at most 64 tokens. It runs in a process of its own and waits while Footnote
  answers.

Every arm has an engine of its own, whose cache of prompts the other arms' prompts are not in. Ratios are of one
question each; printed are their medians, with the least and the greatest. Loading is nobody's time.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import openvino_genai
from langchain_core.embeddings import Embeddings

from benchmarks.ratios import spread
from benchmarks.scale import direction, write_documents
from rag.config import Settings, load_settings
from rag.ingestion import Ingester
from rag.library import LazyEmbeddings, Library
from rag.llm_gguf import GgufChatModel, generation, open_pipeline
from rag.manifest import Manifest
from rag.store import VectorIndex
from rag.types import Answer, Token

ROOT = Path(__file__).parent.parent
CHUNKS = 10_000
CASES = [json.loads(line) for line in (ROOT / "tests" / "sample_cases.jsonl").read_text("utf-8").splitlines()]
QUESTIONS = [case["question"] for case in CASES if not case["refused"]]
_APART = 0.05  # seconds between two who ask together: somebody is first
_GENERATED = re.compile(r"(document\d+|W?w\d+\.?)\s")  # how every piece of a generated text begins

Call = tuple[str, int]  # a prompt, and how many tokens may follow


class Asked(NamedTuple):
    """When the first word of an answer came and when its end, in seconds, and what it is."""

    first: float
    end: float
    answer: Answer


class LentVectors(Embeddings):
    """A real model for real text; for generated text a direction by chance, in no time."""

    def __init__(self, real: Any) -> None:
        self.real, self.fingerprint, self.max_tokens = real, real.fingerprint, real.max_tokens

    def count_tokens(self, text: str) -> int:
        """By the length for generated text."""
        return len(text) // 4 if _GENERATED.match(text) else int(self.real.count_tokens(text))

    def embed_query(self, text: str) -> list[float]:
        """The model's own."""
        return list(self.real.embed_query(text))

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text."""
        own = [text for text in texts if not _GENERATED.match(text)]
        vectors = iter(self.real.embed_documents(own))
        return [direction(text).tolist() if _GENERATED.match(text) else next(vectors) for text in texts]


class Recorder:
    """Notes every prompt that goes to a model's engine."""

    def __init__(self, model: GgufChatModel) -> None:
        self.calls: list[Call] = []
        self._engine = model._pipeline
        model._pipeline = self

    def generate(self, prompt: Any, config: Any, *streamer: Any) -> Any:
        """As the engine's own."""
        self.calls.append((prompt if isinstance(prompt, str) else prompt[0], config.max_new_tokens))
        return self._engine.generate(prompt, config, *streamer)


def main() -> int:
    """Print a row a question, then the ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answering", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="questions beside the engine, and pairs (3)")
    parser.add_argument("--plain", type=int, default=0, metavar="N", help="questions to the plain chain (0)")
    parser.add_argument("--chunks", type=int, default=CHUNKS, metavar="N", help=f"of the library ({CHUNKS})")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="make the library here, or take the one that is there")
    parser.add_argument("--plain-over", type=Path, metavar="DIR", help="only be the plain chain, over these documents")
    options = parser.parse_args()
    if options.plain_over:
        return be_plain(options.plain_over)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        documents, library = folder / "documents", folder / "library"
        if not documents.exists():
            make_library(load_settings(library=library), documents, options.chunks)
        opened = Library(load_settings(library=library))
        opened.load_models()
        ours = opened.load_llm()
        assert isinstance(ours, GgufChatModel), "the GGUF backend is what is measured"
        ask(opened, "What is this about?")
        questions = iter(pick(opened, 3 * options.rounds + options.plain))
        print("| what | Footnote | the other | ratio |\n| --- | --- | --- | --- |")
        if options.plain:
            beside_plain(opened, documents, [next(questions) for _ in range(options.plain)])
        if options.rounds:
            bare = open_pipeline(converted(opened.settings, ours))
            beside_engine(opened, ours, bare, [next(questions) for _ in range(options.rounds)])
            two_askers(opened, ours, bare, [(next(questions), next(questions)) for _ in range(options.rounds)])
    return 0


def make_library(settings: Settings, documents: Path, chunks: int) -> None:
    """The samples among generated documents."""
    documents.mkdir(parents=True)
    write_documents(documents, chunks, np.random.default_rng(0))
    manifest = Manifest(settings.library / "manifest.sqlite")
    index = VectorIndex(settings.library / "chroma", manifest)
    lent = LentVectors(LazyEmbeddings(settings, lambda _: None))
    for _ in Ingester(settings, manifest, index, lent).ingest([documents, ROOT / "sample_docs"]):
        pass
    index.close()
    print(f"{len(manifest.all_chunk_ids(settings.collection)):,} chunks\n", flush=True)


def pick(library: Library, count: int) -> list[str]:
    """Questions whose best passages differ, so that none is in a cache because of another."""
    found: dict[str, str] = {}
    for question in QUESTIONS:
        if passages := library.search(question):
            found.setdefault(passages[0].text, question)
    if len(found) < count:
        raise SystemExit(f"only {len(found)} questions are apart; ask for fewer rounds")
    return list(found.values())[:count]


def ask(library: Library, question: str) -> Asked:
    """Ask and hear it to the end."""
    began, first = time.perf_counter(), 0.0
    for event in library.ask(question):
        if isinstance(event, Token | Answer):
            first = first or time.perf_counter() - began
    assert isinstance(event, Answer)
    return Asked(first, time.perf_counter() - began, event)


def beside_engine(library: Library, ours: GgufChatModel, bare: Any, questions: Sequence[str]) -> None:
    """Footnote beside the engine that is given the same prompts."""
    firsts, ends = [], []
    recorder = Recorder(ours)
    ask(library, "What is this about?")
    replay(bare, recorder.calls)  # the first run allocates, and the instructions are in both caches
    for question in questions:
        recorder.calls.clear()
        asked = ask(library, question)
        first, end = replay(bare, recorder.calls)
        firsts.append(asked.first / first)
        ends.append(asked.end / end)
        read = sum(tokens == 1 for _, tokens in recorder.calls)
        show(f"first word, {read} passages read, beside the engine alone", asked.first, first)
        show("end of that answer", asked.end, end)
    ours._pipeline = recorder._engine
    tell("time to the first word, beside the bare engine's on the same prompts", firsts)
    tell("time to an answer's end, beside the bare engine's on the same prompts", ends)


def replay(engine: Any, calls: Sequence[Call], *, lookup: bool = True) -> tuple[float, float]:
    """Seconds to the first word and to the end, for prompts one after another with nothing between.

    `lookup` as the engine was opened with.
    """
    first, began = 0.0, time.perf_counter()
    for prompt, tokens in calls:
        config = generation(tokens, 0.0, lookup=lookup)
        if tokens == 1:
            config.logprobs = 1
            engine.generate([prompt], config)
            continue
        heard: list[float] = []
        engine.generate(prompt, config, lambda _, heard=heard: heard.append(time.perf_counter()))  # type: ignore[misc]
        first = heard[0] - began
    end = time.perf_counter() - began
    return first or end, end


def two_askers(library: Library, ours: GgufChatModel, bare: Any, pairs: Sequence[tuple[str, str]]) -> None:
    """Both of each pair together, then one after the other on another engine."""
    fields = {name: getattr(ours, name) for name in ("model_name", "context_tokens", "max_answer_tokens")}
    other = GgufChatModel(bare, **fields)
    ratios: dict[str, list[float]] = {"the first to ask": [], "the second to ask": []}
    for pair in pairs:
        heard: dict[str, Asked] = {}

        def listen(question: str, heard: dict[str, Asked] = heard) -> None:
            heard[question] = ask(library, question)

        threads = [threading.Thread(target=listen, args=(question,)) for question in pair]
        for thread in threads:
            thread.start()
            time.sleep(_APART)
        for thread in threads:
            thread.join()
        for who, question in zip(ratios, pair, strict=True):
            with answered_by(library, other):
                alone = ask(library, question)
            ratios[who].append(heard[question].first / alone.first)
            show(f"{who} of two: first word, beside asking alone", heard[question].first, alone.first)
    for who, each in ratios.items():
        tell(f"time to the first word of {who} of two, beside asking alone", each)


@contextmanager
def answered_by(library: Library, model: GgufChatModel) -> Iterator[None]:
    """Another model in the place of the library's own."""
    models, name = library._llms._models, library.settings.llm_model
    own = models[name]
    models[name] = model
    try:
        yield
    finally:
        models[name] = own


def converted(settings: Settings, model: GgufChatModel) -> Path:
    """The folder that the model was loaded from."""
    return next((settings.cache / "openvino").glob(f"{model.model_name}-*-{openvino_genai.__version__}"))


def beside_plain(library: Library, documents: Path, questions: Sequence[str]) -> None:
    """Footnote's first word beside the plain chain's answer, in turns."""
    ratios = []
    command = [sys.executable, "-m", "benchmarks.answering", "--plain-over", documents]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as plain:
        assert plain.stdin and plain.stdout
        plain.stdout.readline()  # it is ready
        for question in questions:
            asked = ask(library, question)
            print(question, file=plain.stdin, flush=True)
            theirs = json.loads(plain.stdout.readline())
            ratios.append(theirs["seconds"] / asked.first)
            show("first word, beside the plain chain's answer", asked.first, theirs["seconds"])
        plain.stdin.close()
    tell("the plain chain's time to its answer, beside Footnote's to its first word", ratios)


def be_plain(documents: Path) -> int:
    """Answer each line of the input as everyone's chain does."""
    from benchmarks.plain import build_plain_chain

    chain = build_plain_chain([documents, ROOT / "sample_docs"], LentVectors)
    print("ready", flush=True)
    for line in sys.stdin:
        began = time.perf_counter()
        text = chain.invoke({"query": line.strip()})["result"]
        print(json.dumps({"seconds": time.perf_counter() - began, "text": text}), flush=True)
    return 0


def show(what: str, ours: float, other: float) -> None:
    """A row of the table."""
    print(f"| {what} | {ours:.2f} s | {other:.2f} s | {ours / other:.2f} |", flush=True)


def tell(what: str, ratios: Sequence[float]) -> None:
    """A row for ratios of rounds, so that they are kept."""
    print(f"| {what} |  |  | {spread(ratios, 2)} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
