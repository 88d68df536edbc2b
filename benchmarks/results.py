"""What measurements printed, kept in a file: the tables of each with the date, the machine and the versions."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

RESULTS = Path(__file__).with_name("results.json")
ROOT = Path(__file__).parent.parent
_VERSIONS = ("torch", "openvino", "openvino-genai", "chromadb", "gradio")
_NUMBER = re.compile(r"-?[\d,]+(?:\.\d+)?")

Row = dict[str, str]


class Measurement(NamedTuple):
    """A module of this folder and what it is given; `kept_as` where one module is kept under several names."""

    module: str
    arguments: tuple[str, ...]
    kept_as: str = ""

    @property
    def name(self) -> str:
        """What its result is kept under."""
        return self.kept_as or self.module


def measure(measurement: Measurement) -> tuple[int, dict[str, Any]]:
    """Run one, showing what it prints. Returns its exit status and what is to be kept."""
    module = f"benchmarks.{measurement.module}"
    shown = " ".join(["python -m", module, *(_plain(argument) for argument in measurement.arguments)])
    print(f"== {shown}", flush=True)
    printed = []
    command = [sys.executable, "-m", module, *measurement.arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            printed.append(line)
    result = {
        "command": shown,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _VERSIONS}},
        "rows": list(read_tables(printed)),
    }
    return process.returncode, result


def machine() -> str:
    """The processor and its cores, in words."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", info.read_text()) if info.exists() else None
    return f"{os.cpu_count()} cores, {found[1] if found else platform.processor() or platform.machine()}"


def read_tables(lines: Iterable[str]) -> Iterator[Row]:
    """The rows of every Markdown table among the lines, each with its table's column names."""
    head: list[str] = []
    for line in lines:
        if not line.startswith("|"):
            head = []
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not head:
            head = cells
        elif not all(set(cell) <= {"-", ":"} for cell in cells):
            yield dict(zip(head, cells, strict=True))


def load() -> dict[str, Any]:
    """All that is kept."""
    return dict(json.loads(RESULTS.read_text(encoding="utf-8"))) if RESULTS.exists() else {}


def save(name: str, result: dict[str, Any]) -> None:
    """Keep a result in the place of the one before."""
    kept = load() | {name: result}
    RESULTS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def number(cell: str) -> float:
    """The first number of a cell: "2.8 (2.0 to 4.5)" is 2.8."""
    found = _NUMBER.search(cell)
    if found is None:
        raise ValueError(f"no number in {cell!r}")
    return float(found[0].replace(",", ""))


class Figure(NamedTuple):
    """What was measured, what came out, and the name that the measurement is kept under."""

    what: str
    value: float
    name: str


def speed_ups(results: dict[str, Any]) -> list[Figure]:
    """How many times as fast Footnote is as what everyone writes, by the median of the ratios."""
    found = []
    for row in _rows(results, "embedding"):
        engine, _, precision = row["engine"].partition(" ")
        if engine == "OpenVINO" and precision in ("bf16", "int8"):
            what = f"embedding in {precision}, {row['what']}, beside torch fp32"
            found.append(Figure(what, number(row["times torch fp32"]), "embedding"))
    if ratios := [number(row["ratio by the cores"]) for row in _rows(results, "ingestion")]:
        found.append(
            Figure(
                "folder to searchable, beside the plain chain, by seconds of the cores",
                statistics.median(ratios),
                "ingestion",
            )
        )
    return found


def summary(results: dict[str, Any]) -> list[tuple[str, ...]]:
    """The README's rows: what, the figure, the command, the machine, the date."""
    rows = [(what, f"{value:.1f} times as fast", name) for what, value, name in speed_ups(results)]
    for row in _rows(results, "again"):
        if cell := row.get("times, by the cores"):
            rows.append((row["what"], f"{cell} times the seconds of the cores", "again"))
    for row in _rows(results, "answering"):
        if not row["Footnote"]:
            rows.append((row["what"], f"{row['ratio']} times", "answering"))
    for row in _rows(results, "lookup"):
        if not row["guessing"]:
            rows.append((row["what"], f"{row['ratio']} times", "lookup"))
    for row in _rows(results, "sharing"):
        if cell := row.get("first word, times idle"):
            rows.append((f"time to the first word while {row['arm']}, beside idle", f"{cell} times", "sharing"))
    for row in _rows(results, "peers"):
        for what in ("ingest", "search"):
            if cell := row.get(f"{what}: times as fast"):
                rows.append((f"{what}, beside {row['beside']}", f"{cell} times as fast", "peers"))
    for row in _rows(results, "memory"):
        rows.append((f"memory of the app, {row['when']}", row["which is"], "memory"))
    for name in ("scale", "scale-long"):
        for row in _rows(results, name):
            figure = f"{row['search p50, ms']} ms at the median, {row['p95, ms']} ms at the 95th percentile"
            rows.append((f"a search of {row['chunks']} chunks, its question's vector at hand", figure, name))
    kept = {name: (f"`{result['command']}`", result["machine"], result["date"]) for name, result in results.items()}
    return [(what, figure, *kept[name]) for what, figure, name in rows]


def growth(results: dict[str, Any]) -> list[Row]:
    """The rows of the libraries that were searched, the smallest first."""
    rows = [row for name in ("scale", "scale-long") for row in _rows(results, name)]
    return sorted(rows, key=lambda row: number(row["chunks"]))


def _rows(results: dict[str, Any], name: str) -> list[Row]:
    return list(results.get(name, {}).get("rows", ()))


def _plain(argument: str) -> str:
    """An argument without this machine's folders and programs."""
    path = Path(argument)
    return "FOLDER" if path.is_dir() else "PYTHON" if path.is_absolute() and path.is_file() else argument
