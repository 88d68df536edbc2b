from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document

from rag.ranking import LONGEST, Candidates, Weights, distinct, evidence, extent, merge, part, rank, words

TEXT = "".join(chr(97 + at % 26) for at in range(4000))
starts = st.lists(st.tuples(st.integers(1, 2), st.integers(0, 3000)), min_size=1, max_size=12, unique=True)


def chunk(text: str, start: int = 0, document: int = 1, page: int | None = None) -> Document:
    metadata = {"document_id": document, "page": page, "start": start, "end": start + len(text)}
    return Document(text, metadata=metadata)


def apart(*texts: str) -> dict[int, Document]:
    """Chunks of which none touches another."""
    return {number: chunk(text, document=number) for number, text in enumerate(texts, start=1)}


def ranked(
    question: str,
    chunks: dict[int, Document],
    cosines: dict[int, float],
    by_words: dict[int, float],
    openings: dict[int, str] | None = None,
    **weights: Any,
) -> list[int]:
    return rank(question, Candidates(chunks, cosines, by_words, openings or {}), Weights(**weights))


def test_what_is_near_by_meaning_and_by_words_beats_the_first_of_either() -> None:
    cosines = {1: 0.9, 2: 0.85, 3: 0.1, 4: 0.2}
    assert ranked("?", apart("a", "b", "c", "d"), cosines, {4: 9.0, 2: 7.0})[0] == 2


def test_a_score_far_ahead_counts_for_more_than_its_rank() -> None:
    cosines = {1: 0.80, 2: 0.79, 3: 0.10}
    assert ranked("?", apart("a", "b", "c"), cosines, {2: 1.0, 1: 20.0, 3: 0.9})[:2] == [1, 2]
    assert ranked("?", apart("a", "b", "c"), cosines, {2: 20.0, 1: 1.0, 3: 0.9})[:2] == [2, 1]


def test_words_together_in_one_sentence_beat_the_same_words_scattered() -> None:
    chunks = apart(
        "The lamp is new. Its keeper left. The price of oil rose.",
        "The price of the lamp was raised. Its keeper left. So it goes.",
    )
    assert ranked("price of the lamp", chunks, {1: 0.5, 2: 0.5}, {1: 3.0, 2: 3.0}) == [2, 1]


def test_a_sentence_is_read_under_its_headings() -> None:
    chunks = apart("Drain it first.", "Drain it first.", "Keep it dry.")
    chunks[1].metadata["headings"], chunks[2].metadata["headings"] = "Kettle > Storage", "Kettle > Disposal"
    assert ranked("drain before disposal of the kettle", chunks, dict.fromkeys(chunks, 0.5), {}) == [2, 1, 3]


def test_the_document_that_is_about_the_one_asked_for_comes_first() -> None:
    chunks = apart("The company's margin rose.", "The company's margin rose.")
    openings = {1: "2022-q3.pdf\nReport of Alder Ltd", 2: "2022-q3 (2).pdf\nReport of Birch Ltd"}
    assert ranked("What was Birch's margin?", chunks, {1: 0.51, 2: 0.5, 3: 0.4}, {}, openings, opening=2)[0] == 2
    assert ranked("What was Alder's margin?", chunks, {1: 0.5, 2: 0.51, 3: 0.4}, {}, openings, opening=2)[0] == 1


def test_what_the_title_says_is_no_better_for_being_said_again() -> None:
    chunks = {1: chunk("Signed for Birch Ltd: its report on the third quarter."), 2: chunk("Its debt fell.", start=500)}
    openings = {1: "2022-q3.pdf\nBirch Ltd, report on the third quarter"}
    asked = "debt, Birch Ltd, report on the quarter"
    assert ranked(asked, chunks, dict.fromkeys(chunks, 0.5), {}, openings) == [2, 1]
    assert ranked(asked, chunks, dict.fromkeys(chunks, 0.5), {}, openings, title=0) == [1, 2]


def test_what_stands_beside_a_good_chunk_comes_before_an_equal_one_elsewhere() -> None:
    chunks = {1: chunk("x" * 100, document=2), 2: chunk("y" * 100, start=500), 3: chunk("z" * 100, start=602)}
    assert ranked("?", chunks, {1: 0.4, 2: 0.9, 3: 0.4}, {}) == [2, 3, 1]
    assert ranked("?", chunks, {1: 0.4, 2: 0.9, 3: 0.4}, {}, neighbour=0) == [2, 1, 3]


@given(st.dictionaries(st.integers(0, 20), st.integers(-100, 100), max_size=15), st.text(max_size=40))
def test_ranking_loses_and_invents_nothing(cents: dict[int, int], question: str) -> None:
    chunks = {number: chunk(f"text {number}", document=number % 3, start=number * 7) for number in cents}
    cosines = {number: cent / 100 for number, cent in cents.items()}
    assert sorted(ranked(question, chunks, cosines, dict.fromkeys(list(cents)[::2], 1.0))) == sorted(cents)


def test_a_rare_word_is_better_evidence_than_a_common_one() -> None:
    texts = {1: ["the lamp"], 2: ["the Tarnbeck"], 3: ["the lamp"], 4: ["a lamp"], 5: ["the", "lamp"]}
    found = evidence("the Tarnbeck lamp", texts)
    assert found[2] > found[1] == found[3] > found[4] > 0
    assert found[5] == max(found[4], found[5])  # pieces do not add up


def test_an_ideograph_is_a_word() -> None:
    assert words("Lampe火灯 K3") == ["lampe", "火", "灯", "k3"]
    assert evidence("火は", {1: ["火"], 2: ["水"]})[2] == 0


@given(st.text(max_size=60), st.lists(st.lists(st.text(max_size=80), max_size=3), max_size=6))
def test_evidence_is_a_share(question: str, texts: list[list[str]]) -> None:
    assert all(0 <= value <= 1 + 1e-9 for value in evidence(question, dict(enumerate(texts))).values())


def test_the_same_paragraph_in_two_files_is_shown_once() -> None:
    kept = distinct([chunk("a  b\nc"), chunk("d"), chunk("a b c")])
    assert [document.page_content for document in kept] == ["a  b\nc", "d"]


def test_the_same_paragraph_under_other_headings_is_another() -> None:
    one, other = chunk("a"), chunk("a")
    other.metadata["headings"] = "Manual > Disposal"
    assert distinct([one, other, chunk("a")]) == [one, other]


@given(starts, st.integers(1, 900), st.integers(1, 5), st.integers(0, 3000))
def test_passages_keep_within_their_number_length_and_budget(
    given_starts: list[tuple[int, int]], size: int, k: int, budget: int
) -> None:
    chunks = [chunk(TEXT[start : start + size], start, document) for document, start in given_starts]
    passages = merge(chunks, k, budget, lambda document: len(document.page_content))
    assert 1 <= len(passages) <= k
    assert passages[0][0] is chunks[0]
    covered = 0
    for passage in passages:
        start, end = extent(passage)
        assert end - start <= LONGEST or len(passage) == 1
        ends = sorted((one.metadata["start"], one.metadata["end"]) for one in passage)
        furthest = ends[0][1]
        for (_, _), (begins, stops) in pairwise(ends):
            assert begins <= furthest + 3
            furthest = max(furthest, stops)
        covered += end - start
    assert covered <= budget + 3 * len(chunks) or passages == [[chunks[0]]]


def test_a_chunk_joins_the_passage_it_touches_wherever_it_ranks() -> None:
    first, far, before, behind = (chunk(TEXT[at : at + 100], at) for at in (500, 2000, 402, 598))
    assert merge([first, far, before, behind], 2) == [[first, before, behind], [far]]
    assert merge([first, far, before, behind], 1) == [[first]]


def test_chunks_of_two_pages_or_documents_do_not_make_a_passage() -> None:
    first, next_page = chunk("a" * 50, 0, page=1), chunk("b" * 50, 52, page=2)
    elsewhere = chunk("c" * 50, 50, document=2, page=1)
    assert merge([first, next_page, elsewhere], 5) == [[first], [next_page], [elsewhere]]


def test_only_what_is_new_counts_against_the_budget() -> None:
    first, overlapping = chunk(TEXT[0:100], 0), chunk(TEXT[60:160], 60)
    assert merge([first, overlapping], 2, 160, lambda document: len(document.page_content)) == [[first, overlapping]]
    assert merge([first, overlapping], 2, 159, lambda document: len(document.page_content)) == [[first]]


def test_a_part_knows_its_place() -> None:
    middle = part(chunk("abcdef", 10), 12, 14)
    assert (middle.page_content, middle.metadata["start"], middle.metadata["end"]) == ("cd", 12, 14)
