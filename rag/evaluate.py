"""The measuring stick: a question set, asked question by question, to a table of scores.

What was asked is kept in the cache under a key of all that it depends on: the documents, the settings, the models and
Footnote's own code. A run that was stopped goes on where it was; a run after a change asks anew.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from rag.config import Settings
from rag.evaluate_measures import DEPTH, Scores, score_retrieval
from rag.evaluate_records import ask_each
from rag.evaluate_set import Answered, Question, Retrieved, load_questions, place_spans, sample
from rag.evaluate_systems import SYSTEMS, System
from rag.evaluate_table import Results
from rag.library import LazyEmbeddings
from rag.llm import choose_backend
from rag.models import Report

Asked = TypeVar("Asked", bound=System)

_EDGES = (
    "__main__",
    "calibrate",
    "conversations",
    "evaluate",
    "terminal",
    "ui",
)  # modules, by their beginning, that no answer depends on
_READING = ("loaders", "splitter")  # those that make the chunks
_PLACES = {"library", "collection", "cache", "offline", "hf_token", "llm_api_key", "host", "port"}  # settings: neither


def evaluate(
    settings: Settings,
    folder: Path,
    report: Report,
    *,
    system: str = "footnote",
    limit: int | None = None,
    answers: bool = True,
    again: bool = False,
) -> Results:
    """Ask a set, or `limit` questions of it, and score what comes back.

    `system` is a key of SYSTEMS. Without `answers` only retrieval is measured and no language model is loaded. `again`
    asks also what was asked before. Raises RagError.
    """
    questions = sample(load_questions(folder), limit)
    asked = open_system(settings, folder, report, SYSTEMS[system])
    notes = asked.ingest(folder / "docs")
    home, setting = asked.settings.library, answering_key(asked)
    retrieved = ask_each(
        questions,
        home / f"{system}-retrieval-{setting}.jsonl",
        Retrieved,
        lambda question: search(asked, question),
        report,
        load=lambda: asked.warm_up(questions[0].text),  # or the first search would pay for loading the model
        again=again,
    )
    answered: Mapping[str, Answered] = {}
    if answers:
        path = home / f"{system}-answers-{_digest(setting, choose_backend(settings))}.jsonl"
        answered = ask_each(questions, path, Answered, asked.ask, report, load=asked.load, again=again)
    placed, unplaced = place_spans(questions, folder / "docs", settings.max_file_mb * 2**20)
    if unplaced:
        notes.append(f"spans are not scored in {', '.join(unplaced)}: the extracted text is not the file itself")
    return Results(
        set=folder.resolve().name,
        system=system,
        models=tuple(sorted({answer.model for answer in answered.values()})),
        notes=tuple(notes),
        questions={
            question.id: _scores(question, retrieved[question.id], answered.get(question.id)) for question in placed
        },
    )


def open_system(settings: Settings, folder: Path, report: Report, system: type[Asked]) -> Asked:
    """A system with a library of this set's own in the cache: what it read there before need not be read again."""
    embeddings = LazyEmbeddings(settings, report)
    chunks = _digest(
        _content(folder / "docs"), system.chunking(settings), embeddings.fingerprint, _code(_reading, system.modules)
    )
    home = settings.cache / "evaluate" / f"{folder.resolve().name}-{chunks}"
    return system(settings.model_copy(update={"library": home, "collection": "default"}), embeddings, report)


def answering_key(system: System) -> str:
    """What a system's answers depend on beside its documents and models, in few letters."""
    return _digest(system.settings.model_dump_json(exclude=_PLACES), _code(_answering, system.modules))


def search(system: System, question: Question) -> Retrieved:
    """What a system finds for a question."""
    began = time.monotonic()
    found = system.search(question.text, DEPTH)
    seconds = time.monotonic() - began
    tokens = tuple(system.embeddings.count_tokens(text) for _, text in found)
    return Retrieved(question.id, tuple(span for span, _ in found), tokens, seconds)


def _scores(question: Question, found: Retrieved, answer: Answered | None) -> Scores:
    scores = score_retrieval(question, found) | {"retrieval, s": found.seconds}
    if answer:  # its measures are imported here because they bring NLTK with them
        scores |= import_module("rag.evaluate_answers").score_answer(question, answer)
        scores |= {"first token, s": answer.first_token_s, "total, s": answer.total_s}
        scores["prompt tokens"] = answer.prompt_tokens
    return scores


def _content(docs: Path) -> str:
    """A digest of every file's name and bytes."""
    digest = hashlib.sha256()
    for path in sorted(path for path in docs.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(docs)}\0{path.stat().st_size}\0".encode(errors="surrogateescape"))
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _code(wanted: Callable[[str], bool], also: Sequence[str] = ()) -> str:
    """A digest of Footnote's own modules whose names are wanted."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if wanted(path.stem) or path.stem in also:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _answering(module: str) -> bool:
    return not module.startswith(_EDGES)


def _reading(module: str) -> bool:
    return module.startswith(_READING)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
