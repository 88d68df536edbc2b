"""What was asked of a question set, kept a JSON object a line, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from rag.errors import EvaluationError
from rag.evaluate_set import Answered, Question, Retrieved, Signalled, Span
from rag.models import Report
from rag.types import Progress

Record = TypeVar("Record", Retrieved, Answered, Signalled)


def ask_each(
    questions: Sequence[Question],
    path: Path,
    kind: type[Record],
    ask: Callable[[Question], Record],
    report: Report,
    *,
    load: Callable[[], None] = lambda: None,
    again: bool = False,
) -> Mapping[str, Record]:
    """The record of each question by its id: from `path`, else by asking, which adds it there at once.

    `load` is called ahead of the first question that must be asked, if any. `again` asks them all. Raises
    EvaluationError where `path` cannot be used, and what `ask` raises.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if again:
            path.unlink(missing_ok=True)
        found = _read(path, kind)
        missing = [question for question in questions if question.id not in found]
        if missing:
            load()
        with path.open("a", encoding="utf-8") as file:
            for number, question in enumerate(missing):
                report(Progress("Asking", len(questions) - len(missing) + number, len(questions), "questions"))
                found[question.id] = ask(question)
                file.write(json.dumps(asdict(found[question.id]), ensure_ascii=False) + "\n")
                file.flush()
        report(Progress("Asking", len(questions), len(questions), "questions"))
    except OSError as error:
        raise EvaluationError(f"{path}: {error.strerror}; set RAG_CACHE to a folder that can be written") from error
    return {question.id: found[question.id] for question in questions}


def _read(path: Path, kind: type[Record]) -> dict[str, Record]:
    """The records of a file, without a last line that a kill cut short, which is removed."""
    if not path.exists():
        return {}
    whole, ended, _ = path.read_bytes().rpartition(b"\n")
    with path.open("r+b") as file:
        file.truncate(len(whole) + len(ended))
    records = [_record(json.loads(line), kind) for line in whole.splitlines() if line]
    return {record.id: record for record in records}


def _record(fields: dict[str, Any], kind: type[Record]) -> Record:
    for name in ("spans", "cited"):
        if name in fields:
            fields[name] = tuple(Span(*span) for span in fields[name])
    if "tokens" in fields:
        fields["tokens"] = tuple(fields["tokens"])
    return kind(**fields)
