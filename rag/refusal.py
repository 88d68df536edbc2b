"""Whether passages hold the answer to a question, decided before the model writes one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from langchain_core.documents import Document
from langchain_core.language_models.chat_models import BaseChatModel

from rag.prompts import JUDGE, REFUSAL, show_source

SURE = 0.7  # a passage of which the model says Yes so surely is the one
_LEAD = 1.0  # log-odds by which a passage's Yes must be ahead of another's for each place that it stands behind it
_SIGNALS = "passage by passage"  # another word when a signal comes to mean something else: older fits do not hold
_LEAST, _MOST = 0.02, 0.99  # a model is never surer than this, one way or the other
_NEAR = 0.45  # a cosine: what is nearer than this is about the right thing, and how near says no more


class Signals(NamedTuple):
    """What the decision rests on.

    `yes` is the model's probability (0 to 1) that it says Yes when asked whether a passage states the answer, that of
    the passage of which it is surest; `cosine` that of the best passage.
    """

    yes: float
    cosine: float


class Calibration(NamedTuple):
    """A logistic regression over the features of signals."""

    constant: float
    yes: float
    cosine: float

    def probability(self, signals: Signals) -> float:
        """That the passages hold the answer, 0 to 1."""
        yes, cosine = features(signals)
        return 1 / (1 + math.exp(-self.constant - self.yes * yes - self.cosine * cosine))


# Fitted on the default models to 146 questions of five libraries, more alike in weight than in number;
# `python -m rag calibrate` fits others.
SHIPPED = Calibration(constant=-3.83, yes=1.68, cosine=5.34)


def features(signals: Signals) -> tuple[float, float]:
    """What the regression weighs: the log-odds of the Yes, within bounds, and the cosine as far as it tells."""
    return _log_odds(signals.yes), min(signals.cosine, _NEAR)


def _log_odds(probability: float) -> float:
    probability = min(max(probability, _LEAST), _MOST)
    return math.log(probability / (1 - probability))


def dump_calibration(calibration: Calibration, models: str) -> str:
    """What a library keeps of a calibration, and of the models that it was fitted on."""
    return json.dumps(calibration._asdict() | _fitted_on(models))


def load_calibration(kept: str | None, models: str) -> Calibration:
    """The calibration that a library keeps if it was fitted on these models and signals, else the shipped one."""
    fields = json.loads(kept) if kept else {}
    fitted_on = {key: value for key, value in fields.items() if key not in Calibration._fields}
    if fitted_on != _fitted_on(models):
        return SHIPPED
    return Calibration(**{key: fields[key] for key in Calibration._fields})


def _fitted_on(models: str) -> dict[str, object]:
    return {"models": models, "signals": _SIGNALS}


class Reading(NamedTuple):
    """What came of reading passages: those that the answer is to be written from, or the refusal that is due."""

    chunks: Sequence[Document]
    refusal: str | None = None


class Judge:
    """Finds the passage that answers a question: by the names that are in none, and by the model's own word.

    The model is not asked where `refuse_below` is 0; the answer is then written from all passages.
    """

    def __init__(self, llm: BaseChatModel, question: str, calibration: Calibration, refuse_below: float) -> None:
        self.probability: float | None = None  # that the chunks hold the answer; None: not asked, or not told
        self._llm = llm
        self._question = question
        self._calibration = calibration
        self._refuse_below = refuse_below

    def read(self, chunks: Sequence[Document], goes_on: Callable[[], None] = lambda: None) -> Reading:
        """Read the chunks, best first, until one answers. `goes_on` is called before each; what it raises ends it."""
        if not chunks:
            return Reading((), REFUSAL)
        if absent := chunks[0].metadata["absent"]:
            named = " or ".join(absent)
            way_out = "If they mean it by another name, or by none, ask without it."
            return Reading((), f"{REFUSAL} The nearest passages do not mention {named}. {way_out}")
        if not self._refuse_below:
            return Reading(chunks)
        chunk, signals = find_signals(self._llm, self._question, chunks, goes_on)
        if signals is None:
            return Reading(chunks)
        self.probability = self._calibration.probability(signals)
        if self.probability < self._refuse_below:
            return Reading((), f"{REFUSAL} The nearest passages are about something else.")
        return Reading([chunk])


def find_signals(
    llm: BaseChatModel, question: str, chunks: Sequence[Document], goes_on: Callable[[], None] = lambda: None
) -> tuple[Document, Signals | None]:
    """The chunk that answers by the model's word, and the signals; None of them from a model that says neither word.

    Chunks are read one at a time: a small model tells better whether one passage states an answer than whether any of
    several does, but the search knows too which is the best. The first that the model is sure of ends it.
    """
    said: list[float] = []
    for chunk in chunks:
        goes_on()
        yes = _ask(llm, question, chunk)
        if yes is None:
            return chunk, None
        said.append(yes)
        if yes >= SURE:
            break
    best = max(range(len(said)), key=lambda place: _log_odds(said[place]) - _LEAD * place)
    return chunks[best], Signals(max(said), max(chunk.metadata["score"] for chunk in chunks))


def _ask(llm: BaseChatModel, question: str, chunk: Document) -> float | None:
    """The probability (0 to 1) of the model's Yes to whether a chunk states the answer; None if it says neither."""
    messages = JUDGE.format_messages(context=show_source(chunk), question=question)
    reply = llm.invoke(messages, {"callbacks": []}, max_tokens=1, logprobs=True)
    told = (reply.response_metadata.get("logprobs") or {}).get("content")
    likeliest = math.exp(told[0]["logprob"]) if told else 1.0  # a server may not tell
    word = reply.text.strip().lower()
    if word not in ("yes", "no"):
        return None
    return likeliest if word == "yes" else 1 - likeliest
