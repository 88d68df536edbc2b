"""How long a folder of text takes to be searchable, beside the plain chain: python -m benchmarks.ingestion FOLDER

Both arms read the same files, in turns, each in a process of its own and into an empty library, on all cores and from
weights that are in the cache (Footnote's conversion for OpenVINO too, which is made once a machine). The plain chain is
what everyone writes: TextLoader, RecursiveCharacterTextSplitter, Chroma.from_documents with HuggingFaceEmbeddings. The
seconds are those of the whole process, imports and model included, by the clock and of the cores; where the machine
does other things too, the cores' are the steadier. The ratios are medians of each round's own.

With --again: how long files take that are in the library already, all of them unchanged or one of them changed, beside
the first run and beside that one file given alone. Without a FOLDER they are notes of a sentence or two.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.ratios import spread
from rag.config import load_settings
from rag.embeddings import load_embeddings
from rag.tokens import embedding_folder

ROOT = Path(__file__).parent.parent
NOTES = 200


def main() -> None:
    """Time both in turns and print each round, then the ratio; or, with --plain-into, be the plain chain."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingestion", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="a folder of .txt files")
    parser.add_argument(
        "--again", action="store_true", help=f"bring in the same files again (no FOLDER: {NOTES} notes)"
    )
    parser.add_argument("--characters", type=int, default=100_000, metavar="N", help="take files up to this (100000)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how often both run (3)")
    parser.add_argument("--plain-into", type=Path, metavar="DIR", help="only run the plain chain, into this folder")
    options = parser.parse_args()
    if options.plain_into:
        build_plain_index(options.folder, options.plain_into)
        return
    if not (options.folder or options.again):
        parser.error("give a FOLDER, or --again")
    prepared = load_settings().model_copy(update={"embedding_engine": "openvino-int8"})
    load_embeddings(prepared, lambda _: None).embed_documents(["What a machine makes once is made."])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "files")
        if options.folder:
            count, characters = take_files(options.folder, folder, options.characters)
            print(f"{count} files, {characters:,} characters\n")
        else:
            write_notes(folder)
        if options.again:
            bring_in_again(folder, options.rounds, Path(scratch))
            return
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
            seconds = {arm: run_empty(arms[arm], Path(scratch)) for arm in order}
            ours, theirs = seconds["footnote"], seconds["plain"]
            rounds.append((theirs[0] / ours[0], theirs[1] / ours[1]))
            cells = [f"{clock:.1f} s, {cores:.1f} s" for clock, cores in (ours, theirs)]
            cells += [f"{ratio:.1f}" for ratio in rounds[-1]]
            print(f"| {number + 1} | {' | '.join(cells)} |", flush=True)
    clock, cores = zip(*rounds, strict=True)
    print(f"\nFootnote is {spread(clock)} times as fast by the clock, {spread(cores)} by the time of the cores")


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


def run_empty(command: list[str | Path], scratch: Path) -> tuple[float, float]:
    """Seconds by the clock, and of all cores together, that a Python process takes into folders that are empty."""
    for made in ("library", "plain"):
        shutil.rmtree(scratch / made, ignore_errors=True)
    return run(command, scratch)[:2]


def run(command: list[str | Path], scratch: Path) -> tuple[float, float, str]:
    """Seconds by the clock, and of all cores together, that a Python process takes; and what it prints."""
    env = {**os.environ, "RAG_LIBRARY": str(scratch / "library")}
    began, used = time.perf_counter(), cores_used()
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=env, check=True, capture_output=True, text=True)
    return time.perf_counter() - began, cores_used() - used, done.stdout


def bring_in_again(folder: Path, rounds: int, scratch: Path) -> None:
    """Print what a folder costs that the library knows, all of it or all but one file."""
    files = sorted(folder.iterdir())
    some = files[len(files) // 2]
    print("| round | run | clock | cores | of it, from finding the files on |\n| --- | --- | --- | --- | --- |")
    first = tell(0, "first", [folder], scratch)
    ratios: dict[str, list[float]] = {"again": [], "changed": []}
    for number in range(1, rounds + 1):
        again = tell(number, "all unchanged", [folder], scratch)
        write_note(some, f"changed {number}")
        changed = tell(number, "one changed", [folder], scratch)
        write_note(some, f"changed again {number}")
        alone = tell(number, "that one alone", [some], scratch)
        ratios["again"].append(first[1] / again[1])
        ratios["changed"].append(changed[1] / alone[1])
    print("\n| what | times, by the cores |\n| --- | --- |")
    print(f"| a folder's first run, beside the same folder again, nothing changed | {spread(ratios['again'])} |")
    print(f"| a folder with one file changed, beside that file alone | {spread(ratios['changed'], 2)} |")


def tell(number: int, name: str, paths: list[Path], scratch: Path) -> tuple[float, float]:
    """Run ingest.py, print a row; the seconds by the clock and of the cores."""
    clock, cores, printed = run(["ingest.py", *paths, "--json"], scratch)
    inside = json.loads(printed.splitlines()[-1])["summary"]["seconds"]
    print(f"| {number} | {name} | {clock:.1f} s | {cores:.1f} s | {inside:.2f} s |", flush=True)
    return clock, cores


def write_notes(folder: Path) -> None:
    """NOTES short files."""
    folder.mkdir()
    for number in range(NOTES):
        write_note(folder / f"{number:05}.txt", f"first {number}")


def write_note(path: Path, about: str) -> None:
    """A short file that no other is equal to."""
    path.write_text(f"A note, {about}. The kettle was returned on a Tuesday; its lid no longer closes.\n")


def cores_used() -> float:
    """Seconds that processes started from here, and ended, have had of the cores."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


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
