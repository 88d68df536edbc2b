import pytest

from rag.names import absent_names, file_words


@pytest.mark.parametrize(
    ("question", "absent"),
    [
        ("How long is the warranty on a Dualit toaster?", ["Dualit"]),
        ("What did the K3 cost in 2023?", ["2023"]),
        ("What was done in call SC-2026-0199?", ["0199"]),
        ("What does the K5 weigh?", ["K5"]),
        ("Who is the CEO, and what is the CEO's pay?", []),  # may stand there in full
        ("What does IKEA's kettle cost, and who is NVIDIA?", ["IKEA's", "NVIDIA"]),
        ("What does the ECHA ask of kettles?", []),  # stands there in full
        ("What must NEVER be put into the kettle?", []),  # is stressed
        ("WHAT DOES THE KETTLE COST?", []),  # nothing of it is a name for its capitals
        ("How many of the 12 kettles of the 1990s, the 3rd batch, failed?", []),  # may be written out
        ("What did Hervé say about the Kettles' lids?", []),
        ("What is Tarnbeck's warranty?", []),
        ("Wie lange gilt die Garantie für den Wasserkocher?", []),  # German nouns have capitals
        ("Was steht in der Garantie an Kosten?", []),
        ("Dualit?", []),
        ("What is the Herve Cloud Box?", ["Box"]),  # "HerveCloud" is there, in one word
        ("Who said of the kettle “go.” Then what is its warranty?", []),
        ("Is there a warranty? Please list its terms.", []),  # a sentence begins with a capital in any case
    ],
)
def test_names_that_no_other_text_has(question: str, absent: list[str]) -> None:
    said = [
        "The K3 kettle of 2026 has a warranty of 24 months.",
        "Herve's kettle leaked into the HerveCloud, says the European Chemicals and Health Agency.",
        file_words("Tarnbeck_K3.pdf"),
    ]
    assert absent_names(question, said) == absent


@pytest.mark.parametrize(("name", "there"), [("Wessel", True), ("Wesl", False), ("K3", True), ("K4", False)])
def test_a_name_may_be_a_letter_off_where_it_may_be_misspelt(name: str, there: bool) -> None:
    said = ["The Wesel canal carried the K3."]
    assert (absent_names(f"What does the {name} run parallel to?", said, misspelt=True) == []) == there
    assert absent_names("What does the Wessel run parallel to?", said) == ["Wessel"]
    assert absent_names("What is the capital of Slovakia?", ["Slovenia has one"], misspelt=True) == ["Slovakia"]
