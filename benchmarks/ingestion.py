"""How long a folder of text takes to be searchable, beside the plain chain: python -m benchmarks.ingestion FOLDER

Both arms read the same files, in turns, each in a process of its own and into an empty library, on all cores and from
weights that are in the cache (Footnote's conversion for OpenVINO too, which is made once a machine). The plain chain is
what everyone writes: TextLoader, RecursiveCharacterTextSplitter, Chroma.from_documents with HuggingFaceEmbeddings. The
seconds are those of the whole process, imports and model included, by the clock and of the cores; where the machine
does other things too, the cores' are the steadier. The ratios are medians of each round's own.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rag.config import load_settings
from rag.embeddings import load_embeddings
from rag.tokens import embedding_folder

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Time both in turns and print each round, then the ratio; or, with --plain-into, be the plain chain."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingestion", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a folder of .txt files")
    parser.add_argument("--characters", type=int, default=100_000, metavar="N", help="take files up to this (100000)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how often both run (3)")
    parser.add_argument("--plain-into", type=Path, metavar="DIR", help="only run the plain chain, into this folder")
    options = parser.parse_args()
    if options.plain_into:
        build_plain_index(options.folder, options.plain_into)
        return
    load_embeddings(load_settings(), lambda _: None)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "files")
        count, characters = take_files(options.folder, folder, options.characters)
        print(f"{count} files, {characters:,} characters\n")
        print(
            "| round | Footnote: clock, cores | plain chain: clock, cores | ratio by the clock | ratio by the cores |"
        )
        print("| --- | --- | --- | --- | --- |")
        arms: dict[str, list[str | Path]] = {
            "footnote": ["ingest.py", folder],
            "plain": ["-m", "benchmarks.ingestion", folder, "--plain-into", Path(scratch, "plain")],
        }
        rounds: list[tuple[float, float]] = []
        for number in range(options.rounds):
            order = list(arms) if number % 2 == 0 else list(reversed(arms))
            seconds = {arm: run(arms[arm], Path(scratch)) for arm in order}
            ours, theirs = seconds["footnote"], seconds["plain"]
            rounds.append((theirs[0] / ours[0], theirs[1] / ours[1]))
            cells = [f"{clock:.1f} s, {cores:.1f} s" for clock, cores in (ours, theirs)]
            cells += [f"{ratio:.1f}" for ratio in rounds[-1]]
            print(f"| {number + 1} | {' | '.join(cells)} |", flush=True)
    clock, cores = zip(*rounds, strict=True)
    print(f"\nFootnote is {told(clock)} times as fast by the clock, {told(cores)} by the time of the cores")


def take_files(source: Path, target: Path, characters: int) -> tuple[int, int]:
    """Copy whole .txt files, in order of name, until they hold that many characters; how many of both there are."""
    target.mkdir()
    count = total = 0
    for path in sorted(source.glob("*.txt")):
        if total >= characters:
            break
        shutil.copyfile(path, target / path.name)
        count, total = count + 1, total + len(path.read_text(encoding="utf-8"))
    return count, total


def run(command: list[str | Path], scratch: Path) -> tuple[float, float]:
    """Seconds by the clock, and of all cores together, that a Python process takes into folders that are empty."""
    for made in ("library", "plain"):
        shutil.rmtree(scratch / made, ignore_errors=True)
    env = {**os.environ, "RAG_LIBRARY": str(scratch / "library")}
    began, used = time.perf_counter(), cores_used()
    subprocess.run([sys.executable, *command], cwd=ROOT, env=env, check=True, capture_output=True)
    return time.perf_counter() - began, cores_used() - used


def cores_used() -> float:
    """Seconds that processes started from here, and ended, have had of the cores."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def told(ratios: tuple[float, ...]) -> str:
    """The median, with the least and the greatest."""
    return f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"


def build_plain_index(folder: Path, index: Path) -> None:
    """The plain chain's half that comes before the first question."""
    from langchain_community.document_loaders import TextLoader
    from langchain_community.embeddings import HuggingFaceEmbeddings
    from langchain_community.vectorstores import Chroma
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    documents = [page for path in sorted(folder.glob("*.txt")) for page in TextLoader(str(path), "utf-8").load()]
    chunks = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=20).split_documents(documents)
    weights = embedding_folder(load_settings(), lambda _: None)
    Chroma.from_documents(chunks, HuggingFaceEmbeddings(model_name=str(weights)), persist_directory=str(index))


if __name__ == "__main__":
    main()
