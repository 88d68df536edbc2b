"""The errors a person may be shown. `str(error)` says what happened, to which file or setting, and what to do."""

from __future__ import annotations

from typing import Literal

# What kept a document out: nothing in it, a password, a format that is not read, damage (or a parser that crashed on
# it), a bound, no progress within the time limit, or a file that could not be opened or read to its end.
Failure = Literal["empty", "password", "unsupported", "corrupt", "too_large", "timed_out", "unreadable"]


class RagError(Exception):
    """Anything Footnote can explain to a person. The edges (page, command line) show `str(error)` and nothing more."""


class SettingError(RagError):
    """A setting (an environment variable or a flag) has a value that cannot be used."""


class DocumentError(RagError):
    """A document could not be read. The reason completes the sentence "FILE was not added: ..."."""

    def __init__(self, reason: str, outcome: Failure = "corrupt") -> None:
        super().__init__(reason)
        self.outcome: Failure = outcome


class ModelError(RagError):
    """A model's weights are missing or altered, or its server does not answer."""


class LibraryError(RagError):
    """The library on disk cannot be opened, read or written as asked."""


class EvaluationError(RagError):
    """A question set or a file of results cannot be read, or two results cannot be compared."""
