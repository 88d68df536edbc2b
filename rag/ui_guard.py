"""What failed, as a message for a person."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from rag.errors import RagError
from rag.ui_texts import ENGLISH

log = logging.getLogger(__name__)

Value = TypeVar("Value")


def guard(work: Callable[[], Value], fallback: Value) -> tuple[Value, str]:
    """The result of `work` and no message, or the fallback and what to tell."""
    try:
        return work(), ""
    except RagError as error:
        return fallback, str(error)
    except Exception:
        log.exception("an action of the page failed")
        return fallback, ENGLISH.UNEXPECTED
