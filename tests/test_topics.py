"""What a document can be asked about: its own questions and headings, and nothing made up."""

from __future__ import annotations

from pathlib import Path

from rag.topics import choose_topic, find_topics

SAMPLES = Path(__file__).parent.parent / "sample_docs"


def test_headings_are_found_without_their_numbers_and_the_empty_ones_are_left_out() -> None:
    text = "# Terms\n\n## Contents\n\n## 1. How long the warranty runs\n\nTwo years.\n\n### What it covers ##\n"
    assert find_topics([text]) == ["How long the warranty runs", "What it covers"]
    assert find_topics(
        ["7. Descaling\nDo it often.\n7.1 Hard water areas\n1 litre of water, boiled.\n12 kettles\n"]
    ) == [
        "Descaling",
        "Hard water areas",
    ]


def test_a_heading_in_capitals_is_put_as_a_sentence_has_it() -> None:
    assert find_topics(["3. RECALL OF THE K3 POWER BASE\n"]) == ["Recall of the K3 power base"]


def test_a_question_of_the_document_s_own_comes_before_headings() -> None:
    text = "## Cleaning\n\nHow do I clean the steel filter?\nRinse it. Is that all? Yes.\n\n## Why does it whistle?\n"
    assert find_topics([text]) == ["How do I clean the steel filter?", "Why does it whistle?"]


def test_prose_and_tables_hold_no_topic() -> None:
    assert find_topics(["Nothing here. Is a heading\nin this text? No.\n", "name,price\nK3,49\n", ""]) == []


def test_only_the_beginning_of_a_long_document_is_read() -> None:
    pages = iter(["x" * 50_000, "## Never reached\n"])
    assert find_topics(pages) == []
    assert next(pages) == "## Never reached\n"


def test_the_topic_that_says_most_is_chosen() -> None:
    assert choose_topic(["Descaling", "How long it runs", "What it does cover"]) == "How long it runs"


def test_the_samples_have_topics() -> None:
    assert "How long the warranty runs" in find_topics([(SAMPLES / "warranty-terms.md").read_text("utf-8")])
