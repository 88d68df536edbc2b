"""`python -m rag evaluate` over a small set of its own, with hashed embeddings and a scripted language model."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from page_fakes import citation
from test_chain import ScriptedModel
from test_commands import Loaded

from rag.__main__ import main
from rag.errors import EvaluationError
from rag.evaluate_baseline import CHUNK_SIZE, says_unknown, split_plainly
from rag.evaluate_records import ask_each
from rag.evaluate_set import Answered, Question, Retrieved, Span, load_questions, place_spans, sample
from rag.evaluate_systems import Footnote, wrong_numbers
from rag.loaders import load_documents
from rag.manifest import Manifest
from rag.refusal import SHIPPED, load_calibration
from rag.types import Answer, Sentence, Timings

MANUAL = "The kettle holds 1.7 litres. Descale it every 60 days in hard water.\n\nRinse it twice afterwards."
TERMS = "# Terms\r\n\r\nThe warranty lasts 24 months."  # offsets count the line ends as the file has them
PAGE = "<html><body><p>The shop opens at nine.</p></body></html>"
NO = "The documents do not say."


def span(doc: str, text: str, part: str) -> dict[str, Any]:
    return {"doc": doc, "start": text.index(part), "end": text.index(part) + len(part)}


QUESTIONS = [
    {
        "id": "1", "question": "How often descale it in hard water?", "answers": ["60 days", "every 60 days"],
        "unanswerable": False, "gold_docs": ["manual.txt"],
        "gold_spans": [span("manual.txt", MANUAL, "Descale it every 60 days in hard water.")],
        "answer_spans": [span("manual.txt", MANUAL, "60 days")],
    },
    {
        "id": "2", "question": "The warranty lasts how long?", "answers": ["24 months"], "gold_docs": ["terms.md"],
        "gold_spans": [span("terms.md", TERMS, "The warranty lasts 24 months.")],
        "answer_spans": [span("terms.md", TERMS, "24 months")],
    },
    {"id": "3", "question": "who won the cup?", "answers": [], "unanswerable": True, "gold_docs": []},
    {
        "id": "4", "question": "The shop opens at what hour?", "answers": ["nine"], "gold_docs": ["shop.html"],
        "gold_spans": [{"doc": "shop.html", "start": 15, "end": 40}],
    },
]  # fmt: skip
REPLIES = ("Descale it every 60 days in hard water. [1]", NO, "Somebody won it. [1]", "The shop opens at nine. [1]")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "kettles"
    (made / "docs").mkdir(parents=True)
    (made / "docs" / "manual.txt").write_text(MANUAL)
    (made / "docs" / "terms.md").write_bytes(TERMS.encode())
    (made / "docs" / "shop.html").write_text(PAGE)
    (made / "docs" / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (made / "questions.jsonl").write_text("".join(json.dumps(question) + "\n" for question in QUESTIONS))
    return made


@pytest.fixture
def embedders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Loaded]:
    """The embedders of every run; no language model is there to be loaded."""
    made: list[Loaded] = []

    def make(*_: object) -> Loaded:
        made.append(Loaded())
        return made[-1]

    def refuse(*_: object) -> None:
        raise AssertionError("the language model was loaded")

    for module in ("rag.library", "rag.evaluate"):
        monkeypatch.setattr(f"{module}.LazyEmbeddings", make)
    for module in ("rag.loaded_models", "rag.evaluate_systems"):
        monkeypatch.setattr(f"{module}.load_llm", refuse)
    monkeypatch.setenv("RAG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RAG_LLM_BACKEND", "gguf")  # or torch would be loaded, to look for a GPU
    return made


@pytest.fixture
def replying(embedders: list[Loaded], monkeypatch: pytest.MonkeyPatch) -> Callable[..., ScriptedModel]:
    def reply(*replies: str) -> ScriptedModel:
        llm = ScriptedModel(
            model_name="scripted", replies=replies, first=("Yes", 0.99), context_tokens=4096, max_answer_tokens=100
        )
        for module in ("rag.loaded_models", "rag.evaluate_systems"):
            monkeypatch.setattr(f"{module}.load_llm", lambda *_: llm)
        return llm

    return reply


def run(folder: Path, *args: str) -> dict[str, Any]:
    path = folder.parent / "results.json"
    assert main(["evaluate", str(folder), "--json", str(path), *args]) == 0
    return dict(json.loads(path.read_text()))


def values(found: dict[str, Any]) -> dict[str, float]:
    return {name: estimate["value"] for name, estimate in found["measures"].items()}


@pytest.mark.parametrize("system", ["footnote", "dense", "bm25"])
def test_retrieval_alone(
    folder: Path, embedders: list[Loaded], capsys: pytest.CaptureFixture[str], system: str
) -> None:
    found = run(folder, "--retrieval-only", "--retriever", system)
    assert (found["set"], found["system"], found["models"]) == ("kettles", system, [])
    scores = values(found)
    assert all(scores[name] == 1 for name in ("doc@1", "doc@5", "span recall@5", "ans@1", "ans@5", "MRR", "nDCG@10"))
    assert found["measures"]["doc@1"]["n"] == 3
    assert found["measures"]["ans@1"]["n"] == 2
    assert found["questions"]["4"].keys() == {"doc@1", "doc@5", "MRR", "nDCG@10", "retrieval, s"}
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"kettles: {system}"
    assert "broken.pdf was not read" in out[1]
    assert out[2] == "note: spans are not scored in shop.html: the extracted text is not the file itself"
    assert out[4].split() == ["doc@1", "1.000", "1.000", "to", "1.000", "3"]


def test_answers(folder: Path, replying: Callable[..., ScriptedModel]) -> None:
    replying(*REPLIES)
    found = run(folder)
    scores = values(found)
    assert found["models"] == ["scripted"]
    assert scores["unanswerable refused"] == 0
    assert scores["answerable refused"] == pytest.approx(1 / 3)
    assert scores["contains gold"] == pytest.approx(2 / 3)
    assert found["questions"]["1"]["token F1"] == pytest.approx(2 * 3 / (8 + 3))
    assert scores["citation precision"] == 1
    assert found["measures"]["citation precision"]["n"] == 1  # 2 refused, 3 has no gold, 4 no offsets
    assert scores["cited files right"] == 1
    assert scores["support"] == pytest.approx(2 / 3)  # nothing supports that somebody won it
    assert scores["wrong numbers unmarked"] == 0
    assert scores["prompt tokens"] > 20
    assert 0 <= scores["first token p50, s"] <= scores["total p95, s"]


@pytest.mark.parametrize(
    ("text", "cited", "wrong"),
    [
        ("In 2026 it lasted 24 months.", (1,), 0),  # the question has 2026
        ("It lasted 24 months and 3 days, or 60.", (1,), 2),
        ("It lasted 60 days.", (2,), 0),
        ("It lasted 60 days.", (), 0),  # which the page marks
    ],
)
def test_a_number_is_wrong_that_what_is_cited_does_not_have(text: str, cited: tuple[int, ...], wrong: int) -> None:
    passages = (citation(1, "a.txt", None, "24 months", 0.5), citation(2, "b.txt", None, "60 days", 0.5))
    answer = Answer("", "", False, (), passages, (), Timings(0, 0, 0, 0, 0, 0, 0), "m")
    assert wrong_numbers(Sentence(text, cited), answer, "How long did it last in 2026?") == wrong


def test_the_plain_chain(
    folder: Path, replying: Callable[..., ScriptedModel], capsys: pytest.CaptureFixture[str]
) -> None:
    llm = replying("Every 60 days.", "I don't know.", "I'm sorry, but I don't know who won.", "At 9.")
    found = run(folder, "--baseline")
    scores = values(found)
    assert "don't try to make up an answer" in llm._prompts[0]
    assert MANUAL in llm._prompts[0]
    assert found["system"] == "baseline"
    assert (scores["unanswerable refused"], scores["answerable refused"]) == (1, pytest.approx(1 / 3))
    assert scores["exact match"] == pytest.approx(1 / 3)
    assert found["questions"]["1"]["exact match"] == 1
    assert found["questions"]["1"]["cited files right"] == pytest.approx(1 / 3)  # it shows all that it was given
    assert "support" not in scores
    assert scores["wrong numbers unmarked"] == 1 / 2  # nothing that it read has a 9
    assert scores["doc@1"] == 1
    assert scores["prompt tokens"] > 20
    assert "broken.pdf was not read" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--retriever=footnote", "--retriever=dense", "--baseline"])
def test_a_rerun_embeds_no_document_and_asks_nothing(folder: Path, embedders: list[Loaded], option: str) -> None:
    first = run(folder, "--retrieval-only", option)
    assert any(embedder.embedded for embedder in embedders)
    embedders.clear()
    assert run(folder, "--retrieval-only", option) == first  # to the microsecond
    assert not any(embedder.embedded for embedder in embedders)
    again = run(folder, "--retrieval-only", option, "--again")
    assert again != first
    assert not any(embedder.embedded for embedder in embedders)


def test_a_stopped_run_goes_on_where_it_was(
    folder: Path, replying: Callable[..., ScriptedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    replying(*REPLIES)
    ask = Footnote.ask

    def stop(self: Footnote, asked: Question) -> Answered:
        if asked.id == "2":
            raise KeyboardInterrupt
        return ask(self, asked)

    with monkeypatch.context() as patch:
        patch.setattr(Footnote, "ask", stop)
        assert main(["evaluate", str(folder)]) == 130
    (kept,) = folder.parent.glob("cache/evaluate/kettles-*/footnote-answers-*.jsonl")
    before = kept.read_text()
    assert before.count("\n") == 1
    kept.write_text(before + '{"id": "2", "te')  # a kill cut the next line short
    llm = replying(*REPLIES[1:])
    scores = values(run(folder))
    assert len(llm._prompts) == 3
    assert kept.read_text().startswith(before)
    assert scores["contains gold"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("change", ["document", "setting"])
def test_a_change_asks_anew(
    folder: Path, embedders: list[Loaded], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    first = run(folder, "--retrieval-only")
    if change == "document":
        (folder / "docs" / "manual.txt").write_text(MANUAL.replace("60", "90"))
    else:
        monkeypatch.setenv("RAG_TOP_K", "3")
    second = run(folder, "--retrieval-only")
    assert first["questions"]["1"]["retrieval, s"] != second["questions"]["1"]["retrieval, s"]


def test_a_set_that_moved_is_not_in_the_library_twice(folder: Path, embedders: list[Loaded]) -> None:
    run(folder, "--retrieval-only")
    moved = folder.parent / "elsewhere" / "kettles"
    moved.parent.mkdir()
    folder.rename(moved)
    embedders.clear()
    run(moved, "--retrieval-only", "--again")
    (library,) = folder.parent.glob("cache/evaluate/kettles-*")
    assert not any(embedder.embedded for embedder in embedders)
    assert main(["documents", "--library", str(library), "--json"]) == 0


def test_two_runs_are_compared(
    folder: Path, replying: Callable[..., ScriptedModel], capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(folder.parent / name) for name in ("a.json", "b.json")]
    replying(NO, NO, NO, NO)
    assert main(["evaluate", str(folder), "--json", paths[0]]) == 0
    replying(*REPLIES)
    assert main(["evaluate", str(folder), "--json", paths[1], "--again"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "--compare", *paths]) == 0
    rows = {line.split("  ")[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert rows["unanswerable refused"][2:] == ["-1.000", "-1.000", "to", "-1.000", "1", "real"]
    assert rows["doc@1"][1:] == ["+0.000", "+0.000", "to", "+0.000", "3", "-"]


def test_a_library_is_calibrated_by_a_set(
    folder: Path, tmp_path: Path, replying: Callable[..., ScriptedModel], capsys: pytest.CaptureFixture[str]
) -> None:
    llm = replying()
    arguments = ["calibrate", str(folder), "--library", str(tmp_path / "own")]
    assert main(arguments) == 1
    assert "3 answerable, 1 not" in capsys.readouterr().err
    asked = [{**question, "id": f"{turn}-{question['id']}"} for question in QUESTIONS for turn in range(5)]
    (folder / "questions.jsonl").write_text("".join(json.dumps(question) + "\n" for question in asked))
    assert main([*arguments, "--dry-run"]) == 0
    judged = len(llm._judged)
    manifest = Manifest(tmp_path / "own" / "manifest.sqlite")
    assert manifest.get_meta("refusal") is None
    assert main(arguments) == 0
    assert len(llm._judged) == judged  # what a run has asked is not asked again
    assert capsys.readouterr().out.splitlines()[0] == "15 answerable and 5 unanswerable questions; 0 passed over"
    assert load_calibration(manifest.get_meta("refusal"), "hashed@1, scripted") != SHIPPED


@pytest.mark.parametrize("args", [[], ["DIR", "--compare", "a", "b"], ["DIR", "--limit", "0"]])
def test_wrong_usage(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", *args])
    assert stopped.value.code == 2
    assert "python -m rag evaluate: error:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"id": "1"}', r"questions\.jsonl, line 1: not a question"),
        ('\n{"id": "1", "question": "?"}\n[]', r"questions\.jsonl, line 3: not a question"),
        ('{"id": "1", "question": "?", "gold_spans": [{"doc": "a", "start": 5, "end": 5}]}', "ends before it starts"),
        ('{"id": "1", "question": "?"}\n{"id": "1", "question": "!"}', "the same id"),
        ("", "holds no questions"),
        (None, "cannot be read"),
    ],
)
def test_a_set_that_cannot_be_read_is_named(tmp_path: Path, text: str | None, told: str) -> None:
    with pytest.raises(EvaluationError, match="has no folder docs"):
        load_questions(tmp_path)
    (tmp_path / "docs").mkdir()
    if text is not None:
        (tmp_path / "questions.jsonl").write_text(text)
    with pytest.raises(EvaluationError, match=told):
        load_questions(tmp_path)


def test_a_set_of_which_nothing_can_be_read_is_an_error(
    folder: Path, embedders: list[Loaded], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("manual.txt", "terms.md", "shop.html"):
        (folder / "docs" / name).unlink()
    for option in ("--retriever=bm25", "--baseline"):
        assert main(["evaluate", str(folder), "--retrieval-only", option]) == 1
        assert "could be read; broken.pdf was not read" in capsys.readouterr().err


def question(number: int, unanswerable: bool) -> Question:
    return Question(str(number), "?", (), unanswerable, (), (), ())


@pytest.mark.parametrize(("limit", "no"), [(1, 0), (2, 1), (10, 3), (40, 10), (99, 25), (100, 25), (None, 25)])
def test_a_sample_is_spread_evenly_and_keeps_the_proportion(limit: int | None, no: int) -> None:
    questions = [question(number, number % 4 == 3) for number in range(100)]
    taken = sample(questions, limit)
    assert len(taken) == (limit or 100)
    if limit != 10:  # 2.5 of 10
        assert sum(each.unanswerable for each in taken) == no
    places = [int(each.id) for each in taken]
    assert places == sorted(set(places))
    assert sample(questions, limit) == taken
    for half in (range(50), range(50, 100)):
        assert limit == 1 or abs(sum(at in half for at in places) - len(taken) / 2) <= 1


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    questions = [question(1, False)]
    retrieved = Retrieved("1", (Span("ä.txt", 0, 4),), (7,), 0.25)
    answered = Answered("1", "Ja\u2028.", False, (Span("ä.txt", 0, 4),), 1, 1, 0, 0.5, 1.0, 9, "m")
    for record in (retrieved, answered):
        kind: Any = type(record)
        found = [ask_each(questions, path, kind, lambda _, r=record: r, lambda _: None, again=True)]
        found += [ask_each(questions, path, kind, lambda _: pytest.fail("asked"), lambda _: None)]
        assert found == [{"1": record}] * 2


@pytest.mark.parametrize(
    "text",
    [
        "", "I don't know.", "I do not know the answer.", "I'm sorry, but I cannot answer that.", NO,
        "The context does not provide information about it.", "There is no mention of a cup.",
        "It is not specified in the given context.",
    ],
)  # fmt: skip
def test_ways_of_not_knowing(text: str) -> None:
    assert says_unknown(text)


@pytest.mark.parametrize("text", ["Every 60 days.", "No, it is not covered.", "At nine. I don't know more than that."])
def test_ways_of_answering(text: str) -> None:
    assert not says_unknown(text)


def test_the_plain_chunks_know_their_place(tmp_path: Path) -> None:
    text = "\n\n".join(f"Paragraph {number} says what it says. " * 9 for number in range(30))
    path = tmp_path / "long.txt"
    path.write_text(text)
    chunks, failed = split_plainly([("long.txt", path)], 2**20)
    assert failed == []
    assert len(chunks) > 5
    for chunk in chunks:
        assert text[chunk.metadata["start"] : chunk.metadata["end"]] == chunk.page_content
        assert len(chunk.page_content) <= CHUNK_SIZE


@given(st.text(st.sampled_from("ab\r\n\u2028\ufeff\x9fé 😀"), min_size=1).filter(str.strip))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_spans_are_carried_over_to_the_extracted_text(tmp_path: Path, text: str) -> None:
    raw = f"{text}answer{text}"
    start = len(text)
    (tmp_path / "a.txt").write_bytes(raw.encode())
    asked = replace(question(1, False), gold_spans=(Span("a.txt", start, start + 6),))
    (placed,), unplaced = place_spans([asked], tmp_path, 2**20)
    extracted = load_documents(tmp_path / "a.txt", max_bytes=2**20)[0].page_content
    assert unplaced == []
    assert [extracted[span.start : span.end] for span in placed.gold_spans] == ["answer"]


@pytest.mark.parametrize("end", [4, 1000])
def test_a_span_beyond_its_file_is_an_error(tmp_path: Path, end: int) -> None:
    (tmp_path / "a.txt").write_text("abc")
    with pytest.raises(EvaluationError, match=rf"a\.txt has no characters 3 to {end}"):
        place_spans([replace(question(1, False), gold_spans=(Span("a.txt", 3, end),))], tmp_path, 2**20)
    with pytest.raises(EvaluationError, match=r"b\.txt, of which a question has a span, cannot be read"):
        place_spans([replace(question(1, False), gold_spans=(Span("b.txt", 0, 1),))], tmp_path, 2**20)
