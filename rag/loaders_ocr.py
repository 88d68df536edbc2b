"""Pictures of text to text: RapidOCR, whose wheel carries its models, and the order in which the lines are read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from rapidocr import RapidOCR

SIDE = 2000  # pixels of a picture's longer side that are looked at; what is larger is made smaller

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

# Up to eight workers read at once, one a core, and threads of several that share a core spend most of it waiting
_THREADS = max(1, len(os.sched_getaffinity(0)) // 8)
_INK = 24  # levels of grey by which ink differs from its ground
_SPECKS = 2e-4  # share of a page that may differ and be dust
_TALL = 1.5  # a line this much taller than wide stands on its side
_SAMPLE = 9  # lines looked at to tell whether a page is upside down
_GAP = 0.015  # of the page's width, between two columns
_FULL = 0.55  # share of a column's width that the median line of running text fills; a table's cell does not


Box = tuple[float, float, float, float]  # left, top, right, bottom


class Recognised(NamedTuple):
    """The text of a picture, and where its lines stand: (start, end, left, top, right, bottom) of each.

    `start` and `end` count characters of the text; the others are shares of the picture's width and height, from its
    top left corner.
    """

    text: str
    lines: list[tuple[int, int, float, float, float, float]]


class _Line(NamedTuple):
    """A recognised line and the box around it, in pixels."""

    left: float
    top: float
    right: float
    bottom: float
    text: str

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


def read_picture(pixels: Pixels) -> Recognised:
    """The text of a picture, upright or turned by a quarter or a half, in reading order; "" if there is none.

    `pixels` has the shape (height, width, 3), in the order blue, green, red.
    """
    if is_blank(pixels):
        return Recognised("", [])
    lines = _recognise(pixels)
    turned = sum(line.bottom - line.top > _TALL * (line.right - line.left) for line in lines) * 2 > len(lines)
    if turned:
        pixels = np.ascontiguousarray(np.rot90(pixels))
        lines = _recognise(pixels)
    height, width = pixels.shape[:2]
    overturned = _upside_down(pixels, lines)
    if overturned:
        lines = [
            _Line(width - line.right, height - line.bottom, width - line.left, height - line.top, line.text)
            for line in lines
        ]

    def seen(line: _Line) -> Box:
        """Where a line stands in the picture as it was given."""
        left, top, right, bottom = line.left / width, line.top / height, line.right / width, line.bottom / height
        if overturned:
            left, top, right, bottom = 1 - right, 1 - bottom, 1 - left, 1 - top
        return (1 - bottom, left, 1 - top, right) if turned else (left, top, right, bottom)

    return _placed(_in_order(lines, width), seen)


def _placed(rows: list[list[_Line]], seen: Callable[[_Line], Box]) -> Recognised:
    """The rows as text, the lines of each with a space between them."""
    placed, at = [], 0
    for line in (line for row in rows for line in row):
        left, top, right, bottom = (round(min(max(edge, 0.0), 1.0), 5) for edge in seen(line))
        placed.append((at, at + len(line.text), left, top, right, bottom))
        at += len(line.text) + 1
    return Recognised("\n".join(" ".join(line.text for line in row) for row in rows), placed)


def is_blank(pixels: Pixels) -> bool:
    """Whether there is nothing on it but its ground."""
    grey = pixels.mean(axis=2)
    return bool(np.mean(np.abs(grey - np.median(grey)) > _INK) < _SPECKS)


@cache
def _engine() -> Any:  # a RapidOCR: the type of what it returns is a union over what it is asked for
    threads = {"EngineConfig.onnxruntime.intra_op_num_threads": _THREADS}
    return RapidOCR(params={"Global.log_level": "critical", "Global.max_side_len": SIDE, **threads})


def _recognise(pixels: Pixels) -> list[_Line]:
    found = _engine()(pixels, use_det=True, use_cls=True, use_rec=True)
    if found.boxes is None or found.txts is None:
        return []
    return [
        _Line(left, top, right, bottom, re.sub(r"\s+", " ", text).strip())
        for box, text in zip(found.boxes, found.txts, strict=True)
        for (left, top), (right, bottom) in [(box.min(axis=0).tolist(), box.max(axis=0).tolist())]
    ]


def _upside_down(pixels: Pixels, lines: Sequence[_Line]) -> bool:
    """By the longest lines: each was turned for itself when it was read, but their order was not."""
    turned: list[bool] = []
    for line in sorted(lines, key=lambda line: line.left - line.right)[:_SAMPLE]:
        left, top, right, bottom = (max(0, round(edge)) for edge in line[:4])
        crop = pixels[top:bottom, left:right]
        if crop.size:
            ((label, _),) = _engine()(crop, use_det=False, use_cls=True, use_rec=False).cls_res
            turned.append(label == "180")
    return sum(turned) * 2 > len(turned)


def _in_order(lines: list[_Line], page_width: int) -> list[list[_Line]]:
    """The rows of a page: column by column where running text stands in columns, else across."""
    if len(lines) < 2:
        return [lines] if lines else []
    if parts := _columns(lines, page_width) or _bands(lines):
        return [row for part in parts for row in _in_order(part, page_width)]
    return [sorted(lines)]


def _columns(lines: list[_Line], page_width: int) -> list[list[_Line]] | None:
    """The lines left and right of an empty strip, if both sides are running text."""
    for left, right in _parted(sorted(lines), lambda line: (line.left, line.right), page_width * _GAP):
        if all(len(side) >= 3 and _fullness(side) >= _FULL for side in (left, right)):
            return [left, right]
    return None


def _fullness(lines: Sequence[_Line]) -> float:
    widths = [line.right - line.left for line in lines]
    return float(np.median(widths)) / max(widths)


def _bands(lines: list[_Line]) -> list[list[_Line]] | None:
    """The lines above and below the largest gap between them; one row is no further parted."""
    lines = sorted(lines, key=lambda line: line.middle)
    gaps = [below.middle - above.middle for above, below in pairwise(lines)]
    height = float(np.median([line.bottom - line.top for line in lines]))
    empty = _parted(sorted(lines, key=lambda line: line.top), lambda line: (line.top, line.bottom), 0)
    if empty:  # an empty strip right across, the tallest one
        return max(empty, key=lambda parts: min(line.top for line in parts[1]) - max(line.bottom for line in parts[0]))
    cut = max(range(len(gaps)), key=gaps.__getitem__)
    return [lines[: cut + 1], lines[cut + 1 :]] if gaps[cut] > height / 2 else None


def _parted(lines: list[_Line], span: Callable[[_Line], tuple[float, float]], least: float) -> list[list[list[_Line]]]:
    """Every way to part the lines, in the order of their spans' begins, by a strip that none of them touches."""
    parts: list[list[list[_Line]]] = []
    end = -np.inf
    for index, line in enumerate(lines):
        begin, stop = span(line)
        if index and begin - end > least:
            parts.append([lines[:index], lines[index:]])
        end = max(end, stop)
    return parts
