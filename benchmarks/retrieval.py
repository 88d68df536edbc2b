"""What finds the answers, and what each part of the ranking adds: python -m benchmarks.retrieval DIR...

For each question set three tables: Footnote, each half of its retrieval alone and the plain chain; Footnote with parts
of its ranking left out; and with more or fewer of a question's common words left out of the search by words. All rows
ask the same questions, over libraries that `python -m rag evaluate` shares.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from rag.config import Settings, load_settings
from rag.evaluate import evaluate, open_system, search
from rag.evaluate_measures import DEPTH, score_retrieval
from rag.evaluate_set import Span, load_questions, place_spans, sample
from rag.evaluate_systems import ANY, Footnote, locate
from rag.evaluate_table import Results, estimate
from rag.models import Report
from rag.ranking import LONGEST, Weights
from rag.retriever import LibraryRetriever
from rag.store import VectorIndex
from rag.terminal import Terminal
from rag.types import Progress, Scope

SYSTEMS = {"Footnote": "footnote", "BM25 alone": "bm25", "mpnet alone": "dense", "the plain chain": "baseline"}
NOTHING = Weights(words=0, sentence=0, opening=0, title=0, neighbour=0)
FUSED = NOTHING._replace(words=0.5)
SENTENCES = FUSED._replace(sentence=1.0)
OPENINGS = SENTENCES._replace(opening=0.25)
TITLES = OPENINGS._replace(title=Weights().title)
STEPS = {
    "cosine": (NOTHING, 0),
    "+ BM25": (FUSED, 0),
    "+ best sentence": (SENTENCES, 0),
    "+ document's opening": (OPENINGS, 0),
    "+ under its title": (TITLES, 0),
    "+ better neighbour": (Weights(), 0),
    "+ neighbours merged": (Weights(), LONGEST),
}
SHARES = {
    "all words": ANY,
    "of half the chunks": 0.5,
    "of a quarter": 0.25,
    "of a tenth": 0.1,
    "of a twentieth": 0.05,
}
MEASURES = ("doc@1", "doc@5", "span recall@5", "span recall@10", "span recall in 600 tokens", "ans@1", "ans@5")


class Step(Footnote):
    """Footnote with some of its ranking."""

    def rank_by(self, weights: Weights, longest: int) -> None:
        """From here on search by these weights, and merge neighbours up to this many characters."""
        self._retriever = LibraryRetriever(
            manifest=self.library.manifest,
            index=VectorIndex(self.settings.library / "chroma", self.library.manifest),
            embeddings=self.embeddings,
            scope=Scope((self.settings.collection,)),
            k=DEPTH,
            weights=weights,
            longest=longest,
        )

    def weigh(self, share: float) -> None:
        """From here on search for the rarest words that no more than this share of the chunks have together."""
        self.rank_by(Weights(), LONGEST)
        self.library.manifest.share, self.library.manifest.most = share, ANY

    def search(self, question: str, k: int) -> list[tuple[Span, str]]:
        """The first k."""
        return [locate(passage) for passage in self._retriever.invoke(question)[:k]]


def systems(settings: Settings, folder: Path, limit: int | None, report: Report) -> Iterator[tuple[str, Results]]:
    """The name and the scores of each system."""
    for name, system in SYSTEMS.items():
        yield name, evaluate(settings, folder, report, system=system, limit=limit, answers=False)


def steps(settings: Settings, folder: Path, limit: int | None, report: Report) -> Iterator[tuple[str, Results]]:
    """The name and the scores of each step of the ranking."""
    changes = {
        name: partial(Step.rank_by, weights=weights, longest=longest) for name, (weights, longest) in STEPS.items()
    }
    return _changed(settings, folder, limit, report, changes)


def shares(settings: Settings, folder: Path, limit: int | None, report: Report) -> Iterator[tuple[str, Results]]:
    """The name and the scores of each share of the chunks that the search by words may weigh."""
    changes = {name: partial(Step.weigh, share=share) for name, share in SHARES.items()}
    return _changed(settings, folder, limit, report, changes)


def _changed(
    settings: Settings, folder: Path, limit: int | None, report: Report, changes: dict[str, Callable[[Step], None]]
) -> Iterator[tuple[str, Results]]:
    asked = open_system(settings, folder, report, Step)
    notes = asked.ingest(folder / "docs")
    questions, _ = place_spans(sample(load_questions(folder), limit), folder / "docs", settings.max_file_mb * 2**20)
    for name, change in changes.items():
        change(asked)
        scores = {}
        for number, question in enumerate(questions):
            report(Progress(name, number, len(questions), "questions"))
            scores[question.id] = score_retrieval(question, search(asked, question))
        yield name, Results(folder.name, name, (), tuple(notes), scores)


def lines(title: str, rows: Iterable[tuple[str, Results]]) -> Iterator[str]:
    """A Markdown table: a row for each of these, a column for each measure that the set has."""
    columns: list[str] = []
    for name, results in rows:
        figures = estimate(results)
        if not columns:
            columns = [measure for measure in MEASURES if measure in figures]
            yield f"| {title} | {' | '.join(columns)} |"
            yield "|" + " --- |" * (1 + len(columns))
        cells = (f"{figures[one].value:.3f} ({figures[one].low:.2f} to {figures[one].high:.2f})" for one in columns)
        yield f"| {name} | {' | '.join(cells)} |"


def main() -> int:
    """Print the tables of each set."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retrieval", description=__doc__)
    parser.add_argument("sets", nargs="+", type=Path, metavar="DIR", help="a folder with docs/ and questions.jsonl")
    parser.add_argument("--limit", type=int, metavar="N", help="ask only N questions, spread evenly over the set")
    options = parser.parse_args()
    settings = load_settings()
    with Terminal() as terminal:
        for folder in options.sets:
            for rows in (systems, steps, shares):
                table = rows(settings, folder, options.limit, terminal.progress)
                for line in lines(folder.resolve().name, table):
                    terminal.print(line)
                terminal.print("")
    return 0


if __name__ == "__main__":
    sys.exit(main())
