"""Which candidates answer a question best, and which of them make one passage. No index and no model is asked."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from langchain_core.documents import Document

from rag.citations import split_sentences

LONGEST = 1500  # characters of a passage made of several chunks
_TOUCHING = 3  # characters between neighbours: the white space that splitting takes away
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
_SPACED = bytes(code if chr(code).isalnum() else ord(" ") for code in range(128)) + bytes(128)  # leaves words of ASCII


class Weights(NamedTuple):
    """What counts in ranking, beside the cosine's 1; `python -m benchmarks.retrieval` prints what each is worth."""

    words: float = 0.5  # BM25
    sentence: float = 1.0  # what one sentence has of the question
    opening: float = 0.25  # what the document's name and opening have of it: whom or which time it is about
    title: int = 300  # characters of the opening that count as said in each sentence of the document
    neighbour: float = 0.25  # the better neighbour: what stands beside an answer often belongs to it


@dataclass(frozen=True, slots=True)
class Candidates:
    """Chunks that may answer a question, by id, with their cosines, and their BM25 scores where they have any.

    `openings` are the names and first words of their documents, by document id.
    """

    chunks: Mapping[int, Document]
    cosines: Mapping[int, float]
    by_words: Mapping[int, float]
    openings: Mapping[int, str]


def rank(question: str, candidates: Candidates, weights: Weights) -> list[int]:
    """The ids of the candidates, best first.

    A chunk counts by its cosine (0 to 1 over the range of the candidates'), by BM25 and by its document's opening (each
    a share of the best there), by `evidence` in its best sentence, read under its headings and its document's title,
    and by a part of what the better of the two chunks that it touches counts.
    """
    chunks, cosines = candidates.chunks, candidates.cosines
    low, high = min(cosines.values(), default=0.0), max(cosines.values(), default=0.0)
    by_words = _of_the_best(candidates.by_words)
    openings = _of_the_best(evidence(question, {key: [text] for key, text in candidates.openings.items()}))
    titles = {document: words(opening[: weights.title]) for document, opening in candidates.openings.items()}
    sentences = evidence(
        question,
        {key: split_sentences(chunk.page_content) for key, chunk in chunks.items()},
        {
            key: [*titles.get(chunk.metadata["document_id"], ()), *words(chunk.metadata.get("headings", ""))]
            for key, chunk in chunks.items()
        },
    )
    own = {
        chunk_id: (cosines[chunk_id] - low) / ((high - low) or 1.0)
        + weights.words * by_words.get(chunk_id, 0.0)
        + weights.opening * openings.get(chunk.metadata["document_id"], 0.0)
        + weights.sentence * sentences[chunk_id]
        for chunk_id, chunk in chunks.items()
    }
    beside: dict[int, float] = {}
    for one, other in _neighbours(chunks):
        beside[one] = max(beside.get(one, 0.0), own[other])
        beside[other] = max(beside.get(other, 0.0), own[one])
    return sorted(own, key=lambda chunk_id: (-own[chunk_id] - weights.neighbour * beside.get(chunk_id, 0.0), chunk_id))


def evidence(
    question: str, texts: Mapping[int, Sequence[str]], over: Mapping[int, Iterable[str]] | None = None
) -> dict[int, float]:
    """For each text, given in pieces, the share of the question's words (0 to 1) that its best piece has.

    A piece has the words that stand `over` its text as well. So none is the better for saying them again, as a page of
    signatures says the names of company and quarter. A word counts the more the fewer of the texts have it (BM25's
    inverse document frequency, over these texts).
    """
    wanted = set(words(question))
    given = {key: wanted.intersection(over[key]) if over else set[str]() for key in texts}
    found = {
        key: [given[key].union(wanted.intersection(words(piece))) for piece in pieces] for key, pieces in texts.items()
    }
    having = Counter(word for in_pieces in found.values() for word in set().union(*in_pieces))
    weight = {word: math.log(1 + (len(texts) - having[word] + 0.5) / (having[word] + 0.5)) for word in wanted}
    whole = sum(weight.values()) or 1.0
    return {
        key: max((sum(weight[word] for word in in_piece) for in_piece in in_pieces), default=0.0) / whole
        for key, in_pieces in found.items()
    }


def _of_the_best(scores: Mapping[int, float]) -> dict[int, float]:
    most = max(scores.values(), default=0.0) or 1.0
    return {key: score / most for key, score in scores.items()}


def words(text: str) -> list[str]:
    """The words of a text in lower case; an ideograph or kana is a word by itself."""
    text = text.lower()
    if text.isascii():  # the same, in half the time
        return text.encode().translate(_SPACED).decode().split()
    return _WORD.findall(text)


def distinct(chunks: Iterable[Document]) -> list[Document]:
    """The chunks without those whose text an earlier one has word for word, under the same headings."""
    seen: dict[tuple[str, str], Document] = {}
    for chunk in chunks:
        seen.setdefault((chunk.metadata.get("headings", ""), " ".join(chunk.page_content.split())), chunk)
    return list(seen.values())


def merge(
    ranked: Iterable[Document],
    k: int,
    budget: float = math.inf,
    size: Callable[[Document], int] = lambda chunk: 0,
    longest: int = LONGEST,
) -> list[list[Document]]:
    """The chunks of at most k passages, best first; in each the best chunk comes first.

    From the best chunk on, each joins the passage that it touches, if that stays within `longest` characters and on its
    page, or begins another. This ends before the passage that would be one too many, and before the chunk whose new
    part does not fit into `budget` by `size`; the first chunk is taken even so.
    """
    passages: list[list[Document]] = []
    for chunk in ranked:
        touched = next((passage for passage in passages if _joins(chunk, passage, longest)), None)
        budget -= size(_new_part(chunk, *extent(touched)) if touched else chunk)
        if passages and (budget < 0 or (touched is None and len(passages) == k)):
            break
        if touched is None:
            passages.append([chunk])
        else:
            touched.append(chunk)
    return passages


def extent(chunks: Sequence[Document]) -> tuple[int, int]:
    """Where the passage that these chunks make starts and ends in its document."""
    return min(chunk.metadata["start"] for chunk in chunks), max(chunk.metadata["end"] for chunk in chunks)


def part(chunk: Document, start: int, end: int) -> Document:
    """What a chunk has between two offsets of its document."""
    first = chunk.metadata["start"]
    return Document(
        chunk.page_content[max(0, start - first) : max(0, end - first)],
        id=chunk.id,
        metadata={**chunk.metadata, "start": max(start, first), "end": min(end, chunk.metadata["end"])},
    )


def _new_part(chunk: Document, start: int, end: int) -> Document:
    """What a chunk adds before or behind a passage."""
    return part(chunk, end, chunk.metadata["end"]) if chunk.metadata["end"] > end else part(chunk, 0, start)


def _joins(chunk: Document, passage: Sequence[Document], longest: int) -> bool:
    start, end = extent(passage)
    meta, first = chunk.metadata, passage[0].metadata
    return (
        (meta["document_id"], meta["page"]) == (first["document_id"], first["page"])
        and meta["start"] <= end + _TOUCHING
        and meta["end"] >= start - _TOUCHING
        and max(end, meta["end"]) - min(start, meta["start"]) <= longest
    )


def _neighbours(chunks: Mapping[int, Document]) -> Iterator[tuple[int, int]]:
    """The pairs of chunks that follow each other in their document without a gap."""
    places = sorted((c.metadata["document_id"], c.metadata["start"], c.metadata["end"], i) for i, c in chunks.items())
    for (document, _, end, one), (following, start, _, other) in pairwise(places):
        if document == following and start <= end + _TOUCHING:
            yield one, other
