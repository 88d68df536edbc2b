"""The int8 form of the embedding model: what it is made of, what refuses it, and the real one."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rag.embeddings_int8 as int8
from rag.embeddings_openvino import Conversion, read_conversion
from rag.errors import ModelError

STRAY = "int8's vectors stray: cosine 0.890 at least and 0.953 on average"
BASE = Conversion(cosine=0.9996, precision="bf16", pad=1, dimension=64, max_tokens=384)


class Scripted:
    """An engine whose vector of a text is its words', of which `forgets` are missing and `noise` is added."""

    def __init__(self, forgets: float = 0.0, noise: float = 0.0, cost: int = 1) -> None:
        self.forgets, self.noise, self.cost = forgets, noise, cost

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        for _ in range(self.cost * 20):
            np.linalg.svd(np.ones((60, 60)))
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> list[float]:
        vector = np.full(256, 1e-3)
        for word in text.split():
            random = np.random.default_rng(list(word.encode()))
            vector += (random.random() >= self.forgets) * random.standard_normal(256)
        vector += self.noise * np.random.default_rng(len(text)).standard_normal(256)
        return list(vector / np.linalg.norm(vector))


def test_calibration_texts_are_the_projects_own() -> None:
    passages = int8.read_passages(600)
    assert len(passages) >= 40 and all(0 < len(passage) <= 600 for passage in passages)
    samples = "".join(path.read_text("utf-8") for path in Path("sample_docs").glob("*.md"))
    assert sum(passage in samples for passage in passages) >= 15


def test_missing_samples_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(int8, "_SAMPLES", tmp_path / "gone")
    with pytest.raises(ModelError, match="gone holds no documents to calibrate by"):
        int8.read_passages(600)


def test_vectors_that_stray_are_refused() -> None:
    assert int8.drift(np.array([0.98, 0.93, 0.97])) == ""
    assert int8.drift(np.array([0.98, 0.89, 0.99])) == STRAY
    assert "0.950 on average" in int8.drift(np.array([0.95, 0.95])), "each is near enough, all together are not"


def test_vectors_that_find_less_are_refused() -> None:
    passages: Any = int8.read_passages(600)
    exact: Any = Scripted()
    assert int8.loss(exact, Scripted(), passages) == ""  # type: ignore[arg-type]
    assert int8.loss(exact, Scripted(noise=0.5), passages) == ""  # type: ignore[arg-type]
    assert int8.loss(exact, Scripted(forgets=0.8), passages).startswith("int8 finds less")  # type: ignore[arg-type]


def test_ranks_count_those_before_and_ties_against() -> None:
    questions, passages = np.eye(3), np.array([[1.0, 0, 0], [0.9, 0.5, 0], [0, 0.5, 0.4]])
    assert int8.reciprocal_ranks(questions, passages).tolist() == [1, 1 / 2, 1]


def test_speed_is_told_by_the_time_of_the_cores() -> None:
    slow, quick = Scripted(cost=6), Scripted()
    assert int8.speed_up(slow, quick, ["a"]) > 2  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("quick", "refusal"),
    [
        (Scripted(noise=0.1), ""),
        (Scripted(forgets=0.8), "int8's vectors stray"),
        (Scripted(noise=0.1, cost=40), "int8 is only 0."),
    ],
)
def test_what_is_made_is_checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quick: Scripted, refusal: str
) -> None:
    def calibrate(folder: Path, model: Path, texts: list[str], conversion: Conversion, target: Path) -> None:
        for name in ("openvino_model.xml", "openvino_model.bin"):
            (target.parent / name).write_text("whole")

    engines = {"base": Scripted(cost=20)}
    monkeypatch.setattr(int8, "_calibrate", calibrate)
    monkeypatch.setattr(int8, "OpenvinoEmbeddings", lambda _, made_in, *__: engines.get(made_in.name, quick))
    made = int8.quantize(tmp_path, tmp_path / "base", BASE, tmp_path / "int8", lambda done, total: None)
    assert made.refusal.startswith(refusal) and bool(made.refusal) == bool(refusal)
    assert read_conversion(tmp_path / "int8") == made and not list(tmp_path.glob("*.partial"))
    assert (tmp_path / "int8/openvino_model.bin").exists() == (not refusal), "what is refused takes no disk"


def test_what_a_killed_run_left_is_removed_and_not_written_to_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its child may still be writing: what it writes must not become part of what is made now."""
    folders: list[Path] = []

    def killed(folder: Path, model: Path, texts: list[str], conversion: Conversion, target: Path) -> None:
        folders.append(target.parent)
        raise KeyboardInterrupt

    monkeypatch.setattr(int8, "_calibrate", killed)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            int8.quantize(tmp_path, tmp_path / "base", BASE, tmp_path / "int8", lambda done, total: None)
    assert folders[0] != folders[1] and list(tmp_path.iterdir()) == [folders[1]]


@pytest.mark.slow
def test_a_model_that_cannot_be_quantised_says_why(settings: Any, tmp_path: Path) -> None:
    from rag.tokens import embedding_folder

    folder = embedding_folder(settings, lambda _: None)
    (tmp_path / "base").mkdir()
    (tmp_path / "base/openvino_model.xml").write_text("<net>")
    with pytest.raises(ModelError, match="all-mpnet-base-v2 cannot be had in int8: "):
        int8.quantize(folder, tmp_path / "base", replace(BASE), tmp_path / "int8", lambda done, total: None)


def test_the_stamp_of_an_older_version_is_still_read(tmp_path: Path) -> None:
    (tmp_path / "converted.json").write_text(json.dumps({"refusal": "it strays", "cosine": 0.9}))
    assert read_conversion(tmp_path) == Conversion(refusal="it strays", cosine=0.9)
    shutil.rmtree(tmp_path)
