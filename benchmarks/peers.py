"""Text to searchable, and a search, beside LlamaIndex and Haystack: python -m benchmarks.peers FOLDER --peers PYTHON

PYTHON is the interpreter of a virtual environment with benchmarks/requirements-peers.txt. Every arm embeds by the same
weights and reads the same files, in turns, each in a process of its own; the peers in the code of their own tutorials,
which keep their vectors in memory, while Footnote writes a library to the disk. "Ingest" is the seconds from the start
of the process, imports and models included, to what the first search found; "search" the median of ten, by a question
each. Ratios are of one round; printed are their medians, with the least and the greatest.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

BEGAN = time.perf_counter()
ROOT = Path(__file__).parent.parent
TOP = 4
QUESTIONS = (
    "What was said about the economy?",
    "How many jobs were created?",
    "What should Congress do about health care?",
    "Which countries are named as allies?",
    "What is planned for schools?",
    "How is energy to be produced?",
    "What happens to taxes?",
    "Who served in the armed forces?",
    "What was done about crime?",
    "How is the deficit to be reduced?",
)


def main() -> int:
    """Print a row a round and arm, then the ratios; or, with --be, be one arm."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a folder of .txt files")
    parser.add_argument("--peers", metavar="PYTHON", help="the interpreter that has the peers")
    parser.add_argument("--characters", type=int, default=40_000, metavar="N", help="take the text up to this (40000)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how often every arm runs (3)")
    parser.add_argument("--be", choices=list(ARMS), help=argparse.SUPPRESS)
    parser.add_argument("--weights", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.be:
        print(json.dumps(measure(ARMS[options.be], options.folder, options.weights)))
        return 0
    if not options.peers:
        parser.error("give --peers PYTHON: a virtual environment with benchmarks/requirements-peers.txt")
    compare(options.folder, options.peers, options.characters, options.rounds)
    return 0


def compare(source: Path, peers: str, characters: int, rounds: int) -> None:
    """All arms in turns."""
    from rag.config import load_settings
    from rag.embeddings import load_embeddings
    from rag.tokens import embedding_folder

    load_embeddings(load_settings(), lambda _: None)  # converts the weights, once a machine
    weights = embedding_folder(load_settings(), lambda _: None)
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in ARMS}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "files")
        folder.mkdir()
        text = "\n\n".join(path.read_text("utf-8") for path in sorted(source.glob("*.txt")))[:characters]
        (folder / "text.txt").write_text(text, "utf-8")
        print("| round | arm | ingest | search |\n| --- | --- | --- | --- |")
        for number in range(rounds):
            for place in range(len(ARMS)):
                name = list(ARMS)[(number + place) % len(ARMS)]
                python = sys.executable if name == "Footnote" else peers
                command = [python, __file__, folder, "--be", name, "--weights", weights]
                done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
                taken[name].append(json.loads(done.stdout.splitlines()[-1]))
                cells = f"{taken[name][-1]['ingest']:.1f} s | {taken[name][-1]['search'] * 1000:.0f} ms"
                print(f"| {number + 1} | {name} | {cells} |", flush=True)
    print("\n| beside | ingest: times as fast | search: times as fast |\n| --- | --- | --- |")
    for name in list(ARMS)[1:]:
        cells = (told(taken[name], taken["Footnote"], what) for what in ("ingest", "search"))
        print(f"| {name} | {' | '.join(cells)} |")


def told(theirs: list[dict[str, float]], ours: list[dict[str, float]], what: str) -> str:
    """The median of the rounds' ratios, with the least and the greatest."""
    ratios = [their[what] / our[what] for their, our in zip(theirs, ours, strict=True)]
    return f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"


def measure(arm: Callable[[Path, str], Callable[[str], int]], folder: Path, weights: str) -> dict[str, float]:
    """Seconds to searchable, and of a search; an arm that finds nothing is an error."""
    search = arm(folder, weights)
    search("Is anybody there?")  # some load what questions need only now, some have by now
    ingest = time.perf_counter() - BEGAN
    seconds = []
    for question in QUESTIONS:
        began = time.perf_counter()
        if not search(question):
            raise SystemExit(f"nothing was found for {question!r}")
        seconds.append(time.perf_counter() - began)
    return {"ingest": ingest, "search": statistics.median(seconds)}


def be_footnote(folder: Path, weights: str) -> Callable[[str], int]:
    """A library on the disk; its weights are those of the cache."""
    sys.path.insert(0, str(ROOT))
    from rag.config import load_settings
    from rag.library import Library

    place = folder.parent / "library"
    shutil.rmtree(place, ignore_errors=True)
    library = Library(load_settings(library=place))
    for _ in library.ingest([folder]):
        pass
    return lambda question: len(library.search(question))


def be_llama_index(folder: Path, weights: str) -> Callable[[str], int]:
    """VectorStoreIndex over SimpleDirectoryReader."""
    from llama_index.core import Settings, SimpleDirectoryReader, VectorStoreIndex
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding

    Settings.embed_model = HuggingFaceEmbedding(model_name=weights)
    index = VectorStoreIndex.from_documents(SimpleDirectoryReader(str(folder)).load_data())
    retriever = index.as_retriever(similarity_top_k=TOP)
    return lambda question: len(retriever.retrieve(question))


def be_haystack(folder: Path, weights: str) -> Callable[[str], int]:
    """Two pipelines over an InMemoryDocumentStore: one that writes, one that asks."""
    from haystack import Pipeline
    from haystack.components.converters import TextFileToDocument
    from haystack.components.preprocessors import DocumentSplitter
    from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
    from haystack.components.writers import DocumentWriter
    from haystack.document_stores.in_memory import InMemoryDocumentStore
    from haystack_integrations.components.embedders.sentence_transformers import (
        SentenceTransformersDocumentEmbedder,
        SentenceTransformersTextEmbedder,
    )

    store = InMemoryDocumentStore(embedding_similarity_function="cosine")
    writing, asking = Pipeline(), Pipeline()
    writing.add_component("converter", TextFileToDocument())
    writing.add_component("splitter", DocumentSplitter(split_by="word", split_length=200, split_overlap=20))
    writing.add_component("embedder", SentenceTransformersDocumentEmbedder(model=weights, progress_bar=False))
    writing.add_component("writer", DocumentWriter(store))
    for one, other in (("converter", "splitter"), ("splitter", "embedder"), ("embedder", "writer")):
        writing.connect(one, other)
    writing.run({"converter": {"sources": sorted(folder.glob("*.txt"))}})
    asking.add_component("embedder", SentenceTransformersTextEmbedder(model=weights, progress_bar=False))
    asking.add_component("retriever", InMemoryEmbeddingRetriever(store, top_k=TOP))
    asking.connect("embedder.embedding", "retriever.query_embedding")
    asking.run({"embedder": {"text": "warm up"}})

    def search(question: str) -> int:
        return len(asking.run({"embedder": {"text": question}})["retriever"]["documents"])

    return search


ARMS: dict[str, Callable[[Path, str], Callable[[str], int]]] = {
    "Footnote": be_footnote,
    "LlamaIndex": be_llama_index,
    "Haystack": be_haystack,
}

if __name__ == "__main__":
    sys.exit(main())
