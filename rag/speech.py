"""The speech model as the reading of files needs it: fetched when the first recording is met, and not before."""

from __future__ import annotations

import logging
import threading
import time

from rag import loaders_context
from rag.config import Settings
from rag.errors import DocumentError, ModelError
from rag.models import Report, fetch_model
from rag.models_table import SPEECH
from rag.types import Progress

logger = logging.getLogger(__name__)

SPEECH_OFF = "recordings are not read (RAG_SPEECH=off)"
_TICK = 0.1  # seconds between two looks at whether a recording is still wanted
_AGAIN_S = 300  # seconds until a fetch that failed is tried again: not once for each recording of a folder


SpeechAnswer = dict[str, str]
"""What a worker is told: {"folder"} of the model, or {"refusal", "outcome"}, why there is none."""

NO_SPEECH: SpeechAnswer = {"refusal": str(loaders_context.NO_SPEECH), "outcome": loaders_context.NO_SPEECH.outcome}


class SpeechModel:
    """Where the speech model is, for any number of threads; `report` hears of its download."""

    def __init__(self, settings: Settings, report: Report = lambda progress: None) -> None:
        self._settings = settings
        self._report = report
        self._lock = threading.Lock()
        self._answer: SpeechAnswer | None = None
        self._expires = float("inf")
        if settings.speech == "off":
            self._answer = {"refusal": SPEECH_OFF, "outcome": "unsupported"}

    def known(self) -> SpeechAnswer | None:
        """The answer, if it takes no looking; None where nobody has needed it yet."""
        return self._answer if time.monotonic() < self._expires else None

    def fetch(self, stopped: threading.Event) -> SpeechAnswer:
        """The answer, the model fetched if it is missing. Of what keeps it away, the answer tells.

        Raises DocumentError soon after another thread has set `stopped`; what was fetched by then is gone on from.
        """

        def report(progress: Progress) -> None:
            _check(stopped)
            self._report(progress)

        while not self._lock.acquire(timeout=_TICK):  # another thread fetches it
            _check(stopped)
        try:
            if answer := self.known():
                return answer
            cache, offline = self._settings.cache, self._settings.offline
            try:
                folder = fetch_model(SPEECH, cache=cache, offline=offline, progress=report)
                self._answer, self._expires = {"folder": str(folder)}, float("inf")
            except ModelError as error:
                logger.warning("recordings cannot be read: %s", error)
                refusal = f"it is a recording, and the model that reads them is not there: {error}"
                self._answer = {"refusal": refusal, "outcome": "unreadable"}  # it may be there tomorrow
                self._expires = time.monotonic() + _AGAIN_S
            return self._answer
        finally:
            self._lock.release()


def _check(stopped: threading.Event) -> None:
    if stopped.is_set():
        raise DocumentError("reading it was stopped", "unreadable")
