"""The table of the page's words: complete, and the same words in each language."""

from __future__ import annotations

import string
from datetime import date, timedelta

import pytest

from rag.ui_texts import ENGLISH, LANGUAGES, TABLE, Texts, read_language

CHINESE = Texts("zh")
SAME = {"TITLE", "LANGUAGE_NAMES"}  # what is called the same everywhere


def parts(value: object) -> list[tuple[str, str]]:
    """The texts of a row with the keys they stand under; of a singular and a plural the plural."""
    if isinstance(value, dict):
        return [(key, text.split("|")[-1]) for key, text in value.items()]
    if isinstance(value, tuple):
        return [(str(at), text) for at, text in enumerate(value)]
    assert isinstance(value, str)
    return [("", value)]


def fields(text: str) -> set[str]:
    """The names of what is to be filled in; a date's parts count as the date."""
    return {(name or "").partition(".")[0] for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("name", TABLE)
def test_every_text_is_there_in_every_language(name: str) -> None:
    for language in LANGUAGES:
        english, other = parts(getattr(ENGLISH, name)), parts(getattr(Texts(language), name))
        assert [key for key, _ in other] == [key for key, _ in english]
        for (_, one), (_, two) in zip(english, other, strict=True):
            assert bool(one) == bool(two)
            assert fields(one) == fields(two)
            assert not two.isascii() or language == "en" or name in SAME | {"LANG"} or "{" in two or not two


def test_numbers_and_days_are_said_as_each_language_says_them() -> None:
    assert [ENGLISH.count(number, "page") for number in (1, 24, 1204)] == ["1 page", "24 pages", "1,204 pages"]
    assert CHINESE.count(1204, "document") == "1,204 个文档"
    assert ENGLISH.amount(3, 1200, "pages") == "3 of 1,200 pages"
    assert CHINESE.amount(3, 12, "pages") == "3 / 12 页"
    today = date(2026, 3, 12)  # a Thursday
    days = [today - timedelta(days=days) for days in (0, 1, 3, 30, 400)]
    assert [ENGLISH.day(day, today) for day in days] == [
        "today",
        "yesterday",
        "Monday",
        "10 February",
        "5 February 2025",
    ]
    assert [CHINESE.day(day, today) for day in days] == ["今天", "昨天", "星期一", "2月10日", "2025年2月5日"]


def test_a_place_is_named_in_the_language_as_far_as_it_has_a_word_for_it() -> None:
    assert [CHINESE.place(where) for where in ("page xii", "slide 3", "sheet Prices", "at 1:02", "")] == [
        "第 xii 页",
        "幻灯片 3",
        "工作表 Prices",
        "at 1:02",
        "",
    ]
    assert ENGLISH.place("slide 3") == "slide 3"


def test_a_message_of_the_page_is_put_into_the_language_and_no_other() -> None:
    assert CHINESE.of(ENGLISH.UNEXPECTED) == CHINESE.UNEXPECTED != ENGLISH.UNEXPECTED
    assert ENGLISH.of(ENGLISH.UNEXPECTED) == ENGLISH.UNEXPECTED
    assert CHINESE.of("the port is taken") == "the port is taken"


def test_a_browser_gets_its_language_or_english() -> None:
    wanted = ("zh-CN", "zh-Hant-TW", "ZH", "en-GB", "de-DE", "", "null", "x" * 5000)
    assert [read_language(each) for each in wanted] == ["zh", "zh", "zh", "en", "en", "en", "en", "en"]
