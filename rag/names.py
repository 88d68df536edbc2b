"""Names and codes: what a text speaks of, and whether another text does too. No model is asked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import pairwise

_WORD = re.compile(r"[^\W_]+(?:['’.,][^\W_]+)*")
_ENGLISH = re.compile(  # words that German, French and Spanish do not have
    r"\b(?:and|are|by|did|does|for|from|how|is|of|that|the|to|were|what|when|where|which|who|why|with)\b", re.IGNORECASE
)
_BREAK = re.compile(r"[.!?:][\"'”’)\]]*\s")  # the next word is capitalised in any case
_ALIKE = 0.9  # "Wessel" and "Wesel" are; "Slovakia" and "Slovenia" are not
_ROOT = 5  # letters that stand for a word: "American" and "America" meet
_SHORT = 4  # letters: with fewer, what is written in capitals may be written in full in more ways than can be told
_STRESSED = re.compile(  # what people write in capitals though it is no name
    "also|always|been|each|ever|every|exactly|first|last|least|most|must|"
    "never|none|once|only|other|same|should|still|they|this|very|your",
    re.IGNORECASE,
)
_LEFT_OUT = {"a", "an", "and", "at", "by", "for", "in", "of", "on", "or", "the", "to"}  # of what is abbreviated


def absent_names(text: str, others: Iterable[str], *, misspelt: bool = False) -> list[str]:
    """The names and codes of a sentence that none of the other texts has: it speaks of what they do not.

    Names are capitalised words inside an English sentence (in other languages capitals may say less), codes are words
    with letters and digits, or numbers of three digits and more, which are not often written out. A name in two words
    may be one there: "Sky Drive", "SkyDrive". One in capitals may stand there in full, by its initials, and counts only
    from four letters on. Where a name may be `misspelt`, one that is a letter off counts as there.
    """
    found = list(_WORD.finditer(text))
    named = list(_named(text, found))
    if not named:  # which saves reading the texts
        return []
    texts = list(others)
    known = set[str]().union(*map(_words, texts))
    roots = {word[:_ROOT] for word in known}
    joined = [match for pair in pairwise(found) if "".join(word[0] for word in pair).lower() in known for match in pair]
    absent = []
    for match in named:
        name = match[0]
        if _words(name) <= known:
            continue
        if _is_code(name) or not (name.lower()[:_ROOT] in roots or match in joined or _stands_in_full(name, texts)):
            absent.append(name)
    if misspelt:
        absent = [name for name in absent if _is_code(name) or not get_close_matches(name.lower(), known, 1, _ALIKE)]
    return absent


def file_words(source: str) -> str:
    """The words of a file's name, apart."""
    return re.sub(r"[\W_]+", " ", source)


def _named(text: str, words: Sequence[re.Match[str]]) -> Iterator[re.Match[str]]:
    english = _ENGLISH.search(text) is not None and not text.isupper()
    for before, match in zip([None, *words], words, strict=False):
        inside = before is not None and not _BREAK.search(text, before.end(), match.start())
        if _is_code(match[0]) or (english and inside and _is_name(match[0])):
            yield match


def _is_code(word: str) -> bool:
    digits = sum(char.isdigit() for char in word)
    return digits > 2 if digits == len(word) else digits > 0 and not re.fullmatch(r"[\d.,]+|\d+(?:st|nd|rd|th|s)", word)


def _is_name(word: str) -> bool:
    letters = _bare(word)
    if letters.isupper():
        return len(letters) >= _SHORT and not _STRESSED.fullmatch(letters)
    return word[0].isupper() and len(word) > 2


def _stands_in_full(word: str, texts: Iterable[str]) -> bool:
    letters = _bare(word)
    return letters.isupper() and any(letters.lower() in _initials(text) for text in texts)


def _initials(text: str) -> str:
    return "".join(word[0] for word in _WORD.findall(text.lower()) if word not in _LEFT_OUT)


def _words(text: str) -> set[str]:
    if not text.isascii():
        text = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return {word if word.isalnum() else _bare(word) for word in _WORD.findall(text.lower())}


def _bare(word: str) -> str:
    return re.sub(r"['’][sS]?$", "", word).replace(",", "").replace(".", "")
