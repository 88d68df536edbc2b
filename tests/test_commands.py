"""`python -m rag`, and the library behind it, with a scripted language model and hashed embeddings."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hashed_library import HashedEmbeddings
from langchain_core.embeddings import Embeddings
from test_chain import ScriptedModel

from rag.__main__ import main
from rag.config import load_settings
from rag.errors import LibraryError
from rag.library import Library
from rag.types import Citation, FileReport

MANUAL = "The kettle holds 1.7 litres. Descale it every 60 days in hard water.\n\nRinse it twice afterwards."
CITATION_FIELDS = ["number", "source", "page", "headings", "start", "end", "score", "text"]
TIMINGS = [
    "retrieve_s", "first_token_s", "total_s", "prompt_tokens", "answer_tokens", "tokens_per_s", "peak_memory_mb",
]  # fmt: skip


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / "manual.txt").write_text(MANUAL)
    (folder / "sub" / "terms.md").write_text("# Terms\n\nThe warranty lasts 24 months.")
    return folder


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes every library answer with these replies, each question with the next."""
    monkeypatch.setattr("rag.library.LazyEmbeddings", lambda settings, report: Loaded())

    def answer(*replies: str) -> None:
        llm = ScriptedModel(model_name="scripted", replies=replies, context_tokens=4096, max_answer_tokens=100)
        monkeypatch.setattr("rag.loaded_models.load_llm", lambda settings, report: llm)

    answer("Descale it every 60 days in hard water. [1]")
    return answer


class Loaded(HashedEmbeddings, Embeddings):
    def load(self) -> "Loaded":
        return self


@pytest.fixture
def library(tmp_path: Path, docs: Path, answering: Callable[..., None]) -> Library:
    made = Library(load_settings(library=tmp_path / "library"))
    assert [event.state for event in made.ingest([docs]) if isinstance(event, FileReport)] == ["added", "added"]
    return made


def run(capsys: pytest.CaptureFixture[str], library: Library, *args: str) -> tuple[int, str, str]:
    status = main([*args, "--library", str(library.settings.library)])
    out, err = capsys.readouterr()
    return status, out, err


def test_ask_json_has_the_documented_fields(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, library, "ask", "How often should the kettle be descaled?", "--json")
    answer = json.loads(out)
    assert status == 0
    assert list(answer) == ["question", "answer", "refused", "citations", "sources", "timings", "model"]
    assert answer["answer"] == "Descale it every 60 days in hard water. [1]"
    assert answer["refused"] is False
    (citation,) = answer["citations"]
    assert list(citation) == CITATION_FIELDS
    assert citation["source"] == "manual.txt"
    assert citation["page"] is None
    assert MANUAL[citation["start"] : citation["end"]] == citation["text"]
    assert list(answer["timings"]) == TIMINGS
    assert answer["model"] == "scripted"


def test_ask_prints_the_answer_with_its_sources(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, library, "ask", "How often should the kettle be descaled?")
    assert status == 0
    assert out.startswith("Descale it every 60 days in hard water. [1]\n")
    assert out.count("Descale it every 60 days in hard water. [1]") == 1
    assert "[1] manual.txt  (score " in out


def test_ask_prints_the_checked_answer_once_where_nobody_watches(
    library: Library, answering: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    answering("Descale it every 60 days in hard water.")
    _, out, _ = run(capsys, library, "ask", "How often should the kettle be descaled?")
    assert out.startswith("Descale it every 60 days in hard water. [1]\n")


def test_many_questions_one_json_line_each_in_order(
    library: Library,
    answering: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering("The warranty lasts 24 months. [1]", "The documents do not say.")
    monkeypatch.setattr("sys.stdin", io.StringIO("How long is the warranty?\n\nWho won the cup?\n"))
    status, out, _ = run(capsys, library, "ask", "-", "--json")
    first, second = map(json.loads, out.splitlines())
    assert status == 0
    assert (first["question"], first["refused"]) == ("How long is the warranty?", False)
    assert (second["question"], second["refused"], second["citations"]) == ("Who won the cup?", True, [])
    assert second["sources"]


def test_a_question_that_fails_is_told_in_its_place(
    library: Library,
    answering: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering("The warranty lasts 24 months. [1]")
    monkeypatch.setattr("sys.stdin", io.StringIO("why " * 5000 + "?\nHow long is the warranty?\n"))
    status, out, _ = run(capsys, library, "ask", "-", "--json")
    first, second = map(json.loads, out.splitlines())
    assert status == 1
    assert "too long" in first["error"]
    assert second["answer"] == "The warranty lasts 24 months. [1]"


def test_search_json(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, library, "search", "How long does the warranty last?", "-k", "1", "--json")
    found = json.loads(out)
    assert status == 0
    assert list(found) == ["question", "results"]
    assert [list(hit) for hit in found["results"]] == [CITATION_FIELDS]
    assert found["results"][0]["source"] == "sub/terms.md"


def test_text_prints_what_the_offsets_count_in(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, library, "text", "manual.txt") == (0, MANUAL, "")


def test_documents_lists_the_library(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, library, "documents")
    assert out.splitlines() == ["ready   manual.txt  (1 chunks)", "ready   sub/terms.md  (1 chunks)"]
    _, out, _ = run(capsys, library, "documents", "--json")
    assert [json.loads(line)["source"] for line in out.splitlines()] == ["manual.txt", "sub/terms.md"]


def test_reindex_says_when_it_is_done(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, library, "reindex")
    assert (status, out) == (0, "the vector index is made again\n")
    assert library.search("How long does the warranty last?")[0].source == "sub/terms.md"


@pytest.mark.parametrize("args", [["text", "nothing.txt"], ["ask", "Why?"], ["search", "Why?"]])
def test_an_error_is_one_line_and_status_1(
    tmp_path: Path, answering: Callable[..., None], capsys: pytest.CaptureFixture[str], args: list[str]
) -> None:
    empty = Library(load_settings(library=tmp_path / "empty"))
    status, out, err = run(capsys, empty, *args)
    assert (status, out) == (1, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_another_collection_does_not_answer(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, library, "search", "warranty", "--collection", "other")
    assert status == 1
    assert "collection 'other' of the library" in err


def test_single_documents_are_asked_and_a_refusal_names_them(
    library: Library, answering: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(capsys, library, "search", "descale the kettle", "--json", "--document", "sub/terms.md")
    assert {hit["source"] for hit in json.loads(out)["results"]} == {"sub/terms.md"}
    both = ("--document", "sub/terms.md", "--document", "manual.txt")
    _, out, _ = run(capsys, library, "search", "descale the kettle", "--json", *both)
    assert {hit["source"] for hit in json.loads(out)["results"]} == {"sub/terms.md", "manual.txt"}
    answering("The documents do not say.")
    status, out, _ = run(capsys, library, "ask", "How often should the kettle be descaled?", *both[:2])
    assert (status, "The nearest passages of sub/terms.md:" in out) == (0, True)
    status, _, err = run(capsys, library, "ask", "What?", "--document", "terms")
    assert (status, "no document 'terms' in collection 'default'" in err) == (1, True)


def test_an_upload_is_kept_and_its_delete_takes_the_copy_too(library: Library, tmp_path: Path) -> None:
    given = tmp_path / "note.txt"
    given.write_text("The spare key hangs in the boiler room.")
    (report,) = [event for event in library.upload([given]) if isinstance(event, FileReport)]
    assert (report.state, report.source) == ("added", "note.txt")
    given.unlink()
    assert report.path == str(given)
    kept = Path(library.named("note.txt").path)
    assert kept.read_text() == "The spare key hangs in the boiler room."
    library.delete(library.named("note.txt").id)
    assert not kept.exists()
    assert "note.txt" not in [document.source for document in library.documents()]


def test_an_upload_never_replaces_another_file_of_its_name(library: Library, tmp_path: Path) -> None:
    given = tmp_path / "note.txt"
    for text in ("The first note.", "The second note.", "The first note."):
        given.write_text(text)
        list(library.upload([given]))
    names = [document.source for document in library.documents() if document.source.startswith("note")]
    assert names == ["note (2).txt", "note.txt"]


def test_deleting_a_document_leaves_its_file(library: Library, docs: Path) -> None:
    library.delete(library.named("manual.txt").id)
    assert (docs / "manual.txt").exists()
    assert all(hit.source != "manual.txt" for hit in library.search("kettle descale hard water", 5))


def test_a_passage_stands_in_its_surroundings(library: Library) -> None:
    document = library.named("manual.txt")
    start = MANUAL.index("Descale")
    passage = library.passage(Citation(1, "manual.txt", None, start, start + 7, 0.5, "Descale", None, document.id))
    assert (passage.before + passage.text + passage.after, passage.text) == (MANUAL, "Descale")
    library.delete(document.id)
    with pytest.raises(LibraryError, match="no longer in the library"):
        library.passage(Citation(1, "manual.txt", None, 0, 7, 0.5, "The ket", None, document.id))


def test_samples_come_once_and_only_into_a_library_that_was_empty(
    tmp_path: Path, docs: Path, answering: Callable[..., None]
) -> None:
    made = Library(load_settings(library=tmp_path / "new"))
    next(made.ingest_samples(docs))  # cut short
    list(Library(made.settings).ingest_samples(docs))
    assert [document.source for document in made.documents()] == ["manual.txt", "sub/terms.md"]
    for document in made.documents():
        made.delete(document.id)
    list(made.ingest_samples(docs))
    assert made.documents() == []


def test_samples_do_not_join_what_somebody_added(library: Library, tmp_path: Path) -> None:
    sample = tmp_path / "sample"
    sample.mkdir()
    (sample / "sample.txt").write_text("A sample.")
    assert list(library.ingest_samples(sample)) == []
