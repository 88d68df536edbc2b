"""Rich text: characters of every kind, structure, and no way to make it hang."""

from __future__ import annotations

import time

import pytest

from rag.errors import DocumentError
from rag.loaders import load_bytes

HEAD = r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset204 B;}{\f2\fcharset128 C;}}"


def text(body: str) -> str:
    return load_bytes((HEAD + body + "}").encode("ascii"), "a.rtf")[0].page_content


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (r"Caf\'e9 \u8364?5 \emdash  a\~b", "Café €5 — a b"),
        (r"{\f1\'c4\'e0} {\f2\'93\'8c\'8b\'9e}", "Да 東京"),
        (r"\u-10179?\u-8704? {\uc2\u8364\'80\'80}!", "😀 €!"),
        (r"{\stylesheet{\s0 Normal;}{\s3 heading 2;}}\pard\s3 Care\par\pard Text\par", "## Care\n\nText"),
        (
            r"It lasts{\footnote {\b At 20 degrees.\par}} long.\par Next",
            "It lasts (footnote: At 20 degrees. ) long.\n\nNext",
        ),
        (r"{\header My firm\par}{\headerl My firm\par}Text{\*\unknown gone}{\pict\bin3 }}}ffd8}", "My firm\n\nText"),
        (r"\trowd\intbl A\cell B\cell\row\intbl 1\cell 2\par 3\cell\row\pard end", "A | B\n1 | 2 3\nend"),
        (r"{\listtext 1.\tab}One\par", "1. One"),
        (r"{\field{\*\fldinst HYPERLINK x}{\fldrslt shown}}", "shown"),
        ("one\r\n two \\{\\}", "one two {}"),
    ],
)
def test_text(body: str, expected: str) -> None:
    assert text(body) == expected


def test_time_grows_with_the_length_only() -> None:
    """Fields that never close, which an expression for whole fields tries in every combination."""
    began = time.monotonic()
    assert text("word " + r"{\field{\*\fldinst{HYPERLINK \"a\"} " * 3000) == "word"
    assert time.monotonic() - began < 5


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(DocumentError, match="nested deeper"):
        text("{" * 20_000)


def test_other_text_of_that_name_is_read_as_text_or_refused() -> None:
    with pytest.raises(DocumentError, match="not an RTF document"):
        load_bytes(b"plain words", "a.rtf")
