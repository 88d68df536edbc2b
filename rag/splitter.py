"""Pages to chunks that fit the embedding model's window. The only writer of chunk metadata.

Offsets count characters of `document_text(pages)`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from unicodedata import category, normalize, ucd_3_2_0

from langchain_core.documents import Document
from langchain_text_splitters import Language, RecursiveCharacterTextSplitter

from rag.headings import HeadingPaths, embedded_text

PAGE_BREAK = "\n\n"

# WordPiece reads a word of more characters than this as one unknown token, whatever it says.
MAX_WORD = 100
_PATH_SHARE = 4  # a path takes at most this part of the window: 1 / _PATH_SHARE

# Where to split, best first: paragraph, line, sentence, clause, word, anywhere.
_SENTENCE_END = r"[.!?…][\"'”’»)\]]*\s+|[。！？]"
_SEPARATORS = [r"\n[ \t]*\n\s*", r"\n", _SENTENCE_END, r"[,;:]\s+|[，、；：]", r"\s+", ""]
_DEFINITIONS = frozenset(
    "class def fn fun func function impl interface private protected public static sub".split()  # noqa: SIM905
)
_STATEMENTS = frozenset("if for while switch case default do else loop match when unless".split())  # noqa: SIM905
_CODE_SEPARATORS = [r"\n[ \t]*\n\s*", r"\n", r"\s+", ""]
_BOUNDARIES = (re.compile(rf"\n|{_SENTENCE_END}"), re.compile(r"\s+"))

# Only in such a run can a word be too long, even where Unicode normalisation makes three characters of one.
_CANDIDATE = re.compile(rf"[^ \t\r\n]{{{MAX_WORD // 4},}}")


def document_text(pages: list[Document]) -> str:
    """The text of the whole document: its pages joined by PAGE_BREAK."""
    return PAGE_BREAK.join(page.page_content for page in pages)


def split_documents(
    pages: list[Document],
    *,
    chunk_size: int,
    chunk_overlap: int,
    max_tokens: int,
    count_tokens: Callable[[str], int],
) -> list[Document]:
    """The chunks of a document, in order; none spans pages, is blank, or holds a word of more than MAX_WORD characters.

    A chunk has at most `chunk_size` characters, of which at most `chunk_overlap` repeat the end of what stands before
    it, and at most `max_tokens` tokens by `count_tokens` (which counts the model's special tokens too, and does not
    cut the text) under its path of headings. Its metadata is {"page", "page_label", "start", "end", "headings"}:
    `document_text(pages)[start:end]` is its text, and "headings" the path over its beginning (rag/headings.py). Starts
    and ends rise strictly, and nothing is repeated from before a heading. A page whose metadata name a programming
    "language" is split where its definitions begin; of one that has a "body", only that is split.
    """

    def within(text: str, most: int) -> bool:
        # No tokenizer makes more tokens of a text than it has bytes, but for the two special ones.
        return len(text.encode(errors="surrogatepass")) + 2 <= most or count_tokens(text) <= most

    chunks = []
    offset = 0
    for page in pages:
        for start, end, path in _split_page(page, chunk_size - chunk_overlap, chunk_overlap, max_tokens, within):
            metadata = {
                "page": page.metadata["page"],
                "page_label": page.metadata["page_label"],
                "start": offset + start,
                "end": offset + end,
                "headings": path,
            }
            chunks.append(Document(page_content=page.page_content[start:end], metadata=metadata))
        offset += len(page.page_content) + len(PAGE_BREAK)
    return chunks


@cache
def _separators(language: str | None) -> tuple[str, ...]:
    """Where to split, best first: of code, at the line ends before what begins a definition, however far indented."""
    if language is None:
        return tuple(_SEPARATORS)
    known = RecursiveCharacterTextSplitter.get_separators_for_language(Language(language))
    words = [word for word in (item.strip() for item in known) if word and word not in _STATEMENTS]
    inner = [word for word in words if word in _DEFINITIONS]
    begins = [rf"\n(?={re.escape(word)}\b)" for word in dict.fromkeys(words) if word[-1].isalnum()]
    begins += [rf"\n(?=[ \t]+{re.escape(word)}\b)" for word in dict.fromkeys(inner)]
    return (*begins, *_CODE_SEPARATORS)


def _split_page(
    page: Document, size: int, overlap: int, max_tokens: int, within: Callable[[str, int], bool]
) -> Iterator[tuple[int, int, str]]:
    """The spans of the chunks of one page, each with its path. `within`: whether a text has at most so many tokens."""
    text, separators = page.page_content, _separators(page.metadata.get("language"))
    paths = HeadingPaths(page.metadata.get("headings", ()), lambda path: within(path, max_tokens // _PATH_SHARE))
    begin, stop = page.metadata.get("body", (0, len(text)))
    cuts = _word_cuts(text)
    edges = [begin, *(cut for cut in cuts if begin < cut < stop), stop]
    spans = deque(span for start, end in pairwise(edges) for span in _partition(text, separators, start, end, size))
    previous = -1
    while spans:
        start, end = _strip(text, *spans.popleft())
        if start == end:
            continue
        earliest = max(previous + 1, begin, start - overlap, paths.begin(start))
        if nearest := bisect_right(cuts, start):  # never back over a cut: that would make the long word whole again
            earliest = max(earliest, cuts[nearest - 1])
        for first in dict.fromkeys((_overlap_start(text, earliest, start), start)):
            path = paths.at(first)
            if end - first == 1 or within(embedded_text(text[first:end], path), max_tokens):
                previous = first
                yield first, end, path
                break
        else:
            spans.extendleft(reversed(list(_partition(text, separators, start, end, (end - start) // 2))))


def _partition(text: str, separators: tuple[str, ...], start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """Consecutive spans of at most `size` characters that cover text[start:end].

    Without overlap and with white space kept, the splitter's pieces are the text cut up, so their lengths give the
    offsets. Its own start index is found by searching, and is wrong where the text repeats itself.
    """
    splitter = RecursiveCharacterTextSplitter(
        list(separators),
        keep_separator="end",
        is_separator_regex=True,
        chunk_size=size,
        chunk_overlap=0,
        strip_whitespace=False,
    )
    for piece in splitter.split_text(text[start:end]):
        yield start, start + len(piece)
        start += len(piece)


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space at its ends."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    return start, start + len(piece.strip())


def _overlap_start(text: str, earliest: int, start: int) -> int:
    """Where a chunk begins that may repeat text[earliest:start]: at a sentence, else at a word, else at `earliest`."""
    for boundary in _BOUNDARIES:
        match = boundary.search(text, earliest, start)
        if match and text[match.end() : start].strip():
            return _strip(text, match.end(), start)[0]
    return _strip(text, earliest, start)[0]


def _word_cuts(text: str) -> list[int]:
    """Where words of more than MAX_WORD characters must be cut, as the embedding model sees words."""
    cuts = []
    for candidate in _CANDIDATE.finditer(text):
        length = 0
        for position in range(*candidate.span()):
            width = _width(text[position])
            if width is None:
                length = 0
            elif length + width > MAX_WORD:
                cuts.append(position)
                length = width
            else:
                length += width
    return cuts


@cache
def _width(char: str) -> int | None:
    """How many characters of a word this one is once normalised, accents gone; None if it ends the word.

    The rules are BERT's: white space and punctuation part words, and an ideograph is a word by itself. Tokenizers know
    Unicode as of some version in between, so only what an old one and ours agree on is taken for granted.
    """
    old, new = ucd_3_2_0.category(char), category(char)
    if (old[0] in "PZ" and new[0] in "PZ") or _is_ascii_symbol(char) or _is_ideograph(char):
        return None
    parts = normalize("NFD", char)
    return sum(len(part.lower()) for part in parts if not ucd_3_2_0.category(part) == category(part) == "Mn")


def _is_ascii_symbol(char: str) -> bool:
    return char.isascii() and char.isprintable() and not char.isalnum()


def _is_ideograph(char: str) -> bool:
    return (
        "\u4e00" <= char <= "\u9fff"
        or "\u3400" <= char <= "\u4dbf"
        or "\uf900" <= char <= "\ufaff"
        or "\U00020000" <= char <= "\U0002a6df"
    )
