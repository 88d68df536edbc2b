"""Headers and footers of a PDF: kept out of what is split, and nothing else with them."""

from __future__ import annotations

import textwrap
from itertools import pairwise

import pytest
from fpdf import FPDF
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document

from rag.loaders import load_bytes
from rag.loaders_headings import mark_headings
from rag.loaders_running import mark_bodies
from rag.splitter import PAGE_BREAK, document_text, split_documents

HEADER = "Kestrel Works - K3 maintenance manual"
FOOTER = "Confidential, for service partners only"


def report(pages: int, body: str = "") -> bytes:
    """A PDF of so many pages between a header and a footer that counts them; `body` begins and ends each page."""
    document = FPDF()
    document.set_auto_page_break(False)
    document.set_font("Helvetica", size=11)
    for number in range(1, pages + 1):
        document.add_page()
        lines = [body] if body else []
        for item in range(8):
            said = f"Part {number}-{item} of assembly {chr(65 + number % 26)} is held by {number * 7 + item} screws."
            lines += textwrap.wrap(f"{said} Turn each of them a quarter, wait, and turn it once more.", 80)
        lines += [body] if body else []
        for line in [HEADER, *lines, FOOTER, f"Page {number} of {pages}"]:
            document.cell(0, 6, line, new_x="LMARGIN", new_y="NEXT")
    return bytes(document.output())


def chunks_of(pages: list[Document]) -> list[Document]:
    chunks = split_documents(
        pages, chunk_size=600, chunk_overlap=100, max_tokens=384, count_tokens=lambda text: len(text.split())
    )
    text = document_text(pages)
    assert all(text[c.metadata["start"] : c.metadata["end"]] == c.page_content for c in chunks)
    return chunks


def bodies(*texts: str) -> list[str]:
    """What is left of each page."""
    pages = [Document(text, metadata={}) for text in texts]
    mark_bodies(pages)
    assert [page.page_content for page in pages] == list(texts)
    return [page.page_content[slice(*page.metadata.get("body", (None, None)))].strip() for page in pages]


def test_headers_and_footers_do_not_flood_the_chunks() -> None:
    pages = load_bytes(report(30), "a.pdf")
    assert all(HEADER in page.page_content and FOOTER in page.page_content for page in pages)  # citations count in it
    chunks = chunks_of(pages)
    for line in (HEADER, FOOTER, " of 30"):
        assert {chunk.metadata["page"] for chunk in chunks if line in chunk.page_content} == {1}, line
    for number in range(1, 31):
        for item in range(8):
            assert any(f"Part {number}-{item} of assembly" in chunk.page_content for chunk in chunks)


def test_a_line_of_the_body_that_repeats_stays() -> None:
    warning = "Warning: pull the plug first."
    words = ["ash", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak"]
    texts = [
        "\n".join([HEADER, f"On {word}.", warning, *(f"{word} {part}" for part in "abcde"), str(number)])
        for number, word in enumerate(words, start=1)
    ]
    for number, left in enumerate(bodies(*texts)):
        assert warning in left
        assert (HEADER in left) == (number == 0)
        assert left.splitlines()[-1] == ("1" if number == 0 else f"{words[number]} e")


def test_what_stands_further_in_than_a_line_that_differs_stays() -> None:
    texts = [f"{'Dear ' + str(n) * n if n % 2 else 'x' * n} reader\n{HEADER}\nbody {'w' * n}" for n in range(1, 9)]
    assert bodies(*texts) == texts


def test_rows_that_only_numbers_tell_apart_stay() -> None:
    texts = [f"Body {'w' * n}.\nTotal {n * n * 13 + 7} of 900" for n in range(12)]
    assert bodies(*texts) == texts


@pytest.mark.parametrize("line", ["Step {}", "Invoice 100{}", "Invoice no. INV-2{}", "Week {} of 52", "{}. Clean it"])
def test_what_numbers_the_things_that_pages_are_about_stays(line: str) -> None:
    """A thing a page, numbered as the pages are: without the line nobody would know which."""
    texts = [f"{line.format(n)}\nword{'w' * n}\nMore of it {'m' * n}." for n in range(1, 10)]
    assert bodies(*texts) == texts


@pytest.mark.parametrize(
    "line",
    ["{}", "- {} -", "{}/30", "{} of 30", "Manual | {}", "{}  Manual", "Manual, p. {}", "Seite {} von 9", "第 {} 页"],
)
def test_numbers_of_pages_are_known_at_the_head(line: str) -> None:
    texts = [f"{line.format(n)}\nword{'w' * n}" for n in range(1, 10)]
    assert bodies(*texts) == [texts[0], *(f"word{'w' * n}" for n in range(2, 10))]


def test_a_footer_needs_no_word_for_its_page_unless_it_counts_something_else() -> None:
    for line, stays in (("User guide {}", False), ("Receipt 20{}", True)):
        texts = [f"word{'w' * n}\n{line.format(n)}" for n in range(10, 20)]
        assert bodies(*texts)[1:] == (texts[1:] if stays else [f"word{'w' * n}" for n in range(11, 20)])


def test_headers_of_left_and_right_pages_are_told_apart() -> None:
    texts = [f"{('Manual | ' if n % 2 else '') + str(n + 1)}\nword{'w' * n}\n{FOOTER}" for n in range(12)]
    left = bodies(*texts)
    assert left[:2] == ["1\nword\n" + FOOTER, "Manual | 2\nwordw"]
    assert left[2:] == [f"word{'w' * n}" for n in range(2, 12)]


def test_a_few_pages_and_blank_ones_are_left_alone() -> None:
    assert bodies(*[f"{HEADER}\nb{'w' * n}" for n in range(3)]) == [f"{HEADER}\nb{'w' * n}" for n in range(3)]
    assert bodies("", *[f"{HEADER}\nb{'w' * n}" for n in range(5)], " \n", HEADER) == [
        "", f"{HEADER}\nb", "bw", "bww", "bwww", "bwwww", "", "",
    ]  # fmt: skip


_LINE = st.sampled_from(
    [HEADER, "Page {}", "{}", "Step {}", "# Title", "a word", "  in", "| x | y |", "\u05e9\u05dc", ""]
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(_LINE | st.text("ab \t\n#1\u202e\U0001f600", max_size=40), max_size=9), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["Title", "a word", "nowhere"])), max_size=4),
)
def test_chunks_hold_all_of_each_body_and_nothing_else(made: list[list[str]], outline: list[tuple[int, str]]) -> None:
    pages = [
        Document(
            "\n".join(line.format(number) for line in lines),
            metadata={"page": number, "page_label": None, "outline": outline},
        )
        for number, lines in enumerate(made, start=1)
    ]
    mark_bodies(pages)
    mark_headings(pages, "flowing")
    wanted, offset = set(), 0
    for page in pages:
        text = page.page_content
        begin, stop = page.metadata.get("body", (0, len(text)))
        wanted |= {offset + at for at in range(begin, stop) if not text[at].isspace()}
        offset += len(text) + len(PAGE_BREAK)
    spans = [(chunk.metadata["start"], chunk.metadata["end"]) for chunk in chunks_of(pages)]
    whole = document_text(pages)
    held = {at for start, end in spans for at in range(start, end) if not whole[at].isspace()}
    assert held == wanted
    assert all(one[0] < other[0] and one[1] < other[1] for one, other in pairwise(spans))
