"""The measurements of speed, one after another: python -m benchmarks FOLDER

Each is a command of its own and runs as one. What it prints is kept in benchmarks/results.json, with the date, the
machine and the versions; the README's table and both plots (docs/plots) are made of that file. Ten to twenty minutes on
two cores; --long adds the libraries of 100,000 and a million chunks, which take hours.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.plots import draw
from benchmarks.results import Measurement, load, measure, save


def measurements(folder: Path, long: bool, peers: str | None = None) -> list[Measurement]:
    """What is run, in order. `folder` holds .txt files; `peers` is the interpreter that has LlamaIndex and Haystack."""
    short = [
        Measurement("embedding", (str(folder), "--chunks", "16", "--rounds", "3")),
        Measurement("ingestion", (str(folder), "--characters", "60000", "--rounds", "2")),
        Measurement("ingestion", (str(folder), "--again", "--characters", "2000000", "--rounds", "1"), kept_as="again"),
        Measurement("sharing", ("--rounds", "3")),
        Measurement("answering", ("--rounds", "3", "--plain", "1")),
        Measurement("lookup", ()),
        Measurement("memory", ()),
        Measurement("scale", ("1000", "4000", "10000")),
    ]
    if peers:
        short.append(Measurement("peers", (str(folder), "--peers", peers)))
    return [*short, Measurement("scale", ("100000", "1000000"), kept_as="scale-long")] if long else short


def main() -> int:
    """Run what was asked for; returns the exit status of the first that failed, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", metavar="FOLDER", help="a folder of .txt files, some 100 kB")
    parser.add_argument("--long", action="store_true", help="also what takes hours")
    parser.add_argument(
        "--peers", metavar="PYTHON", help="also beside LlamaIndex and Haystack; see benchmarks/peers.py"
    )
    parser.add_argument("--only", metavar="NAME", help="only this one, as benchmarks/results.json names it")
    parser.add_argument("--draw", action="store_true", help="run nothing, only draw the plots anew")
    options = parser.parse_args()
    if not options.draw:
        if options.folder is None:
            parser.error("FOLDER is missing: a folder of .txt files to embed")
        if not any(options.folder.glob("*.txt")):
            parser.error(f"{options.folder} holds no .txt files")
        for measurement in measurements(options.folder, options.long, options.peers):
            if options.only in (None, measurement.name):
                status, result = measure(measurement)
                if status:
                    return status
                save(measurement.name, result)
    draw(load())
    print("README.md takes the table over with: python -m cogapp -r README.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
