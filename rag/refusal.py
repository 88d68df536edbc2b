"""Whether passages hold the answer to a question, decided before the model writes one."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import NamedTuple

from langchain_core.documents import Document
from langchain_core.language_models.chat_models import BaseChatModel

from rag.prompts import JUDGE, REFUSAL, show_sources

_LEAST, _MOST = 0.02, 0.99  # a model is never surer than this, one way or the other


class Signals(NamedTuple):
    """What the decision rests on.

    `yes` is the model's probability (0 to 1) that it says Yes when asked whether the passages state the answer, and
    `cosine` that of the best passage.
    """

    yes: float
    cosine: float


class Calibration(NamedTuple):
    """A logistic regression over the signals, the Yes as log-odds."""

    constant: float
    yes: float
    cosine: float

    def probability(self, signals: Signals) -> float:
        """That the passages hold the answer, 0 to 1."""
        return 1 / (1 + math.exp(-self.constant - self.yes * log_odds(signals.yes) - self.cosine * signals.cosine))


# Fitted on the default models to 138 questions of three libraries, each library and either answer weighing the same;
# `python -m rag calibrate` fits others.
SHIPPED = Calibration(constant=-4.09, yes=1.27, cosine=4.72)


def log_odds(yes: float) -> float:
    """The log-odds of a probability, within bounds."""
    yes = min(max(yes, _LEAST), _MOST)
    return math.log(yes / (1 - yes))


def dump_calibration(calibration: Calibration, models: str) -> str:
    """What a library keeps of a calibration, and of the models that it was fitted on."""
    return json.dumps(calibration._asdict() | {"models": models})


def load_calibration(kept: str | None, models: str) -> Calibration:
    """The calibration that a library keeps if it was fitted on these models, else the shipped one."""
    fields = json.loads(kept) if kept else {}
    return Calibration(**fields) if fields.pop("models", None) == models else SHIPPED


class Judge:
    """Whether chunks hold the answer to a question: by the names that are not in them, and by the model's own word.

    The model is not asked where `refuse_below` is 0.
    """

    def __init__(self, llm: BaseChatModel, question: str, calibration: Calibration, refuse_below: float) -> None:
        self.probability: float | None = None  # that the chunks hold the answer; None: not asked, or not told
        self._llm = llm
        self._question = question
        self._calibration = calibration
        self._refuse_below = refuse_below

    def doubt(self, chunks: Sequence[Document]) -> str | None:
        """The refusal that is due when the chunks do not hold the answer."""
        if not chunks:
            return REFUSAL
        if absent := chunks[0].metadata["absent"]:
            return f"{REFUSAL} The nearest passages do not mention {' or '.join(absent)}."
        if self._refuse_below and (signals := find_signals(self._llm, self._question, chunks)):
            self.probability = self._calibration.probability(signals)
            if self.probability < self._refuse_below:
                return f"{REFUSAL} The nearest passages are about something else."
        return None


def find_signals(llm: BaseChatModel, question: str, chunks: Sequence[Document]) -> Signals | None:
    """The signals of these chunks; None from a model that says neither Yes nor No."""
    messages = JUDGE.format_messages(context=show_sources(chunks), question=question)
    reply = llm.invoke(messages, {"callbacks": []}, max_tokens=1, logprobs=True)
    told = (reply.response_metadata.get("logprobs") or {}).get("content")
    likeliest = math.exp(told[0]["logprob"]) if told else 1.0  # a server may not tell
    word = reply.text.strip().lower()
    if word not in ("yes", "no"):
        return None
    return Signals(likeliest if word == "yes" else 1 - likeliest, max(chunk.metadata["score"] for chunk in chunks))
