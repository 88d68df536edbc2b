"""Conversations as text to take away."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rag.types import Answer, Citation, ConversationInfo, KeptTurn, Sentence, Timings
from rag.ui_export import answer_text, export_json, export_markdown, file_name
from rag.ui_texts import ENGLISH

FIRST = Citation(1, "manual.pdf", 11, 0, 9, 0.8, "Descale\nevery 60 days.", "xi", 1)
SECOND = Citation(2, "calls.csv", None, 0, 9, 0.4, "K3, <b>scale</b>", None, 2)
ANSWER = Answer(
    "How often?",
    "Every 60 days [1].",
    False,
    (Sentence("Every 60 days.", (1,)),),
    (FIRST,),
    (FIRST, SECOND),
    Timings(0, 1, 2, 3, 4, 5, 6),
    "m",
)
REFUSED = Answer("And?", "They do not say.", True, (), (), (FIRST, SECOND), ANSWER.timings, "m")
INFO = ConversationInfo(1, "How often?", 3, "2026-01-05T10:00:00Z")
TURNS = [
    KeptTurn("How often?", "done", 2, (FIRST, SECOND), "", ANSWER, ""),
    KeptTurn("And <i>?", "done", 2, (FIRST, SECOND), "", REFUSED, ""),
    KeptTurn("More?", "stopped", 2, (), "Half a", None, ""),
    KeptTurn("Still?", "failed", 2, (), "", None, "the server is down"),
]


def test_an_answer_lists_the_sources_it_cites_and_a_refusal_the_nearest() -> None:
    assert answer_text(ENGLISH, ANSWER) == (
        "Every 60 days [1].\n\nSources:\n\n[1] manual.pdf, page xi: “Descale every 60 days.”"
    )
    assert answer_text(ENGLISH, REFUSED).endswith(
        "Nearest passages:\n\n[1] manual.pdf, page xi: “Descale every 60 days.”\n\n[2] calls.csv: “K3, <b>scale</b>”"
    )


def test_markdown_holds_every_turn_and_lets_no_html_through() -> None:
    assert (
        export_markdown(ENGLISH, INFO, TURNS)
        == """# How often?

## How often?

Every 60 days [1].

Sources:

[1] manual.pdf, page xi: “Descale every 60 days.”

## And &lt;i>?

They do not say.

Nearest passages:

[1] manual.pdf, page xi: “Descale every 60 days.”

[2] calls.csv: “K3, &lt;b>scale&lt;/b>”

## More?

Half a

*stopped*

## Still?

*the server is down*
"""
    )


def test_json_holds_all_that_is_kept() -> None:
    record = json.loads(export_json(INFO, TURNS))
    assert (record["name"], record["updated"]) == ("How often?", INFO.updated)
    assert [turn["state"] for turn in record["turns"]] == ["done", "done", "stopped", "failed"]
    assert record["turns"][0]["answer"]["citations"][0]["page_label"] == "xi"
    assert record["turns"][1]["sources"][1]["text"] == "K3, <b>scale</b>"


def test_the_model_alone_is_named_as_having_no_proof() -> None:
    alone = replace(ANSWER, text="About <every> three months.", citations=(), sources=())
    turn = replace(TURNS[0], alone=KeptTurn("How often?", "done", 0, (), "", alone, ""))
    told = export_markdown(ENGLISH, INFO, [turn, replace(turn, alone=replace(TURNS[2], error="down"))])
    head = "### The model alone (from memory, without your documents: no proof)"
    assert f"60 days.”\n\n{head}\n\nAbout &lt;every> three months.\n\n## " in told
    assert told.endswith(f"{head}\n\nHalf a\n\n*stopped*\n\n*down*\n")
    kept, without = json.loads(export_json(INFO, [turn, TURNS[0]]))["turns"]
    assert kept["model_alone_no_proof"]["answer"]["text"] == "About <every> three months."
    assert "model_alone_no_proof" not in without
    assert "alone" not in kept


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("How often?", "How often.md"),
        ("../../etc/passwd", "etc passwd.md"),
        ("Größe, 3 (neu)", "Größe, 3 (neu).md"),
        ("???", "Footnote.md"),
        ("\u202efdp.exe\n", "fdp.exe.md"),
        ("x" * 300, "x" * 80 + ".md"),
    ],
)
def test_a_file_name_is_one_that_any_system_takes(name: str, file: str) -> None:
    assert file_name(ENGLISH, ConversationInfo(1, name, 1, ""), "md") == file
