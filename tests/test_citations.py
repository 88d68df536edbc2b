import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.citations import check_answer, is_refusal, split_sentences, support
from rag.types import Citation


def source(number: int, text: str) -> Citation:
    return Citation(number, f"{number}.txt", None, 0, len(text), 0.5, text, None, number)


MANUAL = source(1, "Descale the kettle every 60 days in hard water, and every 120 days in soft water.")
WARRANTY = source(2, "The warranty of the K3 lasts 24 months. Damage caused by limescale is excluded.")


def test_right_marker_stays() -> None:
    text, sentences = check_answer("Descale every 60 days in hard water [1].", [MANUAL, WARRANTY])
    assert text == "Descale every 60 days in hard water. [1]"
    assert [sentence.citations for sentence in sentences] == [(1,)]


def test_wrong_marker_moves_to_the_source_that_holds_the_sentence() -> None:
    text, _ = check_answer("Damage caused by limescale is excluded. [1]", [MANUAL, WARRANTY])
    assert text == "Damage caused by limescale is excluded. [2]"


@pytest.mark.parametrize("copied", ["(1.txt)", "(1.txt, page 3)"])
def test_a_file_name_that_was_copied_with_the_text_goes(copied: str) -> None:
    text, _ = check_answer(f"Descale every 60 days {copied} in hard water [1] (see 1.txt).", [MANUAL])
    assert text == "Descale every 60 days in hard water (see 1.txt). [1]"


def test_missing_marker_is_supplied() -> None:
    text, _ = check_answer("The warranty lasts 24 months. Descale every 120 days in soft water.", [MANUAL, WARRANTY])
    assert text == "The warranty lasts 24 months. [2] Descale every 120 days in soft water. [1]"


def test_invented_number_is_never_kept() -> None:
    text, sentences = check_answer("Bananas are imported from Ecuador [7].", [MANUAL, WARRANTY])
    assert text == "Bananas are imported from Ecuador."
    assert sentences[0].citations == ()


@pytest.mark.parametrize(
    "sentence",
    [
        "Descale every 65 days in hard water.",
        "The warranty of the K3 lasts 36 months.",
        "The warranty of the K4 lasts 24 months.",
    ],
)
def test_changed_digits_are_unsupported(sentence: str) -> None:
    assert check_answer(sentence, [MANUAL, WARRANTY])[1][0].citations == ()


CALLS = source(3, "Petra Holm took the call from Graz and sent a new lid. The call from Buxton was closed.")


@pytest.mark.parametrize(
    "sentence",
    [
        "Nia Lowther took the call from Graz and sent a new lid.",
        "Petra Holm took the call from Graz and sent a new lid to Cork.",
        "The call from Buxton was closed by Reid.",
    ],
)
def test_changed_names_are_unsupported(sentence: str) -> None:
    assert check_answer(sentence, [MANUAL, CALLS])[1][0].citations == ()
    assert check_answer("Petra Holm took the call from Graz.", [MANUAL, CALLS])[1][0].citations == (3,)


def test_a_name_that_only_the_question_brought_needs_no_source() -> None:
    sentence = "The call of Tarnbeck from Buxton was closed."
    assert check_answer(sentence, [CALLS], "What became of Tarnbeck's call from Buxton?")[1][0].citations == (3,)
    assert check_answer(sentence, [CALLS])[1][0].citations == ()


def test_german_nouns_are_no_names() -> None:
    german = source(1, "Der Kessel muss bei hartem Wasser alle 60 Tage entkalkt werden.")
    assert check_answer("Bei hartem Wasser alle 60 Tage, damit der Kessel hält.", [german])[1][0].citations == (1,)


@pytest.mark.parametrize(
    ("sentence", "held"),
    [
        ("Damage caused by limescale is not excluded.", False),
        ("Damage caused by limescale is excluded.", True),
        ("The warranty covers scratches.", False),
        ("The warranty does not cover scratches.", True),
        ("The warranty doesn't cover scratches.", True),
        ("The warranty covers the lid.", True),  # what is denied is something else
    ],
)
def test_a_denial_is_not_held_by_its_opposite(sentence: str, held: bool) -> None:
    terms = (
        "Damage caused by limescale is excluded. The warranty does not cover scratches. The warranty covers the lid."
    )
    assert bool(check_answer(sentence, [source(1, terms)])[1][0].citations) == held


@pytest.mark.parametrize(
    ("sentence", "held"),
    [
        ("Nia Lowther paid Petra Holm for the lid.", False),
        ("Petra Holm paid Nia Lowther for the lid.", True),
        ("Nia Lowther was paid by Petra Holm for the lid.", True),
        ("In Cork, Nia Lowther heard of the lid.", True),  # another relation
        ("Nia Lowther was paid for the lid that Petra Holm wanted.", True),  # the passive, without its "by"
    ],
)
def test_names_the_other_way_round_are_not_held(sentence: str, held: bool) -> None:
    told = "Petra Holm paid Nia Lowther for the lid. Nia Lowther heard of the lid in Cork."
    assert bool(check_answer(sentence, [source(1, told)])[1][0].citations) == held


def test_what_one_is_doing_and_what_is_done_are_no_swap() -> None:
    told = "Tarnbeck Kettles is recalling the power base TB-B25, which was supplied with the K3 kettle of 2025."
    said = "The power base TB-B25 is recalled because it was supplied with the Tarnbeck K3 kettle of 2025."
    assert check_answer(said, [source(1, told)])[1][0].citations == (1,)


def test_names_in_another_order_without_a_relation_between_them_are_no_swap() -> None:
    told = "The price of tea rose in October when members of the Union of Tea Makers (with the Tea Boards) raised it."
    said = "The price of tea was raised by members of the Union of Tea Makers in October."
    assert check_answer(said, [source(1, told)])[1][0].citations == (1,)


def test_a_number_that_only_the_question_brought_needs_no_source() -> None:
    sentence, question = "In the 2026 edition the warranty lasts 24 months.", "How long is the 2026 warranty?"
    assert check_answer(sentence, [WARRANTY], question)[1][0].citations == (2,)
    assert check_answer(sentence, [WARRANTY])[1][0].citations == ()


def test_thousands_separators_do_not_matter() -> None:
    assert support("It cost 1,250 euros.", "the cost was 1250 euros") == 1.0


def test_a_marker_in_round_brackets_is_one_at_the_end_of_a_sentence() -> None:
    assert (
        check_answer("The warranty lasts 24 months (2).", [MANUAL, WARRANTY])[0] == "The warranty lasts 24 months. [2]"
    )
    assert check_answer("Descale every 60 (2) days.", [MANUAL, WARRANTY])[0] == "Descale every 60 (2) days."
    assert check_answer("The warranty lasts 24 months (7).", [WARRANTY])[1][0].citations == ()


def test_a_comma_before_a_marker_goes_with_it() -> None:
    assert (
        check_answer("The warranty lasts 24 months, [2].", [MANUAL, WARRANTY])[0] == "The warranty lasts 24 months. [2]"
    )


def test_several_markers_of_one_sentence() -> None:
    again = source(2, MANUAL.text)
    text, _ = check_answer("Descale every 60 days in hard water [1, 2][1].", [MANUAL, again])
    assert text == "Descale every 60 days in hard water. [1][2]"


def test_marker_used_as_a_word_leaves_a_whole_sentence() -> None:
    text, _ = check_answer("According to [1], descale every 60 days in hard water.", [MANUAL])
    assert text == "Descale every 60 days in hard water. [1]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One. ", "Two! ", "Three?"]),
        ("It costs 3.50 euros. Cheap.", ["It costs 3.50 euros. ", "Cheap."]),
        (
            "Mr. Hale and Dr. Bray of the U.S. Senate came. They left.",
            ["Mr. Hale and Dr. Bray of the U.S. Senate came. ", "They left."],
        ),
        ("Bis zum 20. März 2026. Danach nicht.", ["Bis zum 20. März 2026. ", "Danach nicht."]),
        ("First.[1] Second. [2] Third", ["First.[1] ", "Second. [2] ", "Third"]),
        ("- one\n- two", ["- one\n", "- two"]),
        ("他来了。她走了。", ["他来了。", "她走了。"]),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert split_sentences(text) == expected


@given(st.text(alphabet=st.sampled_from("Ab1. !?\n[]\"'。é"), max_size=80))
def test_sentences_join_to_the_text(text: str) -> None:
    assert "".join(split_sentences(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "The documents do not say.",
        "The sources do not mention who won the cup.",
        "The provided documents don't contain information about football.",
        "This information is not available in the sources; the documents are not about it, nor do they mention it.",
    ],
)
def test_refusals(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "The warranty does not cover limescale. [2]",
        "Descale every 60 days. The documents do not say more.",
        "The documents say that it is not possible.",
        "",
    ],
)
def test_answers_are_not_refusals(text: str) -> None:
    assert not is_refusal(text)
