"""The checking of an answer: which sentence is held by which source. No model is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations

from rag.names import absent_names
from rag.types import Citation, Sentence

SUPPORT = 0.5  # share of a sentence's content words that a source must have for it to hold the sentence
_MARKER = re.compile(r"\s*\[(\d+(?:\s*,\s*\d+)*)\]")
_ROUND_MARKER = re.compile(r"\((\d{1,2})\)(?=\W*$)")  # small models write "(2)" as well
_LEAD_IN = re.compile(r"^\s*(?:according to|as stated in|in)\s+(?:source\s+)?(\[\d+\]),?\s*", re.IGNORECASE)
_STRANDED = re.compile(r"[,;](?=[.!?]?\s*$)")  # "64.00 pounds, [2]." without its marker
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WORD = re.compile(r"[^\W\d_]{2,}")
_STEM = 5  # letters that stand for a word's stem: "capped" and "capping" meet
_BOUNDARY = re.compile(  # each begins with one of a few characters, which re finds quickly
    r"[.!?…。！？\n](?:(?<=\n)\n*|(?<=[。！？])"
    r"|(?<=[.!?…])[\"'”’)]*(?:\s*\[[\d,\s]+\])*\s+(?=[\"'“‘(]?[A-Z0-9À-Þ]))"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:\d{1,2}|[A-Z]|Mr|Mrs|Ms|Dr|St|No|Nos|vs|etc|e\.g|i\.e|cf|p|pp|Inc|Ltd|Co|Jr|Sr|approx)\.)$"
)
_LONGEST = len("approx.")  # of the abbreviations
_REFUSAL = re.compile(
    r"\b(?:documents?|sources?|texts?|passages?|context|information|excerpts?)\b.{0,60}?"
    r"\b(?:do(?:es)?|is|are|was|were)\s*(?:not|n[’']t)\b.{0,30}?"
    r"\b(?:say|state|mention|provide|contain|include|specif|give|list|indicate|discuss|address|available|found|cover|hold)",
    re.IGNORECASE | re.DOTALL,
)
_DENIED = 4  # words after a denial that it is about
_DENIAL = re.compile(
    r"\b(?:not|never|no|none|nobody|nothing|neither|cannot|without|nicht|nie|keine?[mnrs]?|ohne)\b|n[’']t\b",
    re.IGNORECASE,
)
_CAPITALISED = re.compile(r"\b[A-ZÀ-Þ]\w+")
_PASSIVE = re.compile(r"\bby\b|\b(?:is|are|was|were|be|been|being)\s+(?!\w+ing\b)")
_STOPWORDS = frozenset(
    re.findall(
        r"\w+",
        """
        the and for are was were has have had been will would can could should may might must that this these those with
        from into onto over under about after before than then them they their there here his her its our your you she
        who whom whose which what when where why how not but nor yet all any each such also only very more most some
        said says according source sources document documents is it in on of to at by an as be or if so we he do does
        """,
    )
)


def is_refusal(text: str) -> bool:
    """Whether an answer says, to begin with, that the sources do not hold what was asked."""
    first = split_sentences(text)[:1]
    return bool(first) and _REFUSAL.search(first[0]) is not None


def split_sentences(text: str) -> list[str]:
    """The sentences of a text with the white space after each; joined they give the text back."""
    ends = [match.end() for match in _BOUNDARY.finditer(text) if not _abbreviated(text, match)]
    starts = [0, *ends]
    pieces = [text[start:end] for start, end in zip(starts, [*ends, len(text)], strict=True)]
    return [piece for piece in pieces if piece]


def _abbreviated(text: str, boundary: re.Match[str]) -> bool:
    end = boundary.start() + (boundary[0][0] != "\n")
    return _ABBREVIATION.search(text, max(0, end - _LONGEST), end) is not None


def check_answer(text: str, sources: Sequence[Citation], question: str = "") -> tuple[str, tuple[Sentence, ...]]:
    """Check every sentence of an answer against the sources.

    A marker [n] stays where source n holds the sentence; else the source that holds it best takes its place; a
    sentence that none holds loses its markers. A number or name that the question or the file's name brought ("in the
    2026 edition") need not be in the source. Returns the answer with these markers, and its sentences.
    """
    sentences = tuple(_check_sentence(piece, sources, question) for piece in split_sentences(text))
    return "".join(_marked(sentence) for sentence in sentences), sentences


def support(sentence: str, source: str, known: str = "") -> float:
    """How much of a sentence a source holds: the share of its content words.

    0 if a number or a name is missing there and not `known` from the question, if one of the two denies what the other
    says, or if it says of two names what the source says of them the other way round. A sentence without content words
    ("Yes.") gets 0 too.
    """
    numbers = _numbers(sentence) - _numbers(known)
    if not numbers <= _numbers(source) or absent_names(sentence, (source, known)):
        return 0.0
    if _contradicts(sentence, source):
        return 0.0
    words = _stems(sentence)
    if not words:
        return float(bool(numbers))
    return (len(words & _stems(source)) + len(numbers)) / (len(words) + len(numbers))


def _check_sentence(piece: str, sources: Sequence[Citation], question: str) -> Sentence:
    shown = {str(source.number) for source in sources}
    piece = _ROUND_MARKER.sub(lambda match: f"[{match[1]}]" if match[1] in shown else match[0], piece)
    piece = _without_headers(piece, sources)
    claimed = [int(number) for group in _MARKER.findall(piece) for number in group.split(",")]
    text = _STRANDED.sub("", _MARKER.sub("", _without_lead_in(piece)))
    scores = {source.number: support(text, source.text, f"{question} {source.source}") for source in sources}
    held = [number for number in dict.fromkeys(claimed) if scores.get(number, 0.0) >= SUPPORT]
    if not held and scores:
        best = max(scores, key=lambda number: scores[number])
        held = [best] if scores[best] >= SUPPORT else []
    return Sentence(text, tuple(sorted(held)))


def _without_lead_in(piece: str) -> str:
    """ "According to [1], water boils." as "Water boils.": without its marker the beginning would mean nothing."""
    rest = _LEAD_IN.sub("", piece)
    return rest if rest == piece else rest[:1].upper() + rest[1:]


def _without_headers(piece: str, sources: Sequence[Citation]) -> str:
    """ "In 1498 (plague.txt)." as "In 1498.": models copy the file's name from above its text; the marker tells it."""
    for name in {source.source for source in sources}:
        piece = re.sub(rf"\s*\({re.escape(name)}(?:,[^()]*)?\)", "", piece)
    return piece


def _marked(sentence: Sentence) -> str:
    markers = "".join(f"[{number}]" for number in sentence.citations)
    body = sentence.text.rstrip()
    return f"{body} {markers}{sentence.text[len(body) :]}" if markers else sentence.text


def _contradicts(sentence: str, source: str) -> bool:
    """Whether the nearest sentence of the source says the opposite."""
    words = _stems(sentence)
    nearest = max(split_sentences(source), key=lambda piece: len(words & _stems(piece)))
    return _denies(sentence, nearest) or _swaps(sentence, nearest)


def _denies(sentence: str, nearest: str) -> bool:
    """Whether one of the two denies what the other says."""
    ours, theirs = _denied(sentence), _denied(nearest)
    if ours is None:
        return theirs is not None and bool(theirs & _stems(sentence))
    return theirs is None and bool(ours & _stems(nearest))


def _swaps(sentence: str, nearest: str) -> bool:
    """Whether two names stand the other way round about the same words: "Holm paid Reid" for "Reid paid Holm".

    Where only one of the two is in the passive, they mean the same: "Holm was paid by Reid".
    """
    ours, theirs = _between_names(sentence), _between_names(nearest)
    return any(
        bool(_stems(between) & _stems(theirs[other, one]))
        and bool(_PASSIVE.search(between)) == bool(_PASSIVE.search(theirs[other, one]))
        for (one, other), between in ours.items()
        if (other, one) in theirs and (one, other) not in theirs and (other, one) not in ours
    )


def _between_names(text: str) -> dict[tuple[str, str], str]:
    """The plain words between two capitalised ones, for each pair of these in their order."""
    found = [(match[0], *match.span()) for match in _CAPITALISED.finditer(text)]
    return {
        (one, other): _CAPITALISED.sub(" ", text[end:start])
        for (one, _, end), (other, start, _) in combinations(found, 2)
    }


def _denied(text: str) -> set[str] | None:
    """The stems right after the denials of a text; None without any."""
    ends = [match.end() for match in _DENIAL.finditer(text)]
    return set().union(*(_stems(" ".join(text[end:].split()[:_DENIED])) for end in ends)) if ends else None


def _numbers(text: str) -> set[str]:
    return {number.replace(",", "") for number in _NUMBER.findall(text)}


def _stems(text: str) -> set[str]:
    return {word[:_STEM] for word in _WORD.findall(text.lower()) if word not in _STOPWORDS}
