"""One tab's records, and the pump that streams into them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import gradio as gr
import pytest
from page_fakes import SOURCES, Fakes

from rag.errors import LibraryError, ModelError, RagError
from rag.types import Answer, AnswerEvent, FileReport, Progress, Sources, Timings, Token
from rag.ui_documents import DocumentEvents
from rag.ui_draw import Drawing
from rag.ui_files import Files
from rag.ui_parts import build_parts
from rag.ui_pump import Pump
from rag.ui_session import Session, TurnView, stream_turn
from rag.ui_talk import TalkEvents
from rag.ui_uploads import Batch, Batches, UploadRow, stream_uploads

NO_TIME = Timings(0, 0, 0, 0, 0, 0, 0)


def gate() -> threading.Semaphore:
    return threading.Semaphore(1)


def test_stop_ends_the_watch_at_once_even_while_the_work_is_busy() -> None:
    release, closed = threading.Event(), threading.Event()

    def work() -> Iterator[str]:
        try:
            yield "a"
            release.wait(5)
            yield "b"
            yield "c"
        finally:
            closed.set()

    pump = Pump[str](gate())
    pump.start(work)
    watch = pump.watch()
    assert next(watch) == ["a"]
    threading.Timer(0.1, pump.stop).start()
    begun = time.monotonic()
    assert [item for batch in watch for item in batch] == []
    assert time.monotonic() - begun < 1
    assert not closed.is_set()
    release.set()
    assert closed.wait(1)


def test_items_arrive_whole_and_in_order() -> None:
    pump = Pump[int](gate())
    pump.start(lambda: iter(range(1, 500)))
    assert [item for batch in pump.watch() for item in batch] == list(range(1, 500))


def test_a_pump_waits_for_its_gate_and_frees_it_after_a_failure() -> None:
    door = gate()

    def failing() -> Iterator[int]:
        raise ModelError("no weights")
        yield 1

    with door:
        pump = Pump[int](door)
        pump.start(failing)
        assert next(pump.watch()) == []
        assert pump.queued
    with pytest.raises(ModelError, match="no weights"):
        list(pump.watch())
    assert door.acquire(timeout=1)


def test_an_unknown_failure_becomes_a_plain_sentence_and_a_log_entry(caplog: pytest.LogCaptureFixture) -> None:
    def failing() -> Iterator[int]:
        yield 1 // 0

    pump = Pump[int](gate())
    pump.start(failing)
    with pytest.raises(RagError, match="Something went wrong"):
        list(pump.watch())
    assert "ZeroDivisionError" in caplog.text


def events(*given: AnswerEvent) -> Iterator[AnswerEvent]:
    yield from given


def run(session: Session, question: str, *given: AnswerEvent) -> TurnView:
    return list(stream_turn(session, question, lambda *_: events(*given), lambda: None, gate()))[-1]


def test_a_turn_ends_with_its_answer_and_becomes_history() -> None:
    session = Session()
    answer = Answer("q", "Yes [1].", False, (), (), (), NO_TIME, "m")
    assert run(session, "q", Sources(()), Token("Ye"), Token("s"), answer).phase == "done"
    assert [(turn.question, turn.answer) for turn in session.history()] == [("q", "Yes [1].")]
    assert session.pump is None


def test_a_stream_without_an_answer_is_marked_stopped() -> None:
    session = Session()
    assert run(session, "q", Sources(()), Token("Half a")).phase == "stopped"
    assert session.history()[0].answer == "Half a"


def test_a_failure_to_start_is_shown_instead_of_asking() -> None:
    session = Session()
    turns = list(stream_turn(session, "q", lambda *_: events(Token("never")), lambda: "no weights", gate()))
    assert (turns[-1].phase, turns[-1].error, turns[-1].text) == ("failed", "no weights", "")


def test_each_upload_ends_in_its_own_state(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []

    def add(paths: Sequence[Path]) -> Iterator[Progress | FileReport]:
        told.extend(map(str, paths))
        yield Progress("", 0, 6, "files")
        yield Progress("new.md", 1, 2, "pages")  # read ahead, while what was read first is embedded
        yield Progress("a: looking for the model that reads recordings", 0, 0, "")
        assert [row.state for row in rows] == ["reading", "waiting", "waiting", "reading", "waiting", "waiting"]
        assert rows[3].progress == Progress("new.md", 1, 2, "pages")
        yield FileReport("a", "x/a", "failed", "a is empty", 0, 0)
        yield FileReport("same (2).md", "y/same.md", "added", None, 1, 1)
        yield FileReport("old", "x/old", "unchanged", None, 1, 1)
        yield FileReport("new.md", "x/new.md", "added", None, 1, 1)
        raise OSError("disk")

    names = ("x/a", "x/old", "x/same.md", "x/new.md", "y/same.md", "x/new")
    rows = [UploadRow(Path(name)) for name in names]
    changed = [rows.index(row) for row in stream_uploads(rows, add)]
    assert told == list(names)
    assert changed == [3, 0, 0, 4, 1, 3, 2, 5]
    assert [row.state for row in rows] == ["failed", "known", "failed", "ready", "ready", "failed"]
    assert rows[0].reason == "a is empty"
    assert "disk" in caplog.text
    assert "disk" not in rows[2].reason


def test_what_ends_the_whole_work_is_the_reason_of_all_that_is_left() -> None:
    def full(paths: Sequence[Path]) -> Iterator[Progress | FileReport]:
        yield FileReport("a", "a", "added", None, 1, 1)
        raise LibraryError("the disk is full")

    rows = [UploadRow(Path(name)) for name in ("a", "b")]
    list(stream_uploads(rows, full))
    assert [(row.state, row.reason) for row in rows] == [("ready", ""), ("failed", "the disk is full")]


def test_what_is_being_added_is_found_again_by_whoever_s_it_is() -> None:
    batches, rows = Batches(), [UploadRow(Path("a"))]
    batch = Batch(rows, Pump[UploadRow](gate()))
    batches.add("ann", batch)
    assert batches.running("ann") == [batch]
    assert batches.running("ben") == []
    rows[0].state = "ready"
    assert batches.running("ann") == []
    cancelled = Batch([UploadRow(Path("b"))], Pump[UploadRow](gate()))
    batches.add("ann", cancelled)
    cancelled.pump.stop()
    assert batches.running("ann") == []
    batches.add("ann", cancelled)
    batches.add("ben", Batch([UploadRow(Path("c"))], Pump[UploadRow](gate())))
    assert list(batches._owned) == ["ben"]  # of those who never come back nothing is kept in mind


def test_a_timer_that_finds_an_upload_done_does_not_end_it_with_an_error(tmp_path: Path) -> None:
    fakes, files = Fakes(pace=0.001), Files()
    with gr.Blocks():
        parts = build_parts()
    draw = Drawing(parts, fakes.actions(), files, 24)
    library = DocumentEvents(parts, fakes.actions(), draw, files, gate())
    talk = TalkEvents(parts, fakes.actions(), draw, gate())
    (tmp_path / "a.md").write_text("Apples.")
    tab = Session(owner="", uploads=[UploadRow(tmp_path / "a.md")])
    drawn = [talk.poll(tab) and step for step in library.add(tab)]
    assert tab.adding == []
    assert parts.column.uploads in drawn[-1]


def test_a_number_that_was_overtaken_on_its_way_is_not_opened() -> None:
    fakes = Fakes()
    with gr.Blocks():
        parts = build_parts()
    talk = TalkEvents(parts, fakes.actions(), Drawing(parts, fakes.actions(), Files(), 24), gate())
    tab = Session(owner="", turns=[TurnView("q", "done", SOURCES)])
    for serial, number, opened in ((10, 1, 1), (30, 3, 3), (20, 2, 3)):
        talk.cite(tab, gr.EventData(None, {"turn": "0", "n": str(number), "serial": serial}))
        assert tab.opened == opened


def test_numbers_from_the_browser_find_only_what_is_there() -> None:
    session = Session(turns=[TurnView("q")])
    assert session.citation(None, 1) is None
    assert session.citation(7, 1) is None
    assert session.citation(0, 1) is None
