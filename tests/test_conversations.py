"""Conversations on disk: kept whole, each for its owner alone, and a visitor's for a time."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from rag import conversations as module
from rag.conversations import EVERYONE, Conversations
from rag.errors import LibraryError
from rag.types import Answer, Citation, KeptTurn, Sentence, Timings

SOURCE = Citation(1, "a.pdf", 11, 5, 9, 0.75, "text", "xi", 3)
ANSWER = Answer(
    "How?", "So [1].", False, (Sentence("So.", (1,)),), (SOURCE,), (SOURCE,), Timings(0, 1, 2, 3, 4, 5, 6), "m"
)


def turn(question: str, answer: Answer | None = ANSWER) -> KeptTurn:
    state = "done" if answer else "stopped"
    return KeptTurn(question, state, 12, (SOURCE,), "" if answer else "Half", answer, "")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "library" / "conversations.sqlite"


@pytest.fixture
def kept(path: Path) -> Conversations:
    return Conversations(path, hours=24)


def names(kept: Conversations, owner: str = EVERYONE) -> list[str]:
    return [each.name for each in kept.infos(owner)]


def test_a_conversation_comes_back_as_it_was_also_after_a_restart(kept: Conversations, path: Path) -> None:
    number, first = kept.add_turn(EVERYONE, None, turn("How?"))
    again, second = kept.add_turn(EVERYONE, number, turn("And then?", None))
    assert again == number
    reopened = Conversations(path, hours=24)
    assert reopened.turns(EVERYONE, number) == [(first, turn("How?")), (second, turn("And then?", None))]
    (info,) = reopened.infos(EVERYONE)
    assert (info.id, info.name, info.turns) == (number, "How?", 2)
    assert info.updated[:4] == time.strftime("%Y", time.gmtime())


def test_the_latest_question_brings_its_conversation_to_the_top(kept: Conversations) -> None:
    first, _ = kept.add_turn(EVERYONE, None, turn("First?"))
    kept.add_turn(EVERYONE, None, turn("Second?"))
    assert names(kept) == ["Second?", "First?"]
    kept.add_turn(EVERYONE, first, turn("More?"))
    assert names(kept) == ["First?", "Second?"]


def test_a_turn_replaces_the_one_it_says_and_no_other(kept: Conversations) -> None:
    number, first = kept.add_turn(EVERYONE, None, turn("First?"))
    other, _ = kept.add_turn(EVERYONE, None, turn("Other?"))
    kept.add_turn(EVERYONE, number, turn("From another tab?"))
    kept.add_turn(EVERYONE, number, turn("Better?"), replaces=first)
    assert [each.question for _, each in kept.turns(EVERYONE, number)] == ["From another tab?", "Better?"]
    kept.add_turn(EVERYONE, number, turn("Wrong?"), replaces=kept.turns(EVERYONE, other)[0][0])
    assert [each.question for _, each in kept.turns(EVERYONE, other)] == ["Other?"]


def test_names(kept: Conversations) -> None:
    number, first = kept.add_turn(EVERYONE, None, turn("Frist?"))
    kept.add_turn(EVERYONE, number, turn("First?"), replaces=first)
    assert names(kept) == ["First?"]
    kept.rename(EVERYONE, number, "  Descaling \n and warranty ")
    assert names(kept) == ["Descaling and warranty"]
    kept.rename(EVERYONE, number, " ")
    assert names(kept) == ["First?"]
    kept.rename(EVERYONE, number, "x" * 500)
    assert names(kept) == ["x" * 120]


def test_what_is_deleted_is_gone_with_its_turns(kept: Conversations, path: Path) -> None:
    number, _ = kept.add_turn(EVERYONE, None, turn("A very particular question?"))
    kept.delete(EVERYONE, number)
    kept.delete(EVERYONE, number)
    assert names(kept) == []
    with pytest.raises(LibraryError, match="no longer kept"):
        kept.turns(EVERYONE, number)
    assert kept._read("SELECT count(*) FROM turns") == [(0,)]
    again, _ = kept.add_turn(EVERYONE, number, turn("Still here?"))
    assert names(kept) == ["Still here?"]
    assert again != number


def test_nobody_sees_reads_changes_or_deletes_what_is_another_s(kept: Conversations, path: Path) -> None:
    mine, first = kept.add_turn("my secret", None, turn("Mine?"))
    kept.add_turn(EVERYONE, None, turn("The library's?"))
    assert (names(kept, "my secret"), names(kept, "another"), names(kept)) == (["Mine?"], [], ["The library's?"])
    for owner in ("another", EVERYONE):
        with pytest.raises(LibraryError, match="no longer kept"):
            kept.turns(owner, mine)
        kept.rename(owner, mine, "Stolen")
        kept.delete(owner, mine)
        written, _ = kept.add_turn(owner, mine, turn("Slipped in?"), replaces=first)
        assert written != mine
    assert kept.turns("my secret", mine) == [(first, turn("Mine?"))]
    assert names(kept, "my secret") == ["Mine?"]
    assert b"my secret" not in path.read_bytes() + path.with_name(f"{path.name}-wal").read_bytes()


def test_a_visitor_s_conversation_goes_after_its_time_and_the_library_s_stays(
    kept: Conversations, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.time()
    number, _ = kept.add_turn("visitor", None, turn("Mine?"))
    kept.add_turn(EVERYONE, None, turn("The library's?"))
    monkeypatch.setattr(module.time, "time", lambda: began + 23 * 3600)
    assert names(kept, "visitor") == ["Mine?"]
    monkeypatch.setattr(module.time, "time", lambda: began + 25 * 3600)
    assert (names(kept, "visitor"), names(kept)) == ([], ["The library's?"])
    with pytest.raises(LibraryError, match="no longer kept"):
        kept.turns("visitor", number)
    late, _ = kept.add_turn("visitor", number, turn("Too late?"))
    assert [each.question for _, each in kept.turns("visitor", late)] == ["Too late?"]
    kept.delete("visitor", late)
    kept.drop_expired()
    assert kept._read("SELECT count(*) FROM turns") == [(1,)]


def test_a_file_that_is_no_database_is_said_to_be_that(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("no database at all, but long enough to be taken for one" * 40)
    with pytest.raises(LibraryError, match=r"the file of the conversations .* cannot be used"):
        Conversations(path, hours=24)


def test_a_record_of_another_version_is_said_to_be_that(kept: Conversations) -> None:
    number, _ = kept.add_turn(EVERYONE, None, turn("How?"))
    with kept._write() as db:
        db.execute("UPDATE turns SET record = '{}'")
    with pytest.raises(LibraryError, match="another version"):
        kept.turns(EVERYONE, number)


def test_a_comparison_is_kept_with_its_turn_and_changed_by_its_owner_alone(kept: Conversations) -> None:
    ann, ben = "a" * 43, "b" * 43
    number, first = kept.add_turn(ann, None, turn("How?"))
    alone = KeptTurn("How?", "done", 0, (), "", ANSWER, "")
    compared = replace(turn("How?"), alone=alone)
    for other in (ben, EVERYONE):
        kept.change_turn(other, first, compared)
    assert kept.turns(ann, number) == [(first, turn("How?"))]
    kept.change_turn(ann, first, compared)
    assert kept.turns(ann, number) == [(first, compared)]
    kept.change_turn(ann, first + 1, compared)  # it is gone
    assert len(kept.turns(ann, number)) == 1
