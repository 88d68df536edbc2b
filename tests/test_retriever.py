import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document

from rag.retriever import absent_names, distinct, fit, fuse

scores = st.dictionaries(st.integers(0, 20), st.integers(-100, 100).map(lambda cents: cents / 100), max_size=15)
word_scores = st.dictionaries(st.integers(0, 20), st.floats(0.01, 30), max_size=15)


def chunk(text: str, start: int = 0) -> Document:
    return Document(text, metadata={"start": start, "end": start + len(text)})


def words(document: Document) -> int:
    return len(document.page_content.split())


def test_what_is_near_by_meaning_and_by_words_beats_the_first_of_either() -> None:
    assert fuse({1: 0.9, 2: 0.8, 3: 0.1, 4: 0.2}, {4: 9.0, 2: 7.0})[0] == 2


def test_a_score_far_ahead_counts_for_more_than_its_rank() -> None:
    assert fuse({1: 0.80, 2: 0.79, 3: 0.10}, {2: 1.0, 1: 20.0, 3: 0.9})[:2] == [1, 2]
    assert fuse({1: 0.80, 2: 0.79, 3: 0.10}, {2: 20.0, 1: 1.0, 3: 0.9})[:2] == [2, 1]


@given(scores, word_scores)
def test_fusing_loses_and_invents_nothing(cosines: dict[int, float], by_words: dict[int, float]) -> None:
    assert sorted(fuse(cosines, by_words)) == sorted(cosines)


@given(scores)
def test_without_words_the_nearest_by_meaning_come_first(cosines: dict[int, float]) -> None:
    ranked = [cosines[chunk_id] for chunk_id in fuse(cosines, {})]
    assert ranked == sorted(ranked, reverse=True)


def test_the_same_paragraph_in_two_files_is_shown_once() -> None:
    kept = distinct([chunk("a  b\nc"), chunk("d"), chunk("a b c")])
    assert [document.page_content for document in kept] == ["a  b\nc", "d"]


@given(st.lists(st.text(alphabet="ab ", min_size=1, max_size=30), max_size=6), st.integers(0, 40))
def test_what_fits_is_within_the_budget(texts: list[str], budget: int) -> None:
    chunks = [chunk(text) for text in texts]
    assert sum(words(kept) for kept in fit(chunks, budget, words)) <= budget


def test_chunks_are_dropped_from_the_end() -> None:
    chunks = [chunk("one two"), chunk("three four"), chunk("five")]
    assert fit(chunks, 4, words) == chunks[:2]


def test_a_first_chunk_that_is_too_long_is_cut_and_its_end_moves() -> None:
    (cut,) = fit([chunk("one two three four", start=100)], 2, words)
    assert cut.page_content.split() == ["one", "two"]
    assert cut.metadata["end"] == 100 + len(cut.page_content)


def found(*texts: str, source: str = "notes.txt") -> list[Document]:
    return [Document(text, metadata={"source": source}) for text in texts]


@pytest.mark.parametrize(
    ("question", "absent"),
    [
        ("How long is the warranty on a Dualit toaster?", ["Dualit"]),
        ("What did the K3 cost in 2023?", ["2023"]),
        ("What was done in call SC-2026-0199?", ["0199"]),
        ("What does the K5 weigh?", ["K5"]),
        ("Who is the CEO?", []),  # may stand there in full
        ("How many of the 12 kettles of the 1990s, the 3rd batch, failed?", []),  # may be written out
        ("What did Hervé say about the Kettles' lids?", []),
        ("What is Tarnbeck's warranty?", []),
        ("Wie lange gilt die Garantie für den Wasserkocher?", []),  # German nouns have capitals
        ("Was steht in der Garantie an Kosten?", []),
        ("Dualit?", []),
    ],
)
def test_names_of_the_question_that_no_chunk_has(question: str, absent: list[str]) -> None:
    chunks = found(
        "The K3 kettle of 2026 has a warranty of 24 months.", "Herve's kettle leaked.", source="Tarnbeck.pdf"
    )
    assert absent_names(question, chunks) == absent
