"""A library and a model for the tests of the page: they do what a test tells them, at the pace it sets."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rag.conversations import Conversations
from rag.errors import LibraryError
from rag.types import (
    AS_SET,
    Answer,
    AnswerEvent,
    AskLimits,
    AskOptions,
    Citation,
    DocumentInfo,
    FileReport,
    Outcome,
    PageImage,
    Passage,
    PictureProblem,
    Progress,
    Recording,
    Scope,
    Sentence,
    SignsIn,
    Sources,
    Timings,
    Token,
    Turn,
)
from rag.ui_actions import Actions, CollectionStore

HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>\'\u202efdp.exe'
QUESTION = "How often should the kettle be descaled, and does skipping it void the warranty?"
BEFORE = (
    "7. Descaling\n\nLimescale lengthens boiling and dulls the element. It comes from the minerals in the water and "
    "settles first where the metal is hottest.\n\n"
)
CITED = (
    "Hardness decides the interval: descale every 60 days in hard water, every 120 days in soft water. The indicator "
    "on the base lights after 240 boils, whichever comes first."
)
AFTER = (
    " Fill to the 0.5 l line with water and one sachet, boil, let stand for twenty minutes, and rinse twice.\n\n"
    "Do not use vinegar with the steel filter in place; remove the filter by pressing the tab and lifting it out."
)


def citation(number: int, source: str, page: int | None, text: str, score: float) -> Citation:
    return Citation(number, source, page, 0, len(text), score, text, None, number)


SOURCES = (
    citation(1, "Kettle K3 manual.pdf", 11, CITED, 0.83),
    citation(
        2, "Warranty 2026.html", 4, "Damage caused by limescale, misuse or unsuitable voltage is excluded. " * 3, 0.71
    ),
    citation(
        3, "service/calls 2025.csv", None, "K3, element failed after 14 months, heavy scale, hard-water area", 0.38
    ),
)
SENTENCES = (
    Sentence("Descale every 60 days in hard water and every 120 days in soft water. ", (1,)),
    Sentence("The indicator lights after 240 boils in either case.\n\n", (1,)),
    Sentence("Skipping it does not void the warranty as a whole, but damage by limescale is excluded. ", (2, 3)),
    Sentence("A receipt for the descaler is needed.", ()),
)
ALONE = "About every three months. I <b>think</b> [1]."
TIMINGS = Timings(0.12, 1.9, 3.4, 712, 61, 23.4, 2950.0)
REFUSAL = "Your documents do not say. The nearest passages are about the 2026 model [1][3]."


class Fakes:
    """A library and a model that do what the test tells them; `closed` is set when the model was stopped."""

    def __init__(self, documents: Sequence[DocumentInfo] = (), pace: float = 0.02) -> None:
        self.library = list(documents)
        self.pace = pace
        self.state: Progress | str | None = None
        self.refuse = False
        self.sentences: Sequence[Sentence] = SENTENCES
        self.sources = SOURCES
        self.error: Exception | None = None
        self.best: tuple[tuple[int, int], ...] = ()
        self.image: PageImage | None = None
        self.problem: PictureProblem | None = None
        self.recording: Recording | None = None
        self.file: Path | None = None
        self.drawing_s = 0.0  # what it takes to find a passage
        self.closed = threading.Event()
        self.pulled = 0
        self.history: list[Sequence[Turn]] = []
        self.topics: list[tuple[str, str]] = []
        self.options: list[AskOptions] = []
        self.asked_alone: list[tuple[str, Sequence[Turn], AskOptions]] = []
        self.limits = AskLimits(4, 400, 0.0, ("Qwen2.5 1.5B",))
        self.apart = False
        self.signs_in: SignsIn = ""
        self.collections: CollectionStore | None = None
        self.model_state: dict[str, Progress | str] = {}
        self.added_to: list[str | None] = []
        self.asked: tuple[str, ...] = ("default",)
        self.scopes: list[Scope | None] = []
        self.left_by: list[str] = []
        self.reread: list[int] = []
        self._folder = tempfile.TemporaryDirectory()
        self.conversations = Conversations(Path(self._folder.name) / "conversations.sqlite", hours=24)

    def actions(self) -> Actions:
        return Actions(
            ask=self.ask,
            alone=self.alone,
            limits=self.limits,
            topics=lambda documents: self.topics,
            search=lambda who, question, k, scope: list(self.sources),
            documents=lambda who: list(self.library),
            add=self.add,
            delete=self.delete,
            passage=self.passage,
            pages=self.pages,
            original=self.original,
            read_again=self.read_again,
            forget=self.left_by.append,
            starting=lambda: self.state,
            conversations=self.conversations,
            collections=self.collections,
            loading=self.loading,
            asked=self.asked,
            apart=self.apart,
            signs_in=self.signs_in,
            account=lambda key: f"@{key}",
        )

    def alone(self, question: str, history: Sequence[Turn], options: AskOptions) -> Iterator[AnswerEvent]:
        self.asked_alone.append((question, history, options))
        try:
            for at in range(0, len(ALONE), 4):
                yield Token(ALONE[at : at + 4])
                time.sleep(self.pace)
            yield Answer(question, ALONE, False, (), (), (), TIMINGS, "Qwen2.5 1.5B")
        except GeneratorExit:
            self.closed.set()
            raise

    def ask(
        self,
        who: str,
        question: str,
        history: Sequence[Turn],
        options: AskOptions = AS_SET,
        scope: Scope | None = None,
    ) -> Iterator[AnswerEvent]:
        self.history.append(history)
        self.options.append(options)
        self.scopes.append(scope)
        self.pulled = 0
        try:
            time.sleep(5 * self.pace)
            yield Sources(self.sources)
            time.sleep(10 * self.pace)
            if self.error:
                raise self.error
            if self.refuse:
                yield Answer(question, REFUSAL, True, (), (), SOURCES, TIMINGS, "Qwen2.5 1.5B")
                return
            text = "".join(
                part.text.replace(". ", f".{''.join(f'[{n}]' for n in part.citations)} ") for part in self.sentences
            )
            for at in range(0, len(text), 4):
                self.pulled += 1
                yield Token(text[at : at + 4])
                time.sleep(self.pace)
            yield Answer(
                question, text, False, tuple(self.sentences), self.sources[:2], self.sources, TIMINGS, "Qwen2.5 1.5B"
            )
        except GeneratorExit:
            self.closed.set()
            raise

    def loading(self, options: AskOptions) -> Progress | str | None:
        return self.model_state.get(options.model or "")

    def add(self, who: str, paths: Sequence[Path], collection: str | None = None) -> Iterator[Progress | FileReport]:
        self.added_to.append(collection)
        for path in paths:
            for done in range(0, 61, 12):
                yield Progress(path.name, done, 61, "passages")
                time.sleep(5 * self.pace)
            if path.suffix == ".zip":
                reason = f"{path.name} was not added: this format is not known"
                yield FileReport(path.name, str(path), "failed", reason, 0, 0)
                continue
            if path.suffix == ".pdf":
                self.library.append(document(100 + len(self.library), path.name, 0, 0, "it needs a password"))
                yield FileReport(path.name, str(path), "failed", "it needs a password", 0, 0)
                continue
            self.library.append(document(100 + len(self.library), path.name, 3, 9))
            yield FileReport(path.name, str(path), "added", None, 3, 9)

    def delete(self, who: str, number: int) -> None:
        if number == 3:
            raise LibraryError("the library is being written by another program; try again in a moment")
        self.library = [each for each in self.library if each.id != number]

    def left(self, ids: Sequence[int], seconds: float = 10) -> bool:
        """Whether these documents, and no others, are left in the library, or will be in a moment."""
        until = time.monotonic() + seconds
        while [each.id for each in self.library] != list(ids) and time.monotonic() < until:
            time.sleep(0.05)
        return [each.id for each in self.library] == list(ids)

    def pages(self, who: str, number: int) -> list[tuple[str, str]]:
        if number == 5:
            return [("", HOSTILE)]
        return [("page i", BEFORE + CITED + AFTER), ("page 2", "The second page.\n" * 2000)]

    def original(self, who: str, number: int) -> Path:
        if number == 3:
            raise LibraryError("the file of 'service/calls 2025.csv' is no longer where it was")
        if self.file:
            return self.file
        path = Path(self._folder.name) / "Kettle K3 manual.html"
        path.write_text("<script>document.title = 'pwned'</script>")
        return path

    def read_again(self, who: str, number: int) -> Iterator[Progress | FileReport]:
        self.reread.append(number)
        for done in range(0, 61, 20):
            yield Progress("embedding", done, 61, "chunks")
            time.sleep(5 * self.pace)
        self.library = [
            replace(each, state="ready", reason=None, pages=3, chunks=61) if each.id == number else each
            for each in self.library
        ]
        yield FileReport("a", "a", "changed", None, 3, 61)

    def passage(self, who: str, cited: Citation, answer: Answer | None) -> Passage:
        time.sleep(self.drawing_s)
        return Passage(
            source=cited.source,
            page=cited.page,
            page_label="xi" if cited.page else None,
            pages=24 if cited.page else 0,
            before=BEFORE,
            text=cited.text,
            after=AFTER,
            best=self.best if answer else (),
            image=self.image if cited.source.endswith(".pdf") else None,
            problem=self.problem if cited.source.endswith(".pdf") else None,
            recording=self.recording if cited.source.endswith(".wav") else None,
        )


class FakeCollections:
    """Named collections of a fake library."""

    def __init__(self, fakes: Fakes) -> None:
        self._fakes, self._names = fakes, ["default"]

    def names(self) -> list[str]:
        return list(self._names)

    def make(self, name: str) -> str:
        if name in self._names:
            raise LibraryError(f"there is a collection {name!r} already; choose another name")
        self._names.append(name)
        return name

    def rename(self, name: str, wanted: str) -> str:
        self.make(wanted)
        self.move([each.id for each in self._fakes.library if each.collection == name], wanted)
        self._names.remove(name)
        return wanted

    def drop(self, name: str) -> None:
        self._names.remove(name)

    def move(self, documents: Sequence[int], name: str) -> None:
        self._fakes.library = [
            replace(each, collection=name) if each.id in documents else each for each in self._fakes.library
        ]


def document(number: int, source: str, pages: int, chunks: int, reason: str | None = None) -> DocumentInfo:
    state = "failed" if reason else "ready"
    outcome: Outcome = "password" if reason else "ready"
    when = "2026-01-05T10:00:00Z"
    return DocumentInfo(number, "default", source, source, state, reason, pages, chunks, 1000, when, outcome)


LIBRARY = [
    document(1, "Kettle K3 manual.pdf", 24, 61),
    document(2, "Warranty 2026.html", 3, 9),
    document(3, "service/calls 2025.csv", 0, 212),
    document(4, "Scan 0093 of the delivery note from the autumn.pdf", 0, 0, "it needs a password"),
    document(5, HOSTILE, 1, 1),
]
