"""Pictures that stand in documents beside their text: what is written on them."""

from __future__ import annotations

import hashlib
import importlib
import logging
import zipfile
from collections.abc import Callable

from rag.loaders_context import reads_pictures, report_progress
from rag.loaders_package import PARSER_ERRORS

logger = logging.getLogger(__name__)

IN_A_PICTURE = "(in a picture: "
MAX_LOOKS = 200  # pictures of a document that are looked at, some seconds each
_LETTERS = 4  # at least, or it is a pattern that looks like letters


class Pictures:
    """The pictures of one document, each looked at once, however often it is shown: a logo is on every slide."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    @property
    def is_full(self) -> bool:
        """Whether no more pictures are looked at."""
        return len(self._seen) >= MAX_LOOKS

    def lines(self, data: bytes, unpack: Callable[[], bytes] | None = None) -> list[str]:
        """What is written on a picture, in brackets; nothing where that is nothing, or text in it is not read.

        `data` tells it from others; `unpack` makes a file of it where `data` is none, if it is to be looked at.
        """
        digest = hashlib.sha256(data).digest()
        if not reads_pictures() or digest in self._seen or self.is_full:
            return []
        self._seen.add(digest)
        report_progress(len(self._seen), 0, "pictures")
        reader = importlib.import_module("rag.loaders_picture")  # only now: it brings the models with it
        text: str = reader.read_embedded(unpack() if unpack else data)
        return in_brackets(text)

    def part_lines(self, package: zipfile.ZipFile, part: str) -> list[str]:
        """The same of a part of a package; nothing of one that is missing or damaged."""
        try:
            return self.lines(package.read(part))
        except PARSER_ERRORS as error:
            logger.info("a picture was left out", exc_info=error)
            return []


def in_brackets(text: str) -> list[str]:
    """The lines of a picture's text, told from the document's own."""
    if sum(map(str.isalnum, text)) < _LETTERS:
        return []
    return f"{IN_A_PICTURE}{text})".split("\n")
