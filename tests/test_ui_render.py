"""Records to HTML: the words, the marks, and no text of others' making as markup."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag import ui_render as render
from rag import ui_render_documents as shelf
from rag import ui_render_talk as talk
from rag.types import (
    AS_SET,
    Answer,
    AskLimits,
    AskOptions,
    Citation,
    ConversationInfo,
    DocumentInfo,
    Mark,
    Outcome,
    PageImage,
    Passage,
    Progress,
    Recording,
    Sentence,
    Timings,
    place,
)
from rag.ui_listing import Listing
from rag.ui_render_settings import read_options, render_settings
from rag.ui_session import TurnView
from rag.ui_texts import ENGLISH, Texts
from rag.ui_uploads import UploadRow

HOSTILE = "<script>alert(1)</script><img src=x onerror='a'>\"' onclick=\"b\" \u202efdp.exe\x00 &amp;"
TIMINGS = Timings(0.1, 1.94, 3.44, 700, 60, 23.4, 2950.0)


IMAGE = PageImage(
    b"\x00\xff", "image/png", 12, 16, (Mark(0.1, 0.2, 0.5, 0.01, False), Mark(0.1, 0.2, 0.25, 0.01, True)), False
)
VOID = ("img", "input")


class Tags(HTMLParser):
    """Collects tags, attributes and text; fails on a tag that is closed out of turn."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self._open: list[str] = []
        self.feed(markup)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def source(
    number: int, name: str = "a.pdf", text: str = "Text.", page: int | None = 3, label: str | None = None
) -> Citation:
    return Citation(number, name, page, 0, len(text), 0.5, text, label, number)


def answered(*sentences: Sentence, refused: bool = False, text: str = "", model: str = "m") -> TurnView:
    sources = (source(1), source(2))
    answer = Answer("q", text, refused, sentences, sources, sources, TIMINGS, model)
    return TurnView("q", "done", sources, answer=answer)


def everything(text: str, texts: Texts = ENGLISH) -> list[str]:
    """Every part of the page with the same text wherever others' text can stand."""
    cited = replace(source(1, text, text, 1, text), headings=text)
    answer = Answer(text, text, False, (Sentence(text, (1,)), Sentence(text, ())), (cited,), (cited,), TIMINGS, text)
    info = DocumentInfo(1, text, text, text, "ready", None, 1, 1, 1, text)
    failed = DocumentInfo(2, text, text, text, "failed", text, 1, 1, 1, text)
    turns = [
        TurnView(text, "done", (cited,), answer=answer),
        TurnView(text, "done", (cited,), answer=Answer(text, text, True, (), (), (cited,), TIMINGS, text)),
        TurnView(text, "writing", (cited,), text=text),
        TurnView(text, "stopped", (cited,), text=text),
        TurnView(text, "failed", error=text),
        TurnView(text, "waiting", progress=Progress(text, 1, 2, text)),
    ]
    return [
        *(talk.render_turn(texts, turn, 0, 1) for turn in turns),
        talk.render_sources(texts, turns[0], 0, 1),
        render.render_proof(texts, Passage(text, 1, text, 2, text, text, text)),
        render.render_proof(texts, Passage(text, 1, text, 2, text, text, text, ((0, 1), (2, 9)), IMAGE)),
        render.render_problem(texts, text),
        render.render_status(texts, text),
        render.render_status(texts, Progress(text, 1, 2, text)),
        render.render_documents(texts, [info, failed], text),
        render.render_uploads(texts, [UploadRow(Path("x" + text.replace("/", "")), "failed", None, text)]),
        render.render_uploads(texts, [UploadRow(Path("x"), "reading", Progress(text, 0, 0, text))]),
        talk.render_empty(texts, 1, [text]),
        *(talk.render_turn(texts, turn, 0, 1, last=True) for turn in turns),
        *(talk.render_turn(texts, replace(turns[0], alone=turn), 0, 1) for turn in turns),
        render_settings(texts, AskLimits(4, 400, 0.0, (text or "a",)), AS_SET),
        render_settings(texts, AskLimits(4, 400, 0.0, (text or "a", "b")), AskOptions(model=text)),
        render.render_brand(texts),
        render.render_sheet(texts),
        render.render_words(texts),
        talk.render_conversations(texts, [ConversationInfo(3, text, 2, "2026-01-05T10:00:00Z")], 3, "24", text),
        talk.render_undo(texts, text or "name"),
        talk.render_memory(text, 1),
        talk.render_outbox(text, text, 1),
        talk.render_offer(text, text, 1),
        shelf.render_shelf(texts, Listing(selected={1}), [info, failed], {1: text}, text),
        shelf.render_shelf(texts, Listing(query="\ue000"), [info], {}, text),
        shelf.render_bulk(texts, Listing(selected={1}), 2),
        shelf.render_text(texts, text, [(text, text), (text, text)], 1),
    ]


OURS = {
    "article",
    "bdi",
    "button",
    "details",
    "div",
    "h2",
    "h3",
    "header",
    "i",
    "img",
    "li",
    "mark",
    "p",
    "small",
    "span",
}
OURS |= {
    "b",
    "footer",
    "form",
    "h1",
    "input",
    "label",
    "option",
    "output",
    "section",
    "select",
    "sup",
    "strong",
    "summary",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "time",
    "tr",
    "ul",
}


@settings(deadline=None)
@given(st.one_of(st.text(max_size=80), st.text("<>&'\"/=[]1,\n a`${}\u202e", max_size=80)))
def test_any_text_anywhere_stays_text(text: str) -> None:
    for part in everything(text):
        assert Tags(part).tags <= OURS


def test_no_english_word_is_left_in_the_chinese_page() -> None:
    shown = [Tags(part).text for part in everything("1", Texts("zh"))]
    assert {word for text in shown for word in re.findall("[A-Za-z]{2,}", text)} <= {
        "Footnote", "English", "GB", "JSON", "Markdown",
    }  # fmt: skip


def test_options_are_read_whatever_the_browser_sends() -> None:
    told = {"sources": "2", "answer_tokens": "119.6", "temperature": "0.5", "model": "m", "else": "x"}
    assert read_options(told) == AskOptions(2, 120, 0.5, "m")
    for nonsense in ("", "many", "nan", "inf", None, [], "1e999"):
        assert read_options(dict.fromkeys(("sources", "answer_tokens", "temperature"), nonsense)) == AS_SET


def test_a_paragraph_hidden_behind_a_control_does_not_tear_a_sentence_apart() -> None:
    page = talk.render_turn(ENGLISH, answered(Sentence("One\n\u202a\ntwo.", ())), 0, None)
    assert f'<span class="un" title="{ENGLISH.UNSUPPORTED_WHY}">One\ntwo.</span>' in page


def test_hostile_text_adds_no_tag_no_attribute_and_no_hidden_direction() -> None:
    plain = [Tags(part) for part in everything("plain")]
    for part, clean in zip(everything(HOSTILE), plain, strict=True):
        found = Tags(part)
        assert found.tags == clean.tags
        assert found.attributes == clean.attributes
        assert not set("\u202e\x00") & set(part)


def test_a_sentence_carries_its_citations_and_an_unsupported_one_says_so() -> None:
    page = talk.render_turn(ENGLISH, answered(Sentence("One.\n\n", (1, 2)), Sentence("Two.", ())), 4, 2)
    assert page.count("<p dir=") == 2
    assert 'data-turn="4" data-n="1" aria-label="Source 1" aria-pressed="false">1</button>' in page
    assert 'class="n on" data-turn="4" data-n="2"' in page
    why = f'title="{ENGLISH.UNSUPPORTED_WHY}"'
    assert f'<span class="un" {why}>Two.</span><span class="flag" {why}>not found in your documents</span>' in page
    assert "One.</span>" not in page


def test_a_source_shows_the_headings_over_it() -> None:
    turn = answered(Sentence("No.", ()), refused=True)
    page = talk.render_sources(ENGLISH, turn, 0, None)
    assert 'class="path"' not in page
    under = replace(turn.sources[0], headings="Manual > <b>Safety")
    page = talk.render_sources(ENGLISH, replace(turn, sources=(under,)), 0, None)
    assert '<small class="path" dir="auto">Manual &gt; &lt;b&gt;Safety</small>' in page


@pytest.mark.parametrize(("text", "shown"), [("7 Faults\nE3 is dry.", "E3 is dry."), ("7 Faultsome.", "7 Faultsome.")])
def test_a_source_does_not_begin_with_the_heading_that_stands_above(text: str, shown: str) -> None:
    turn = answered(Sentence("No.", ()), refused=True)
    under = replace(turn.sources[0], headings="Manual > 7 Faults", text=text)
    page = talk.render_sources(ENGLISH, replace(turn, sources=(under,)), 0, None)
    assert f'<span class="start" dir="auto">{shown}</span>' in page


def test_a_refusal_is_quiet_and_flags_nothing() -> None:
    page = talk.render_turn(
        ENGLISH, answered(Sentence("No.", ()), refused=True, text="They do not say [2] or [9]."), 0, None
    )
    assert 'class="a refuse"' in page
    assert "flag" not in page
    assert page.count("data-n=") == 1
    assert "[9]" in page


def test_a_refusal_says_what_was_searched_and_what_came_nearest() -> None:
    turn = answered(Sentence("No.", ()), refused=True, text="They do not say.")
    turn.searched = 1204
    assert (
        "Searched 1,204 documents for this. The nearest passages are in a.pdf."
        in Tags(talk.render_turn(ENGLISH, turn, 0, None)).text
    )
    turn.sources = ()
    assert (
        "Searched 1,204 documents for this, and no passage came near."
        in Tags(talk.render_turn(ENGLISH, turn, 0, None)).text
    )


def test_only_the_last_finished_turn_can_be_asked_again() -> None:
    def acts(turn: TurnView, last: bool) -> set[str]:
        return Tags(talk.render_turn(ENGLISH, turn, 0, None, last)).attributes & {
            "data-copy",
            "data-retry",
            "data-edit",
        }

    done = answered(Sentence("A.", (1,)))
    assert acts(done, True) == {"data-copy", "data-retry", "data-edit"}
    assert acts(done, False) == {"data-copy"}
    assert acts(TurnView("q", "failed", error="down"), True) == {"data-retry", "data-edit"}
    assert acts(TurnView("q", "writing", text="half"), True) == set()


@pytest.mark.parametrize(
    ("ago", "told"), [(0, "today"), (1, "yesterday"), (3, "{0:%A}"), (40, "{0.day} {0:%B}"), (800, "{0:%Y}")]
)
def test_a_conversation_says_when_it_was(ago: int, told: str) -> None:
    when = datetime.now().astimezone() - timedelta(days=ago)
    page = talk.render_conversations(ENGLISH, [ConversationInfo(1, "n", 1, when.astimezone(UTC).isoformat())], None, "")
    assert told.format(when) in Tags(page).text


@pytest.mark.parametrize(
    ("written", "shown"), [("Yes [", "Yes"), ("Yes [1", "Yes"), ("Yes [1, ", "Yes"), ("a[0] = [", "a[0] =")]
)
def test_a_marker_that_is_still_being_written_is_not_shown(written: str, shown: str) -> None:
    page = talk.render_turn(ENGLISH, TurnView("q", "writing", (source(1),), written), 0, None)
    assert Tags(page).text == f"q{shown}"


def test_the_phases_say_what_happens() -> None:
    def said(turn: TurnView) -> str:
        return Tags(talk.render_turn(ENGLISH, turn, 0, None)).text.removeprefix("q")

    assert said(TurnView("q")) == "Searching your documents"
    assert said(TurnView("q", seconds=4.4)) == "Searching your documents 4 s"
    assert said(TurnView("q", "reading", (source(1),))) == "Reading 1 passage"
    assert said(TurnView("q", "queued")) == "Another question is being answered; yours is next"
    assert said(TurnView("q", "stopped", (), "Half")) == "Halfstopped"
    assert said(TurnView("q", "stopped")) == "Stopped before the first word."


def test_the_meta_line_gives_the_cost() -> None:
    text = Tags(talk.render_turn(ENGLISH, answered(Sentence("A.", (1,)), model="Qwen2.5 1.5B"), 0, None)).text
    assert "2 sources found · first word 1.9 s · 3.4 s in all · 23 tokens/s · Qwen2.5 1.5B · 3.1 GB memory" in text
    assert "3.1 GB memory: the most memory that Footnote has taken" in text


def test_a_passage_is_marked_in_its_surroundings_under_its_place() -> None:
    page = render.render_proof(ENGLISH, Passage("k.pdf", 11, "xi", 24, "before ", "cited", " after"))
    assert "page xi (11 of 24)" in page
    assert 'before <mark aria-label="cited passage">cited</mark> after' in page
    assert "page 11 of 24" in render.render_proof(ENGLISH, Passage("k.pdf", 11, "11", 24, "", "cited", ""))
    assert "page" not in Tags(render.render_proof(ENGLISH, Passage("k.csv", None, None, 0, "", "row", ""))).text


@pytest.mark.parametrize(
    ("page", "label", "where"),
    [
        (None, None, ""),
        (3, None, "page 3"),
        (3, "xii", "page xii"),
        (3, "slide 3", "slide 3"),
        (1, "sheet <b>", "sheet <b>"),
        (4, "at 0:01:30", "at 0:01:30"),
        (2, "attachment a.pdf, page 2", "attachment a.pdf, page 2"),
    ],
)
def test_a_place_is_named_as_its_format_names_it(page: int | None, label: str | None, where: str) -> None:
    assert place(page, label) == where
    if label and where == label:
        shown = render.render_proof(ENGLISH, Passage("k", page, label, 9, "", "cited", ""))
        assert f"<small>{escape(where)}</small>" in shown


def test_a_page_stands_above_its_folded_text_with_a_mark_for_each_line() -> None:
    page = render.render_proof(ENGLISH, Passage("k.pdf", 11, None, 24, "a ", "One. Two.", " b", ((5, 9),), IMAGE))
    assert 'src="data:image/png;base64,AP8="' in page
    assert 'width="12" height="16"' in page
    assert '<i class="rest" style="left:10.0000%;top:20.0000%;width:50.0000%;height:1.0000%"></i>' in page
    assert '<i class="best" style="left:10.0000%;top:20.0000%;width:25.0000%;height:1.0000%"></i>' in page
    assert "One. <strong>Two.</strong></mark>" in page
    assert "<details><summary>The passage as text</summary>" in page
    assert 'alt="Picture of page 11 of 24 of k.pdf. The cited passage is marked' in page


def test_a_recording_waits_at_the_moment_of_its_passage_above_what_is_said() -> None:
    heard = Passage(
        "talk <b>.mp3", 2, "at 1:00-2:00", 3, "a ", "cited", " b", recording=Recording(3672.5, "audio/mpeg")
    )
    page = render.render_proof(ENGLISH, heard, "original/x")
    assert '<audio controls preload="metadata" src="original/x#t=3672.50" data-at="3672.50"' in page
    assert 'aria-label="Recording talk &lt;b&gt;.mp3, at 1:01:12, where the passage is heard"' in page
    assert "autoplay" not in page
    assert "Play from 1:01:12</button>" in page
    assert 'role="alert" hidden>This browser does not play' in page
    assert page.index("</audio>") < page.index("<mark")
    assert "<video controls" in render.render_proof(ENGLISH, replace(heard, recording=Recording(0, "video/mp4")), "x")
    gone = render.render_proof(ENGLISH, replace(heard, problem="gone"))
    assert "so it cannot be played" in gone
    assert "<audio" not in gone


def test_a_picture_that_is_no_page_is_called_by_its_name() -> None:
    page = render.render_proof(ENGLISH, Passage("sign.png", None, None, 0, "", "cited", "", image=IMAGE))
    assert 'alt="The picture sign.png. The cited passage is marked' in page


def test_a_page_without_marks_or_without_a_picture_says_so_and_shows_the_text() -> None:
    unmarked = replace(IMAGE, marks=())
    page = render.render_proof(ENGLISH, Passage("k.pdf", 1, None, 1, "", "cited", "", (), unmarked, "unmarked"))
    assert "nothing is marked" in page
    assert "<details open>" in page
    assert "is marked;" not in page
    for problem, words in (("gone", "no longer where"), ("changed", "has changed"), ("unreadable", "cannot be drawn")):
        page = render.render_proof(ENGLISH, Passage("k.pdf", 1, None, 1, "", "cited", "", problem=problem))
        assert words in page
        assert "details" not in page


def test_progress_in_bytes_counts_megabytes_and_the_unknown_has_no_percent() -> None:
    page = render.render_status(ENGLISH, Progress("Fetching", 3_000_000, 12_000_000, "B"))
    assert "3 of 12 MB" in page
    assert 'aria-valuenow="25"' in page
    assert "aria-valuenow" not in render.render_status(ENGLISH, Progress("Indexing", 0, 0, "files"))
    assert render.render_status(ENGLISH, None) == ""


def test_the_library_says_what_is_ready_and_what_failed_and_why() -> None:
    ready = DocumentInfo(1, "c", "a.pdf", "a", "ready", None, 1, 1204, 9, "")
    failed = DocumentInfo(2, "c", "b.pdf", "b", "failed", "it needs a password", 0, 0, 9, "")
    partial = DocumentInfo(3, "c", "c.pdf", "c", "ready", "1 of 2 pages not read: <a picture>", 2, 5, 9, "", "partial")
    assert "2 pages · 5 passages · 1 of 2 pages not read: &lt;a picture&gt;" in render.render_documents(
        ENGLISH, [partial]
    )
    text = Tags(render.render_documents(ENGLISH, [ready, failed])).text
    assert "Library · 2 documents" in text
    assert "1 page · 1,204 passages" in text
    assert "it needs a password" in text
    assert "Nothing here yet" in render.render_documents(ENGLISH, [])


def test_a_long_library_is_cut_in_the_narrow_list() -> None:
    many = [DocumentInfo(number, "c", f"{number}.pdf", "a", "ready", None, 1, 2, 9, "") for number in range(2000)]
    page = render.render_documents(ENGLISH, many)
    assert page.count("<li") == 30
    assert "Library · 2,000 documents" in Tags(page).text
    assert "and 1,970 more" in page


@pytest.mark.parametrize(
    ("reason", "outcome", "way"),
    [
        ("it needs a password", "password", "It needs a password. Save a copy without one and add that."),
        ("it needs a password; save a copy without one", "password", "It needs a password; save a copy without one."),
        ("no text was found", "empty", "If it holds pictures of text, see that RAG_OCR is not off."),
        ("it came no further", "timed_out", "Split it and add the parts, or raise RAG_PARSE_TIMEOUT."),
    ],
)
def test_a_document_that_failed_says_why_and_what_to_do(reason: str, outcome: Outcome, way: str) -> None:
    failed = DocumentInfo(2, "c", "b.pdf", "b", "failed", reason, 0, 0, 9, "2026-01-05T10:00:00Z", outcome)
    text = Tags(shelf.render_shelf(ENGLISH, Listing(), [failed], {})).text
    assert way in text
    assert "still answers" not in text
    newer = replace(failed, state="ready", outcome="ready")
    assert "still answers" in Tags(shelf.render_shelf(ENGLISH, Listing(), [newer], {})).text
    partial = replace(failed, state="ready", outcome="partial", reason="1 of 2 pages not read")
    text = Tags(shelf.render_shelf(ENGLISH, Listing(), [partial], {})).text
    assert "partly read" in text
    assert "still answers" not in text


def test_sizes_and_days_are_in_words() -> None:
    sizes = {0: "0 B", 999: "999 B", 1500: "1.5 kB", 24_000_000: "24 MB", 3_200_000_000: "3.2 GB"}
    for size, told in sizes.items():
        info = DocumentInfo(1, "c", "a", "a", "ready", None, 1, 1, size, "2026-01-05T10:00:00Z")
        assert f">{told}<" in shelf.render_shelf(ENGLISH, Listing(), [info], {})
    assert "5 Jan 2026" in shelf.render_shelf(ENGLISH, Listing(), [info], {})


def test_a_long_list_has_pages_and_a_document_has_leaves() -> None:
    many = [DocumentInfo(number, "c", f"{number:04}.pdf", "a", "ready", None, 1, 2, 9, "") for number in range(120)]
    text = Tags(shelf.render_shelf(ENGLISH, Listing(page=2), many, {})).text
    assert "101–120 of 120" in text
    assert "0119.pdf" in text
    assert "0099.pdf" not in text
    page = shelf.render_text(ENGLISH, "a.pdf", [("page i", "one"), ("page 2", "two")], 0)
    assert "page i" in page
    assert "1 of 2" in page
    assert page.count("disabled") == 1
