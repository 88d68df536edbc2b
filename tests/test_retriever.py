import threading
from bisect import bisect_right
from pathlib import Path
from typing import Any

import pytest
from hashed_library import HashedLibrary
from langchain_core.documents import Document

from rag.retriever import LibraryRetriever, beginning
from rag.splitter import document_text
from rag.types import Scope


@pytest.fixture
def library(tmp_path: Path) -> HashedLibrary:
    return HashedLibrary(tmp_path / "library", chunk_size=120, chunk_overlap=20)


def retriever(library: HashedLibrary, k: int, **fields: Any) -> LibraryRetriever:
    return LibraryRetriever(
        manifest=library.manifest,
        index=library.index,
        embeddings=library.embedder,
        k=k,
        **{"scope": Scope(("default",)), **fields},
    )


def length(document: Document) -> int:
    return len(document.page_content)


STORY = " ".join(f"On day {day} the keeper wrote that lamp number {day} burned from dusk to dawn." for day in range(40))


def test_passages_are_the_documents_text_between_their_offsets(library: HashedLibrary, tmp_path: Path) -> None:
    for name, text in (
        ("story.txt", STORY),
        ("lamps.txt", f"{STORY[:700]}\n\n\n The lamp of day 3: 火は明け方に消えた。👩‍🚀"),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
        library.ingest(tmp_path / name)
    found = retriever(library, 5).invoke("What did the keeper write of the lamp on day 3?")
    assert 1 <= len(found) <= 5
    for passage in found:
        text = document_text(library.manifest.pages(passage.metadata["document_id"]))
        assert passage.page_content == text[passage.metadata["start"] : passage.metadata["end"]]
    assert max(map(length, found)) > 120  # neighbours became one
    assert [passage.metadata["number"] for passage in found] == list(range(1, len(found) + 1))


def test_a_name_in_a_documents_opening_is_not_absent_from_it(library: HashedLibrary, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(f"Log of Saint Mary lighthouse.\n\n{STORY}", encoding="utf-8")
    library.ingest(tmp_path / "log.txt")
    question = "What did the keeper of {} write that the lamp did from dusk to dawn on day 7?"
    for name, absent in (("Mary", []), ("Elba", ["Elba"])):
        found = retriever(library, 1, longest=200).invoke(question.format(name))
        assert not any("Mary" in passage.page_content for passage in found)
        assert found[0].metadata["absent"] == absent


def test_a_passage_is_found_and_named_by_the_headings_over_it(library: HashedLibrary, tmp_path: Path) -> None:
    steps = "Open the lid, look at the seal, wipe it dry.\n\n" * 6
    text = f"# Heron\n\n{steps}## Disposal\n\n{steps}Drain it for nine hours.\n\n## Storage\n\n{steps}"
    (tmp_path / "manual.md").write_text(f"{'Read all of this. ' * 120}\n\n{text}")
    library.ingest(tmp_path / "manual.md")
    found = retriever(library, 9, longest=100).invoke("How many hours does the disposal of the Heron take?")
    drained = next(passage for passage in found if "Drain it" in passage.page_content)
    assert "Disposal" not in drained.page_content
    assert (drained.metadata["headings"], drained.metadata["place"]) == ("Heron > Disposal", ", Heron > Disposal")
    merged = max(retriever(library, 4).invoke("How many hours does the disposal of the Heron take?"), key=length)
    assert length(merged) > 120
    text = document_text(library.manifest.pages(merged.metadata["document_id"]))
    begins = [text.index(heading) for heading in ("# Heron", "## Disposal", "## Storage")]
    over = bisect_right(begins, merged.metadata["start"])
    assert merged.metadata["headings"] == ("", "Heron", "Heron > Disposal", "Heron > Storage")[over]


def test_a_passage_ends_with_its_page(library: HashedLibrary, tmp_path: Path) -> None:
    rows = "".join(f"1\n00:0{at}:00,000 --> 00:0{at}:20,000\nThe lamp of hour {at} burned.\n\n" for at in range(5))
    (tmp_path / "story.srt").write_text(rows, encoding="utf-8")
    library.ingest(tmp_path / "story.srt")
    found = retriever(library, 5).invoke("Which lamp burned?")
    assert len(found) == 5
    assert len({passage.metadata["page"] for passage in found}) == 5


@pytest.mark.parametrize("budget", [40, 130, 500, 2000])
def test_the_passages_fit_into_the_budget(library: HashedLibrary, tmp_path: Path, budget: int) -> None:
    (tmp_path / "story.txt").write_text(STORY, encoding="utf-8")
    library.ingest(tmp_path / "story.txt")
    found = retriever(library, 4, token_budget=budget, size=length).invoke("What did the keeper write on day 3?")
    assert 0 < sum(map(length, found)) <= budget


def test_what_is_too_long_keeps_its_beginning_and_its_end_moves() -> None:
    whole = Document("one two three four", metadata={"start": 100, "end": 118})
    cut = beginning(whole, 2, lambda passage: len(passage.page_content.split()))
    assert cut.page_content.split() == ["one", "two"]
    assert (cut.metadata["start"], cut.metadata["end"]) == (100, 100 + len(cut.page_content))


def sources(found: list[Document]) -> set[str]:
    return {passage.metadata["source"] for passage in found}


def test_meaning_and_words_are_searched_at_once(
    library: HashedLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log.txt").write_text(STORY, encoding="utf-8")
    library.ingest(tmp_path / "log.txt")
    both = threading.Barrier(2, timeout=20)  # seconds, which a search that waits for the other would take
    for owner, search in ((library.manifest, "keyword_search"), (library.index, "search_all")):
        found = getattr(owner, search)
        monkeypatch.setattr(owner, search, lambda *given, found=found: (both.wait(), found(*given))[1])
    assert retriever(library, 3).invoke("Which lamp burned on day 3?")


def test_a_narrow_scope_fills_its_k(tmp_path: Path) -> None:
    """Forty documents answer better than the one that is asked, which is found all the same, and k times."""
    library = HashedLibrary(tmp_path / "library", chunk_size=120, chunk_overlap=20)
    others = HashedLibrary(tmp_path / "library", chunk_size=120, chunk_overlap=20, collection="others")
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.txt").write_text(f"Number {number}: what did the keeper write of the lamp?\n" * 6)
    library.ingest(folder)
    far = "".join(f"1\n00:0{at}:00,000 --> 00:0{at}:20,000\nFigs of hour {at} ripened.\n\n" for at in range(6))
    (tmp_path / "figs.srt").write_text(far)
    library.ingest(tmp_path / "figs.srt")
    (tmp_path / "other.txt").write_text("What the keeper of another house wrote.\n")
    others.ingest(tmp_path / "other.txt")
    question = "What did the keeper write of the lamp?"
    figs = library.manifest.named("default", "figs.srt").id
    assert "figs.srt" not in sources(retriever(library, 5).invoke(question))
    found = retriever(library, 5, scope=Scope(("default",), (figs,))).invoke(question)
    assert (sources(found), len(found)) == ({"figs.srt"}, 5)
    assert sources(retriever(library, 5, scope=Scope(("others",))).invoke(question)) == {"other.txt"}
    both = retriever(library, 5, scope=Scope(("default", "others"))).invoke("Which keeper wrote of another house?")
    assert sources(both) > {"other.txt"}
    assert retriever(library, 5, scope=Scope(("others",), (figs,))).invoke(question) == []
    assert retriever(library, 5, scope=Scope(("nowhere",))).invoke(question) == []
    assert library.problems() == []


def test_the_nearest_of_a_document_are_the_nearest(library: HashedLibrary, tmp_path: Path) -> None:
    (tmp_path / "story.txt").write_text(STORY)
    library.ingest(tmp_path / "story.txt")
    ids = library.manifest.all_chunk_ids("default")
    vectors = library.manifest.vectors(ids)
    scope = Scope(("default",), (library.manifest.named("default", "story.txt").id,))
    for at in (0, 7, len(ids) - 1):
        by_hand = sorted(ids, key=lambda each: -float(vectors[ids.index(each)] @ vectors[at]))[:4]
        assert library.manifest.nearest(scope, vectors[at], 4) == by_hand
        assert library.index.search("default", vectors[at].tolist(), 4) == by_hand
