"""The benchmarks that have no test file of their own, at their smallest."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from format_files import CASES
from hashed_library import HashedEmbeddings

from benchmarks import answering, peers, plots, results, retrieval, scale, throughput
from rag.config import Settings
from rag.evaluate_table import Results
from rag.library import Library
from rag.ranking import LONGEST, Weights


def test_the_steps_of_the_ranking_end_with_all_of_it() -> None:
    *parts, whole = retrieval.STEPS.values()
    assert whole == (Weights(), LONGEST)
    assert len({*parts, whole}) == len(retrieval.STEPS)  # each adds something


def test_the_rows_of_a_set_are_a_table() -> None:
    scores = {"1": {"doc@1": 1.0, "ans@1": 0.0}, "2": {"doc@1": 1.0, "ans@1": 1.0}}
    rows = [(name, Results("kettles", name, (), (), scores)) for name in ("Footnote", "BM25 alone")]
    assert list(retrieval.lines("kettles", rows)) == [
        "| kettles | doc@1 | ans@1 |",
        "| --- | --- | --- |",
        "| Footnote | 1.000 (1.00 to 1.00) | 0.500 (0.00 to 1.00) |",
        "| BM25 alone | 1.000 (1.00 to 1.00) | 0.500 (0.00 to 1.00) |",
    ]


def test_the_growth_of_retrieval_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert scale.main(["40"]) == 0
    *_, row = capsys.readouterr().out.splitlines()
    count, *figures = (float(cell.replace(",", "")) for cell in row.strip("| ").split("|"))
    assert 20 <= count <= 80
    assert all(figure > 0 for figure in figures)


ROWS = """
| what | engine | median | times torch fp32 |
| --- | --- | --- | --- |
| one question | torch fp32 | 100 ms | 1.0 |
| one question | OpenVINO bf16 | 24 ms | 11.9 (8.4 to 28.6) |

| chunks | search p50, ms | p95, ms |
| --- | --- | --- |
| 1,000 | 20 | 31 |

| what | Footnote | the other | ratio |
| --- | --- | --- | --- |
| end of that answer | 2.20 s | 2.00 s | 1.10 |
| time to an answer's end, beside the bare engine's on the same prompts |  |  | 1.10 (1.00 to 1.20) |

| arm | first word, times idle |
| --- | --- |
| ingesting beside it | 1.35 (0.99 to 1.50) |

| beside | ingest: times as fast | search: times as fast |
| --- | --- | --- |
| Haystack | 4.0 (3.0 to 5.0) | 9.0 (8.0 to 9.5) |

| what | times, by the cores |
| --- | --- |
| the first run, beside the same again | 344 |

| what | guessing | without | ratio |
| --- | --- | --- | --- |
| end of that answer | 2.00 s | 4.00 s | 0.50 |
| time to an answer's end, guessing beside not |  |  | 0.50 |

| when | resident, MiB | which is |
| --- | --- | --- |
| loaded | 300 | 200 MiB, the weights on the disk, and 100 MiB |
"""


def test_what_a_benchmark_printed_becomes_the_readme_s_rows_and_plots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"command": "python -m benchmarks.x", "machine": "2 cores", "date": "2026-11-23"}
    tables = [list(results.read_tables(part.splitlines())) for part in ROWS.split("\n\n")]
    names = ("embedding", "scale", "answering", "sharing", "peers", "again", "lookup", "memory")
    kept = {name: {**told, "rows": rows} for name, rows in zip(names, tables, strict=True)}
    rows = results.summary(kept)
    assert {row[2:] for row in rows} == {("`python -m benchmarks.x`", "2 cores", "2026-11-23")}
    assert [row[:2] for row in rows] == [
        ("embedding in bf16, one question, beside torch fp32", "11.9 times as fast"),
        ("the first run, beside the same again", "344 times the seconds of the cores"),
        ("time to an answer's end, beside the bare engine's on the same prompts", "1.10 (1.00 to 1.20) times"),
        ("time to an answer's end, guessing beside not", "0.50 times"),
        ("time to the first word while ingesting beside it, beside idle", "1.35 (0.99 to 1.50) times"),
        ("ingest, beside Haystack", "4.0 (3.0 to 5.0) times as fast"),
        ("search, beside Haystack", "9.0 (8.0 to 9.5) times as fast"),
        ("memory of the app, loaded", "200 MiB, the weights on the disk, and 100 MiB"),
        (
            "a search of 1,000 chunks, its question's vector at hand",
            "20 ms at the median, 31 ms at the 95th percentile",
        ),
    ]
    monkeypatch.setattr(plots, "PLOTS", tmp_path)
    drawn = plots.draw(kept)
    assert sorted(path.name for path in drawn) == [
        "growth-dark.svg", "growth-light.svg", "speed-dark.svg", "speed-light.svg",
    ]  # fmt: skip
    assert plots.draw(kept) == drawn
    assert results.summary({}) == plots.draw({}) == []


def test_throughput_is_compared_on_what_both_read(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<p>Pears are soft.</p>" * 50)
    (tmp_path / "b.html").write_bytes(b"\0" * 50)  # which nobody reads
    paths = sorted(tmp_path.iterdir())
    files, ours, theirs, ratio, text = throughput.compare(paths, lambda path: path.read_text().strip("\0"), 2)
    assert files == "1 of 2"
    assert ours.endswith(" MB/s") and theirs.endswith(" MB/s")
    assert float(ratio.split()[0]) < 1 < float(text)  # reading is faster than parsing, and counts the tags
    assert throughput.compare(paths, lambda path: "", 1) == []


@pytest.mark.parametrize("suffix", sorted(set(throughput.loaders()) - {".docx"}))  # the test's is too bare for it
def test_the_libraries_beside_which_it_is_measured_read_their_formats(suffix: str, tmp_path: Path) -> None:
    made = {Path(case.name).suffix: case.data for case in CASES}
    path = tmp_path / f"a{suffix}"
    path.write_bytes(made[suffix])
    assert throughput.read(throughput.loaders()[suffix][1], path) > 40


def test_generated_text_is_lent_a_vector_and_real_text_is_embedded(hashed_embeddings: HashedEmbeddings) -> None:
    lent = answering.LentVectors(hashed_embeddings)
    made, real, cut = lent.embed_documents(["document1 w1 w2", "A kettle.", "Ww56 w5 w2"])
    assert hashed_embeddings.embedded == ["A kettle."]
    assert real == hashed_embeddings.embed_query("A kettle.")
    assert made == scale.direction("document1 w1 w2").tolist()
    assert cut == scale.direction("Ww56 w5 w2").tolist()


def test_the_prompts_are_replayed_one_after_another() -> None:
    said = []

    class Engine:
        def generate(self, prompt: str | list[str], config: Any, hear: Any = None) -> None:
            said.append((prompt, config.max_new_tokens))
            if hear:
                time.sleep(0.02)
                hear("word")
                time.sleep(0.02)

    first, end = answering.replay(Engine(), [("Does it say?", 1), ("Then answer.", 9)])
    assert said == [(["Does it say?"], 1), ("Then answer.", 9)]
    assert 0.02 <= first < end - 0.01
    refused, all_of_it = answering.replay(Engine(), [("Does it say?", 1)])
    assert refused == all_of_it


def test_one_model_answers_in_the_place_of_another(settings: Settings) -> None:
    own: Any = object()
    other: Any = object()
    library = Library(settings)
    library._llms._models[settings.llm_model] = own
    with answering.answered_by(library, other):
        assert library.load_llm() is other
    assert library.load_llm() is own


def test_what_an_arm_loads_for_its_first_search_counts(tmp_path: Path) -> None:
    asked: list[str] = []

    def arm(folder: Path, weights: str) -> Callable[[str], int]:
        def search(question: str) -> int:
            if not asked:
                time.sleep(0.3)  # it loads what questions need
            asked.append(question)
            return 1

        return search

    began = time.perf_counter()
    taken = peers.measure(arm, tmp_path, "")
    assert taken["ingest"] >= began - peers.BEGAN + 0.3
    assert taken["search"] < 0.2


def test_peers_are_told_by_the_rounds_own_ratios() -> None:
    theirs = [{"ingest": 8.0, "search": 0.3}, {"ingest": 9.0, "search": 0.1}]
    ours = [{"ingest": 2.0, "search": 0.1}, {"ingest": 3.0, "search": 0.1}]
    assert peers.told(theirs, ours, "ingest") == "3.5 (3.0 to 4.0)"
