"""What a document can be asked about, read off its own headings: no model is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable

_READ = 40_000  # characters of a document that are looked at
_QUESTION = re.compile(r"^(?:#{1,6} +)?([A-ZÀ-Þ][^\n?|]{12,90}\?)[ \t]*$", re.MULTILINE)
_HEADING = re.compile(r"^#{2,6} +(?:[\d.]+ +)?(.+?)[ \t#]*$", re.MULTILINE)
_NUMBERED = re.compile(r"^\d{1,2}(?:\.\d{1,2})*\.? +([A-ZÀ-Þ][^\n.?!;:|]{3,59})$", re.MULTILINE)
_EMPTY = re.compile(r"(?:table of )?contents|introduction|overview|purpose|summary|references|appendix.*|index|general")


def find_topics(pages: Iterable[str]) -> list[str]:
    """Questions that stand in a text as lines of their own, or else its headings; empty where it has neither."""
    text = ""
    for page in pages:
        text += page[: _READ - len(text)] + "\n"
        if len(text) >= _READ:
            break
    if questions := list(dict.fromkeys(_QUESTION.findall(text))):
        return questions
    found = dict.fromkeys(_quiet(title.strip()) for form in (_HEADING, _NUMBERED) for title in form.findall(text))
    return [title for title in found if 4 <= len(title) <= 60 and not _EMPTY.fullmatch(title.lower())]


def _quiet(title: str) -> str:
    """A heading in capitals as a sentence has it; a word with a figure in it is a name."""
    if not title.isupper():
        return title
    words = (word if any(map(str.isdigit, word)) else word.lower() for word in title.split())
    lowered = " ".join(words)
    return lowered[:1].upper() + lowered[1:]


def choose_topic(topics: list[str]) -> str:
    """The one that says most: of the longest ones the first."""
    return max(topics, key=lambda topic: len(topic.split()))
