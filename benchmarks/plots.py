"""The README's two plots, drawn from benchmarks/results.json: how many times as fast, and how search grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from benchmarks.results import Figure, Row, growth, number, speed_ups

PLOTS = Path(__file__).parent.parent / "docs" / "plots"
SIZE = (7.2, 2.6)  # inches


class Look(NamedTuple):
    """The colours of a plot: of words, of what leads and of what is quiet."""

    words: str
    accent: str
    quiet: str


LOOKS = {"light": Look("#1d2126", "#1f6f5c", "#c9ced6"), "dark": Look("#e8eaed", "#62c3a8", "#3a4049")}


def draw(results: dict[str, Any]) -> list[Path]:
    """Draw each plot that there are results for, for light and for dark pages; returns the files."""
    PLOTS.mkdir(parents=True, exist_ok=True)
    plt.rcParams["svg.hashsalt"] = "footnote"  # or each run would name its parts anew
    bars, curves = speed_ups(results), growth(results)
    made = []
    for name, look in LOOKS.items():
        if bars:
            made.append(_draw(PLOTS / f"speed-{name}.svg", look, lambda axes, look: _bars(axes, look, bars)))
        if curves:
            made.append(_draw(PLOTS / f"growth-{name}.svg", look, lambda axes, look: _curves(axes, look, curves)))
    return made


def _draw(path: Path, look: Look, fill: Callable[[Axes, Look], None]) -> Path:
    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    for side in axes.spines.values():
        side.set_visible(False)
    fill(axes, look)
    axes.tick_params(colors=look.words, length=0)
    figure.savefig(path, transparent=True, metadata={"Date": None})
    plt.close(figure)
    return path


def _bars(axes: Axes, look: Look, figures: Sequence[Figure]) -> None:
    what, times, _ = zip(*reversed(figures), strict=True)
    bars = axes.barh(what, times, color=look.accent, height=0.55)
    axes.bar_label(bars, [f"{value:.1f}x" for value in times], padding=4, color=look.words)
    axes.axvline(1, color=look.quiet, linewidth=1)
    axes.set_xticks([])
    axes.set_title("times as fast", loc="left", color=look.words, fontsize=10)


def _curves(axes: Axes, look: Look, rows: Sequence[Row]) -> None:
    chunks = [number(row["chunks"]) for row in rows]
    curves = (("search p50, ms", "median", look.accent), ("p95, ms", "95th percentile", look.words))
    for column, label, colour in curves:
        values = [number(row[column]) for row in rows]
        axes.plot(chunks, values, color=colour, marker="o", markersize=4)
        axes.annotate(label, (chunks[-1], values[-1]), (6, 0), textcoords="offset points", va="center", color=colour)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color=look.quiet, linewidth=0.6)
    axes.set_xticks(chunks, [f"{count:,.0f}" for count in chunks], minor=False)
    axes.minorticks_off()
    axes.set_title("milliseconds of a search, by chunks in the library", loc="left", color=look.words, fontsize=10)
    axes.margins(x=0.14)
