"""Chunks: true offsets, nothing lost, nothing that the embedding model could not see."""

from __future__ import annotations

import random
import re
import string
import time
import unicodedata
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document

from rag.config import load_settings
from rag.headings import embedded_text
from rag.loaders import load_bytes
from rag.splitter import MAX_WORD, PAGE_BREAK, document_text, split_documents
from rag.tokens import load_tokens

MAX_TOKENS = 384


def page(text: str, number: int | None = None, label: str | None = None) -> Document:
    return Document(page_content=text, metadata={"page": number, "page_label": label})


def words_of(text: str) -> list[str]:
    """Words as a BERT tokenizer sees them: parted by space and punctuation, ideographs alone, accents gone."""
    bare = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")
    ideographs = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df"
    return re.findall(rf"[{ideographs}]|[^\W_{ideographs}]+|[^\w\s]|_", bare)


def count_like_wordpiece(text: str) -> int:
    """A pessimistic WordPiece: pieces of two characters, a word over MAX_WORD is one unknown token."""
    return 2 + sum(1 if len(word) > MAX_WORD else -(-len(word) // 2) for word in words_of(text))


def split(
    pages: list[Document],
    size: int = 1000,
    overlap: int = 150,
    max_tokens: int = MAX_TOKENS,
    count: Callable[[str], int] = count_like_wordpiece,
) -> list[Document]:
    return split_documents(pages, chunk_size=size, chunk_overlap=overlap, max_tokens=max_tokens, count_tokens=count)


def check(
    pages: list[Document],
    chunks: list[Document],
    size: int = 1000,
    max_tokens: int = MAX_TOKENS,
    count: Callable[[str], int] = count_like_wordpiece,
) -> None:
    """Everything that must hold of the chunks of any document."""
    text = document_text(pages)
    covered = bytearray(len(text))
    last = (-1, -1)
    for chunk in chunks:
        start, end = chunk.metadata["start"], chunk.metadata["end"]
        assert set(chunk.metadata) == {"page", "page_label", "start", "end", "headings"}
        assert text[start:end] == chunk.page_content
        assert chunk.page_content == chunk.page_content.strip() != ""
        assert start > last[0]
        assert end > last[1]
        assert len(chunk.page_content) <= size
        assert count(embedded_text(chunk.page_content, chunk.metadata["headings"])) <= max_tokens
        assert max(map(len, words_of(chunk.page_content)), default=0) <= MAX_WORD
        covered[start:end] = b"\1" * (end - start)
        last = (start, end)
    assert not [char for char, seen in zip(text, covered, strict=True) if not seen and not char.isspace()]


traps = st.sampled_from(
    [
        "e\u0301",  # combining marks
        "a" + "\u0301\u0316" * 12,
        "👨‍👩‍👧‍👦",  # joined emoji
        "🇩🇪",
        "東京都。",
        "ภาษาไทย",
        "한국어",
        "שלום ",
        "مرحبا، ",
        "\u2028",
        "\u2029",
        "\u00a0",
        "\u200b",
        "\x1c",
        "\x85",
        "\t",
        "\n",
        "\n\n",
        " \n \n",
        " ",
        "same line\n",
        "A sentence. ",
        "No! Why? ",
        "x" * 130,
        "0" * 210,
        "İstanbul" * 9,
        "ﬃ",
        "#" * 60,
        "word ",
    ]
)
hostile = st.lists(traps | st.text(max_size=20), max_size=40).map("".join)


@settings(max_examples=300, deadline=None)
@given(
    texts=st.lists(hostile, min_size=1, max_size=4),
    size=st.integers(20, 400),
    overlap_of=st.floats(0, 0.5),
    max_tokens=st.integers(5, 120),
)
def test_chunks_of_any_text_hold_every_promise(texts: list[str], size: int, overlap_of: float, max_tokens: int) -> None:
    pages = [page(text, number) for number, text in enumerate(texts, start=1)]
    chunks = split(pages, size, int(size * overlap_of), max_tokens)
    check(pages, chunks, size, max_tokens)


HOSTILE = {
    "one word": "x" * 20_000,
    "digits": "1234567890" * 2000,
    "base64": "".join(random.Random(1).choices(string.ascii_letters + string.digits + "+/", k=20_000)),
    "hashes": "".join(f"{random.Random(n).getrandbits(512):0128x}  file{n}.bin\n" for n in range(40)),
    "emoji": "👨‍👩‍👧‍👦" * 1000,
    "chinese": "这是一个没有标点的测试句子" * 500,
    "kana": "ひらがなカタカナ" * 800,
    "hangul": "가나다라마바사" * 800,
    "thai": "ภาษาไทยไม่มีเว้นวรรคระหว่างคำ" * 300,
    "hebrew": "שלום עולם מה שלומך " * 500,
    "zalgo": ("a" + "\u0301\u0302\u0316" * 20) * 100,
    "zero-width": ("ab\u200b\u200d") * 2000,
    "punctuation": "!?.,;:" * 2000,
    "ligature": "\ufdfa" * 1000,
    "rare letters": "\u1e9e\u0390\u1fb7\u0958" * 500,
    "special tokens": "<mask></s>[UNK]" * 500,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_fits_the_window(name: str) -> None:
    pages = [page(HOSTILE[name])]
    check(pages, split(pages))


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_fits_the_real_window(name: str) -> None:
    tokens = load_tokens(load_settings(), lambda progress: None)
    pages = [page(HOSTILE[name])]
    chunks = split(pages, max_tokens=tokens.max_tokens, count=tokens.count)
    assert tokens.max_tokens == MAX_TOKENS
    check(pages, chunks, count=tokens.count)
    if name in ("one word", "digits", "base64", "hashes"):  # read letter by letter, not as one unknown word
        assert all(tokens.count(chunk.page_content) > len(chunk.page_content) / 8 for chunk in chunks)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), size=st.integers(20, 400), overlap_of=st.floats(0, 0.5), max_tokens=st.integers(5, 120))
def test_whatever_the_headings_a_chunk_under_them_fits(
    data: st.DataObject, size: int, overlap_of: float, max_tokens: int
) -> None:
    text = data.draw(hostile)
    found = st.tuples(st.integers(0, len(text)), st.integers(0, 6), hostile)
    source = page(text)
    source.metadata["headings"] = sorted(data.draw(st.lists(found, max_size=8)))
    check([source], split([source], size, int(size * overlap_of), max_tokens), size, max_tokens)


def test_chunks_stand_under_the_headings_over_their_beginning() -> None:
    text = "# Manual\nRead it.\n## Safety\n### Disposal\nDrain it first. Then wait.\n## Storage\nKeep it dry."
    titles = [(1, "Manual"), (2, "Safety"), (3, "Disposal"), (2, "Storage")]
    source = page(text)
    source.metadata["headings"] = [[text.index(f"{'#' * level} {title}"), level, title] for level, title in titles]
    other = page("Elsewhere.")
    chunks = split([source, other], size=42, overlap=12)
    told = [(chunk.page_content, chunk.metadata["headings"]) for chunk in chunks]
    assert [path for said, path in told if said.endswith("first. Then wait.")] == ["Manual > Safety > Disposal"]
    assert told[-2:] == [("## Storage\nKeep it dry.", "Manual > Storage"), ("Elsewhere.", "")]
    assert not [said for said, _ in told if "wait" in said and "Storage" in said]  # nothing repeated over a heading


def test_only_the_body_of_a_page_is_split() -> None:
    first, second = page("Head\nBody text.\nFoot", 1), page("More.", 2)
    first.metadata["body"] = [5, 15]
    one, other = split([first, second], size=20, overlap=5)
    assert (one.page_content, one.metadata["start"]) == ("Body text.", 5)
    assert other.page_content == document_text([first, second])[other.metadata["start"] :] == "More."


def test_a_word_too_long_for_the_model_is_cut_where_it_stands() -> None:
    """Text around a long word stays with it: one cut, not a shower of fragments."""
    text = "The checksum is " + "a1" * 64 + " as printed on the label."
    first, second = split([page(text)])
    assert first.page_content == "The checksum is " + "a1" * 50
    assert second.page_content == "a1" * 14 + " as printed on the label."


def test_long_addresses_stay_whole_since_the_model_reads_their_parts() -> None:
    text = "See https://example.org/" + "/".join(["some-path"] * 20) + " for more."
    assert [chunk.page_content for chunk in split([page(text)])] == [text]


def test_repeated_lines_get_their_own_offsets() -> None:
    """A search for the chunk's text would find an earlier one, and the end of the page would be lost."""
    pages = [page("same line\n" * 300)]
    chunks = split(pages, size=100, overlap=20)
    check(pages, chunks, size=100)
    assert chunks[-1].metadata["end"] == len("same line\n" * 300) - 1


def test_offsets_and_labels_are_those_of_the_page() -> None:
    pages = [page("First page.", 1, "i"), page("", 2, "ii"), page("Third page.", 3, "1")]
    assert document_text(pages) == "First page." + PAGE_BREAK + PAGE_BREAK + "Third page."
    assert [chunk.metadata for chunk in split(pages)] == [
        {"page": 1, "page_label": "i", "start": 0, "end": 11, "headings": ""},
        {"page": 3, "page_label": "1", "start": 15, "end": 26, "headings": ""},
    ]


def test_blank_text_gives_no_chunk() -> None:
    assert split([page(""), page(" \n\t\u2028 ")]) == []


def test_splits_at_paragraphs_before_sentences_before_words() -> None:
    sentence = "The pump moves forty litres a minute. "
    paragraphs = ["\n".join([sentence * 2] * 2).strip(), (sentence * 3).strip(), (sentence * 4).strip()]
    assert [chunk.page_content for chunk in split([page("\n\n".join(paragraphs))], size=180, overlap=0)] == paragraphs
    assert all(chunk.page_content.endswith("minute.") for chunk in split([page(sentence * 40)], size=200, overlap=0))
    cut = split([page("word " * 100)], size=98, overlap=0)
    assert {word for chunk in cut for word in chunk.page_content.split()} == {"word"}


def test_neighbours_share_whole_sentences() -> None:
    sentences = [f"Sentence number {number} says something of its own. " for number in range(60)]
    chunks = split([page("".join(sentences))], size=400, overlap=120)
    for before, after in pairwise(chunks):
        shared = before.metadata["end"] - after.metadata["start"]
        assert 40 <= shared <= 120
        assert after.page_content.startswith("Sentence number")


def test_whitespace_never_counts_as_overlap() -> None:
    chunks = split([page("Begin." + "\n" * 3000 + "End.")])
    assert [chunk.page_content for chunk in chunks] == ["Begin.", "End."]


def test_short_text_is_not_counted() -> None:
    def refuse(text: str) -> int:
        raise AssertionError(f"counted {text!r}")

    assert len(split([page("Too short to reach the window.")], count=refuse)) == 1


def test_a_megabyte_splits_quickly() -> None:
    rng = random.Random(2)
    words = ["".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 10))) for _ in range(5000)]
    text = ". ".join(" ".join(rng.choices(words, k=14)) for _ in range(11_000))
    assert len(text) > 10**6
    began = time.process_time()
    split([page(text)], count=lambda text: len(text) // 4)
    assert time.process_time() - began < 2


def method(name: str) -> str:
    return (
        f"    def {name}(self):\n        total = 0\n\n" + "        total += 12345\n" * 12 + "        return total\n\n"
    )


def test_source_code_is_split_where_definitions_begin() -> None:
    code = "import this\n\n\nclass Pump:\n" + "".join(method(f"part_{letter}") for letter in "abcdef")
    plain = page(code)
    known = Document(page_content=code, metadata={**plain.metadata, "language": "python"})
    chunks = split([known], size=600, overlap=0)
    check([known], chunks, size=600)
    starts = [chunk.page_content.split("(")[0] for chunk in chunks]
    assert starts[2:] == ["def part_b", "def part_c", "def part_d", "def part_e", "def part_f"]
    assert [chunk.page_content for chunk in split([plain], size=600, overlap=0)] != [c.page_content for c in chunks]


@pytest.mark.parametrize("suffix", [".py", ".js", ".go", ".c", ".cpp", ".java", ".rb", ".rs", ".tex", ".lua", ".cs"])
def test_every_language_is_known_and_loses_nothing(suffix: str) -> None:
    code = ("public class A {\n  function b() {\n\n    return 1;\n  }\n}\n\ndef c():\n\tfn d()\n" * 40).encode()
    pages = load_bytes(code, f"a{suffix}")
    assert pages[0].metadata["language"]
    check(pages, split(pages, size=300), size=300)
