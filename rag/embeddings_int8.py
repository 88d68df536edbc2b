"""A converted model in int8: made and calibrated once, and refused where it is not as good, or not faster.

It embeds documents only. Questions stay with the model as converted, so that a library may hold vectors of both: what
is compared with a question is then at most one rounding away from exact, whichever engine made it.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from rag.embeddings_openvino import MODEL_FILE, Conversion, OpenvinoEmbeddings, sizes, write_conversion
from rag.errors import ModelError
from rag.tokens import read_tokenizer

# Measured on 2,088 chunks and questions of other sets: .978 on average, .93 at least, and recall no worse; the int8
# that is known to ruin recall (scales chosen as it runs) had .67 to .86.
LEAST_COSINE = 0.90
LEAST_MEAN_COSINE = 0.96
# The reciprocal rank at which a passage is found by a sentence cut from it: the lower end of the 95 % interval of the
# difference. There are only some fifty passages, whose interval alone is about .02 wide on either side.
LEAST_GAIN = -0.05
LEAST_SPEED_UP = 1.15  # below it the gain is not worth another copy of the model on the disk
_SAMPLES = Path(__file__).parent.parent / "sample_docs"
_PASSAGE, _LONG = 600, 1400  # characters
_PROBED, _ROUNDS = 8, 3  # passages, and how often both engines embed them: about a second
_STEPS = 3


def quantize(
    folder: Path, converted: Path, conversion: Conversion, target: Path, step: Callable[[int, int], None]
) -> Conversion:
    """Make `target`, the int8 form of the conversion in `converted`, and check it. `step` hears of steps and of all.

    The folder gets its name when it is whole and checked; a model that is refused leaves the reason there. Raises
    ModelError where the check cannot be made, OSError where the folder cannot be written.
    """
    passages = read_passages(_PASSAGE)
    step(0, _STEPS)
    for left in target.parent.glob(f"{target.name}.*partial"):
        shutil.rmtree(left, ignore_errors=True)
    # A name of its own each time: the child of a process that was killed may go on writing to the one before
    partial = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.partial")
    partial.mkdir()
    _calibrate(folder, converted / MODEL_FILE, [*passages, *read_passages(_LONG)], conversion, partial / MODEL_FILE)
    step(1, _STEPS)
    made = replace(conversion, files=sizes(partial))
    exact = OpenvinoEmbeddings(folder, converted, conversion, "")
    quick = OpenvinoEmbeddings(folder, partial, made, "")
    step(2, _STEPS)
    vectors = [np.array(engine.embed_documents(passages)) for engine in (exact, quick)]
    cosines = (vectors[0] * vectors[1]).sum(axis=1)
    made = replace(made, cosine=float(cosines.min()), refusal=drift(cosines))
    if not made.refusal:
        made = replace(made, refusal=loss(exact, quick, passages))
    if not made.refusal:
        made = replace(made, speed_up=speed_up(exact, quick, passages[:_PROBED]))
        if made.speed_up < LEAST_SPEED_UP:
            made = replace(made, refusal=f"int8 is only {made.speed_up:.2f} times as fast as {conversion.precision}")
    if made.refusal:
        for file in partial.iterdir():
            file.unlink()
    write_conversion(partial, made)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    if not made.refusal:
        OpenvinoEmbeddings(folder, target, made, "")  # leaves it compiled, while no other process looks
    return made


def read_passages(size: int) -> list[str]:
    """The text of the sample documents that are plain text, in pieces of `size` characters. Raises ModelError."""
    suffixes = (".csv", ".html", ".md", ".txt")
    files = [path for path in sorted(_SAMPLES.glob("*")) if path.suffix in suffixes] if _SAMPLES.is_dir() else []
    if not files:
        raise ModelError(f"{_SAMPLES} holds no documents to calibrate by; put the project's sample_docs there")
    text = "\n\n".join(path.read_text(encoding="utf-8") for path in files)
    return [text[start : start + size] for start in range(0, len(text), size)]


def drift(cosines: np.ndarray) -> str:
    """Why vectors with these cosines to exact ones cannot be used; empty where they can."""
    least, mean = float(cosines.min()), float(cosines.mean())
    if least >= LEAST_COSINE and mean >= LEAST_MEAN_COSINE:
        return ""
    return f"int8's vectors stray: cosine {least:.3f} at least and {mean:.3f} on average"


def loss(exact: OpenvinoEmbeddings, quick: OpenvinoEmbeddings, passages: list[str]) -> str:
    """Why the int8 vectors of passages find less, by questions embedded exactly; empty where they do not."""
    sentences, rests = zip(*(cut_sentence(passage) for passage in passages), strict=True)
    questions = np.array(exact.embed_documents(list(sentences)))
    ranks = [reciprocal_ranks(questions, np.array(engine.embed_documents(list(rests)))) for engine in (exact, quick)]
    gains = ranks[1] - ranks[0]
    low = float(gains.mean() - 1.96 * gains.std(ddof=1) / len(gains) ** 0.5)
    if low >= LEAST_GAIN:
        return ""
    return f"int8 finds less: a passage's reciprocal rank changes by {gains.mean():+.3f}, or {low:+.3f}"


def cut_sentence(passage: str) -> tuple[str, str]:
    """The words in the middle of a passage, some fifteen, and what is left of it."""
    words = passage.split()
    start = len(words) // 2
    return " ".join(words[start : start + 15]), " ".join(words[:start] + words[start + 15 :])


def reciprocal_ranks(questions: np.ndarray, passages: np.ndarray) -> np.ndarray:
    """1 / the rank of the passage that each question belongs to; both one vector a row."""
    scores = questions @ passages.T
    ranks: np.ndarray = (scores >= np.diagonal(scores)[:, None]).sum(axis=1)
    return 1 / ranks


def speed_up(exact: OpenvinoEmbeddings, quick: OpenvinoEmbeddings, passages: list[str]) -> float:
    """How many times as fast int8 is, by the time of the cores: the clock tells of what else the machine does."""
    ratios = []
    for _ in range(_ROUNDS):
        taken = []
        for engine in (exact, quick):
            began = time.process_time()
            engine.embed_documents(passages)
            taken.append(time.process_time() - began)
        ratios.append(taken[0] / taken[1])
    return statistics.median(ratios)


def _calibrate(folder: Path, model: Path, texts: list[str], conversion: Conversion, target: Path) -> None:
    tokenizer = read_tokenizer(folder)
    tokenizer.enable_truncation(conversion.max_tokens)
    tokens = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]
    told = json.dumps({"model": str(model), "tokens": tokens, "target": str(target)})
    command = [sys.executable, "-m", "rag.embeddings_quantize"]
    done = subprocess.run(command, input=told, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    if done.returncode or not target.exists():
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise ModelError(f"{folder.name} cannot be had in int8: {said[-1]}")
