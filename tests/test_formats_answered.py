"""One question a format, on the real models: the fact is found, said, and cited at the place where it stands."""

from __future__ import annotations

import pytest
from format_files import CASES, Case

from rag.config import load_settings
from rag.library import Library
from rag.types import Answer, AskOptions, place

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """All the files in one library, so that each question has to find its own."""
    folder = tmp_path_factory.mktemp("formats")
    (folder / "docs").mkdir()
    for case in CASES:
        (folder / "docs" / case.name).write_bytes(case.data)
    made = Library(load_settings(library=folder / "library"))
    list(made.ingest([folder / "docs"]))
    return made


def test_every_file_is_in_the_library(library: Library) -> None:
    assert {info.source: info.outcome for info in library.documents()} == dict.fromkeys(
        (case.name for case in CASES), "ready"
    )


@pytest.mark.parametrize("case", CASES, ids=[case.name.rpartition(".")[2] for case in CASES])
def test_a_question_is_answered_and_its_citation_leads_there(library: Library, case: Case) -> None:
    *_, answer = library.ask(case.question, options=AskOptions(sources=2))
    assert isinstance(answer, Answer)
    assert not answer.refused and case.fact in answer.text, answer.text
    cited = [citation for citation in answer.citations if citation.source == case.name]
    assert cited, (answer.text, answer.citations)
    for citation in cited:
        where = place(citation.page, citation.page_label)
        assert where.startswith(case.place) if case.place.startswith("at ") else where == case.place
        assert library.text(citation.document_id)[citation.start : citation.end] == citation.text
    assert any(case.fact in citation.text for citation in cited)
