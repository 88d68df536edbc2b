"""Fits the decision to refuse to a question set of which it is known what the documents answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from rag.config import Settings
from rag.errors import EvaluationError
from rag.evaluate import answering_key, open_system
from rag.evaluate_records import ask_each
from rag.evaluate_set import Signalled, load_questions, sample
from rag.evaluate_systems import Footnote
from rag.models import Report
from rag.refusal import SHIPPED, Calibration, Signals, features

_FOLDS = 5
_STRENGTH = 10.0  # of the data against the wish for small weights: a cosine has a narrow range
_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


@dataclass(frozen=True, slots=True)
class Fit:
    """A calibration and what it is worth.

    `answerable` says it of each question, `probabilities` what a fit to the other questions gave it, in folds, and
    `shipped` what the shipped calibration did; `passed_over` counts questions on which the model is not asked.
    """

    calibration: Calibration
    answerable: Sequence[bool]
    probabilities: Sequence[float]
    shipped: Sequence[float]
    passed_over: int


def calibrate(settings: Settings, folder: Path, report: Report, limit: int | None = None) -> Fit:
    """Ask the models about each question of a set, or `limit` of them, and fit. Goes on where it was stopped.

    Raises RagError, as where there are too few questions of one kind.
    """
    questions = sample(load_questions(folder), limit)
    asked = open_system(settings, folder, report, Footnote)
    asked.ingest(folder / "docs")
    path = asked.settings.library / f"signals-{answering_key(asked)}.jsonl"
    found = ask_each(questions, path, Signalled, asked.signals, report, load=asked.load)
    told = [
        (Signals(one.yes, one.cosine), not question.unanswerable)
        for question in questions
        if (one := found[question.id]).yes is not None and one.cosine is not None
    ]
    return fit([signals for signals, _ in told], [answerable for _, answerable in told], len(questions) - len(told))


def fit(signals: Sequence[Signals], answerable: Sequence[bool], passed_over: int = 0) -> Fit:
    """A logistic regression over the signals in which answerable and unanswerable questions weigh the same.

    Raises EvaluationError where there are fewer than five of either.
    """
    yes_count, no_count = sum(answerable), len(answerable) - sum(answerable)
    if min(yes_count, no_count) < _FOLDS:
        raise EvaluationError(
            f"too few questions to fit to: {yes_count} answerable, {no_count} not; at least {_FOLDS} of each are needed"
        )
    weighed = np.array([features(one) for one in signals])
    labels = np.array(answerable)
    regression = LogisticRegression(class_weight="balanced", C=_STRENGTH).fit(weighed, labels)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    held_out = cross_val_predict(regression, weighed, labels, cv=folds, method="predict_proba")[:, 1]
    yes, cosine = regression.coef_[0]
    return Fit(
        Calibration(round(float(regression.intercept_[0]), 3), round(float(yes), 3), round(float(cosine), 3)),
        answerable,
        held_out.tolist(),
        [SHIPPED.probability(one) for one in signals],
        passed_over,
    )


def fit_lines(fitted: Fit) -> Iterator[str]:
    """What a fit is worth, in lines for a person."""
    labels = np.array(fitted.answerable)
    auc, shipped = (_auc(labels, scores) for scores in (fitted.probabilities, fitted.shipped))
    yield f"{labels.sum()} answerable and {(~labels).sum()} unanswerable questions; {fitted.passed_over} passed over"
    yield f"AUC {auc:.3f} (in {_FOLDS} folds), with the shipped numbers {shipped:.3f}"
    yield f"fitted: {', '.join(f'{name} {value:g}' for name, value in fitted.calibration._asdict().items())}"
    yield f"{'RAG_REFUSE_BELOW':<18}{'unanswerable refused':>22}{'answerable refused':>20}"
    for threshold in _THRESHOLDS:
        refused = np.array(fitted.probabilities) < threshold
        yield f"{threshold:<18g}{refused[~labels].mean():>22.1%}{refused[labels].mean():>20.1%}"


def _auc(labels: np.ndarray[Any, Any], scores: Sequence[float]) -> float:
    return float(roc_auc_score(labels, scores))
