"""Names and codes: what a text speaks of, and whether another text does too. No model is asked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import pairwise

_WORD = re.compile(r"[^\W_]+(?:['’.,][^\W_]+)*")
_ENGLISH = re.compile(  # words that German, French and Spanish do not have
    r"\b(?:and|are|by|did|does|for|from|how|is|of|that|the|to|were|what|when|where|which|who|why|with)\b", re.IGNORECASE
)
_BREAK = re.compile(r"[.!?:][\"'”’)\]]*\s")  # the next word is capitalised in any case
_ALIKE = 0.9  # "Wessel" and "Wesel" are; "Slovakia" and "Slovenia" are not
_ROOT = 5  # letters that stand for a word: "American" and "America" meet


def absent_names(text: str, others: Iterable[str], *, misspelt: bool = False) -> list[str]:
    """The names and codes of a sentence that none of the other texts has: it speaks of what they do not.

    Names are capitalised words inside an English sentence (in other languages capitals may say less), codes are words
    with letters and digits, or numbers of three digits and more, which are not often written out. A name in two words
    may be one there: "Sky Drive", "SkyDrive". Where a name may be `misspelt`, one that is a letter off counts as there.
    """
    known: set[str] = set()
    for other in others:
        known |= _words(other)
    roots = {word[:_ROOT] for word in known}
    found = list(_WORD.finditer(text))
    joined = [match for pair in pairwise(found) if "".join(word[0] for word in pair).lower() in known for match in pair]
    english = _ENGLISH.search(text) is not None
    absent = []
    for before, match in zip([None, *found], found, strict=False):
        name, code = match[0], _is_code(match[0])
        inside = before is not None and not _BREAK.search(text, before.end(), match.start())
        if not (code or (english and inside and _is_name(name))) or _words(name) <= known:
            continue
        if code or (name.lower()[:_ROOT] not in roots and match not in joined):
            absent.append(name)
    if misspelt:
        absent = [name for name in absent if _is_code(name) or not get_close_matches(name.lower(), known, 1, _ALIKE)]
    return absent


def file_words(source: str) -> str:
    """The words of a file's name, apart."""
    return re.sub(r"[\W_]+", " ", source)


def _is_code(word: str) -> bool:
    digits = sum(char.isdigit() for char in word)
    return digits > 2 if digits == len(word) else digits > 0 and not re.fullmatch(r"[\d.,]+|\d+(?:st|nd|rd|th|s)", word)


def _is_name(word: str) -> bool:
    return word[0].isupper() and len(word) > 2 and not word.isupper()


def _words(text: str) -> set[str]:
    plain = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return {re.sub(r"['’]s?$", "", word.lower()).replace(",", "").replace(".", "") for word in _WORD.findall(plain)}
