"""What the app takes of memory, beside the weights on the disk: python -m benchmarks.memory

`app.py` itself over a library of some 10,000 chunks (benchmarks/answering.py makes it), asked over its API. Resident
memory is the process's own count (VmRSS, and VmHWM for the most it ever was, of /proc), in MiB. Files that are mapped
(RssFile) are part of it, though the system could drop them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from gradio_client import Client

from benchmarks.answering import CHUNKS, QUESTIONS, ROOT, make_library
from rag.config import load_settings
from rag.models_table import DEFAULT_GGUF, MODELS

_PORT = 7871
_PATIENCE = 300  # seconds to load in


def main() -> int:
    """Print a row for each moment."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--chunks", type=int, default=CHUNKS, metavar="N", help=f"of the library ({CHUNKS})")
    parser.add_argument("--questions", type=int, default=3, metavar="N", help="asked before the last count (3)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        library = Path(scratch) / "library"
        settings = load_settings(library=library)
        make_library(settings, Path(scratch) / "documents", options.chunks)
        weights = sum(MODELS[name].size for name in (settings.embedding_model, DEFAULT_GGUF)) / 2**20
        command = [sys.executable, "app.py", "--library", str(library), "--no-samples", "--port", str(_PORT)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as app:
            try:
                print("| when | resident, MiB | of that files, MiB | which is |")
                print("| --- | --- | --- | --- |")
                client = answering(app)
                show(f"{options.chunks:,} chunks, loaded", app.pid, weights)
                for question in QUESTIONS[: options.questions]:
                    client.predict(question=question, api_name="/ask")
                show(f"{options.chunks:,} chunks, after {options.questions} answers", app.pid, weights)
            finally:
                app.terminate()
    return 0


def answering(app: subprocess.Popen[bytes]) -> Client:
    """A client of the app, once it has answered; what it loads is loaded then."""
    address, began = f"http://127.0.0.1:{_PORT}", time.monotonic()
    while app.poll() is None and time.monotonic() - began < _PATIENCE:
        try:
            httpx.get(address)
            break
        except httpx.TransportError:
            time.sleep(0.5)
    client = Client(address, verbose=False)
    client.predict(question="What is this about?", api_name="/ask")
    return client


def show(when: str, process: int, weights: float) -> None:
    """A row of the table."""
    told = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    resident, most, files = (int(told[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM", "RssFile"))
    beside = f"{weights:,.0f} MiB, the weights on the disk, and {resident - weights:,.0f} MiB"
    print(f"| {when} | {resident:,.0f}, at most {most:,.0f} | {files:,.0f} | {beside} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
