"""A question set on disk, DIR/docs/ and DIR/questions.jsonl, and the records of asking it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from rag.errors import DocumentError, EvaluationError
from rag.loaders import clean_text, load_documents
from rag.splitter import document_text


class Span(NamedTuple):
    """Characters `start` to `end` of a document's text."""

    doc: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Question:
    """A question and what is known of its answer.

    `gold_spans` hold all that answers it, `answer_spans` the answer itself; both count characters of the file and may
    be empty, as may `answers` where only retrieval is scored.
    """

    id: str
    text: str
    answers: tuple[str, ...]
    unanswerable: bool
    gold_docs: tuple[str, ...]
    gold_spans: tuple[Span, ...]
    answer_spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What a search found, best first, the tokens of each chunk (as the embedding model counts), and its seconds."""

    id: str
    spans: tuple[Span, ...]
    tokens: tuple[int, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Signalled:
    """What the decision to refuse rested on (see refusal.Signals); None where the model was not asked."""

    id: str
    yes: float | None
    cosine: float | None


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer without its markers, what it cites, how many of its sentences have a citation, and what it cost.

    `wrong_numbers` counts those in sentences with a citation that neither a passage cited there nor the question has.
    """

    id: str
    text: str
    refused: bool
    cited: tuple[Span, ...]
    sentences: int
    supported: int
    wrong_numbers: int
    first_token_s: float
    total_s: float
    prompt_tokens: int
    model: str


def load_questions(folder: Path) -> list[Question]:
    """The questions of a set. Raises EvaluationError naming the file and line that cannot be read."""
    path = folder / "questions.jsonl"
    if not (folder / "docs").is_dir():
        raise EvaluationError(f"{folder} has no folder docs; expected a question set: docs/ and questions.jsonl")
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path} cannot be read: {error}; expected one JSON object a line") from error
    questions = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                questions.append(_question(json.loads(line)))
            except (ValueError, KeyError, TypeError) as error:
                raise EvaluationError(f"{path}, line {number}: not a question of a set ({error!r})") from error
    if not questions:
        raise EvaluationError(f"{path} holds no questions")
    if len({question.id for question in questions}) < len(questions):
        raise EvaluationError(f"{path} gives two questions the same id")
    return questions


def place_spans(questions: Sequence[Question], docs: Path, max_bytes: int) -> tuple[list[Question], list[str]]:
    """The questions with spans that count in extracted text as citations do; and the documents where that is not known.

    Reading a text file changes no more than its line ends and unprintable characters, so its offsets can be carried
    over. In other formats they cannot, and a question with a span there is left without any.
    """
    found: dict[str, str | None] = {}
    for doc in sorted({span.doc for question in questions for span in (*question.gold_spans, *question.answer_spans)}):
        found[doc] = _text_of_file(docs / doc, max_bytes)

    def place(spans: Sequence[Span]) -> tuple[Span, ...]:
        placed = []
        for span in spans:
            text = found[span.doc]
            if text is None:
                return ()
            start, end = len(clean_text(text[: span.start])), len(clean_text(text[: span.end]))
            if span.end > len(text) or end <= start:
                raise EvaluationError(f"{docs / span.doc} has no characters {span.start} to {span.end}")
            placed.append(Span(span.doc, start, end))
        return tuple(placed)

    return (
        [replace(q, gold_spans=place(q.gold_spans), answer_spans=place(q.answer_spans)) for q in questions],
        [doc for doc, text in found.items() if text is None],
    )


def _text_of_file(path: Path, max_bytes: int) -> str | None:
    """The characters of a text file, if what is extracted from it is these, cleaned."""
    try:
        text = path.read_bytes().decode()
        return text if document_text(load_documents(path, max_bytes=max_bytes)) == clean_text(text) else None
    except (UnicodeDecodeError, DocumentError):  # of a document that was not read it was told already
        return None
    except OSError as error:
        raise EvaluationError(f"{path}, of which a question has a span, cannot be read: {error.strerror}") from error


def sample(questions: Sequence[Question], limit: int | None) -> list[Question]:
    """At most `limit` questions, spread evenly over the set, answerable and not in the set's own proportion."""
    if limit is None or limit >= len(questions):
        return list(questions)
    sides = [[q for q in questions if not q.unanswerable], [q for q in questions if q.unanswerable]]
    second = round(limit * len(sides[1]) / len(questions))
    if all(sides) and limit > 1:
        second = min(max(second, 1), limit - 1)
    taken = set(_spread(sides[0], limit - second)) | set(_spread(sides[1], second))
    return [question for question in questions if question.id in taken]


def _spread(questions: Sequence[Question], count: int) -> list[str]:
    return [questions[(2 * number + 1) * len(questions) // (2 * count)].id for number in range(count)]


def _question(fields: dict[str, Any]) -> Question:
    return Question(
        id=str(fields["id"]),
        text=fields["question"],
        answers=tuple(fields.get("answers", ())),
        unanswerable=bool(fields.get("unanswerable", False)),
        gold_docs=tuple(fields.get("gold_docs", ())),
        gold_spans=_spans(fields.get("gold_spans", ())),
        answer_spans=_spans(fields.get("answer_spans", ())),
    )


def _spans(given: Sequence[dict[str, Any]]) -> tuple[Span, ...]:
    spans = tuple(Span(span["doc"], int(span["start"]), int(span["end"])) for span in given)
    if any(span.end <= span.start for span in spans):
        raise ValueError("a span ends before it starts")
    return spans
