"""JSON, XML and subtitles."""

from __future__ import annotations

import pytest

from rag.errors import DocumentError
from rag.loaders import load_bytes


def text(name: str, data: str) -> str:
    return load_bytes(data.encode(), name)[0].page_content


def reason(name: str, data: str) -> str:
    with pytest.raises(DocumentError) as caught:
        load_bytes(data.encode(), name)
    return str(caught.value)


def test_json_lines_name_the_whole_path() -> None:
    data = '{"pump": {"price": 1e2, "sizes": [1, 2.50], "ok": true, "note": null, "parts": [{"id": "a"}, {"id": "b"}]}}'
    assert (
        text("a.json", data)
        == "pump.price: 1e2\npump.sizes: 1, 2.50\npump.ok: true\npump.parts 1.id: a\npump.parts 2.id: b"
    )
    assert text("a.json", '[{"a": 1}, {"a": 2}]') == "a: 1\n\na: 2"
    assert text("a.json", '"only words"') == "only words"


def test_json_lines_files() -> None:
    assert text("a.jsonl", '{"a": 1}\n\n{"b": "x"}\n') == "a: 1\n\nb: x"
    assert "line 2" in reason("a.jsonl", '{"a": 1}\n{"b": \n')


def test_damaged_json_is_named() -> None:
    assert reason("a.json", '{"a": [1, 2') == "it is damaged, or not JSON at all (line 1: Expecting ',' delimiter)"
    assert reason("a.json", "[" * 100_000) == "it is nested too deep"
    assert reason("a.json", "{}") == "there is no text in it"


def test_xml_lines_name_their_elements() -> None:
    data = '<list><part id="7"><name>Pump</name><note>For <b>deep</b> wells</note></part><part/></list>'
    assert text("a.xml", data) == "part id: 7\nname: Pump\nFor deep wells"
    assert reason("a.xml", data[:40]) == "it is damaged, or not XML at all"


def test_xml_entities_are_neither_expanded_nor_fetched() -> None:
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    data = f'<!DOCTYPE a [<!ENTITY e0 "lol">{bomb}<!ENTITY f SYSTEM "file:///etc/passwd">]><a><b>x &e11; &f;</b></a>'
    try:
        found = text("a.xml", data)
    except DocumentError:
        return
    assert "lol" not in found
    assert "root:" not in found


SRT = "1\n00:00:01,000 --> 00:00:03,000\n<i>Hello</i>\n{\\an8}there\n\n2\n00:01:05,500 --> 00:01:07,000\nBye\n"
VTT = (
    "WEBVTT\n\nNOTE no\n\n00:01.000 --> 00:03.000 align:start\n<v Ann>Hello</v>\n\n01:00:05.500 --> 01:00:07.000\nBye\n"
)


def test_subtitles_keep_their_times_as_places() -> None:
    pages = load_bytes(SRT.replace("\n", "\r\n").encode(), "a.srt")
    assert [page.metadata for page in pages] == [
        {"page": 1, "page_label": "at 0:00:01"},
        {"page": 2, "page_label": "at 0:01:05"},
    ]
    assert [page.page_content for page in pages] == ["Hello\nthere", "Bye"]
    pages = load_bytes(VTT.encode(), "a.vtt")
    assert [page.metadata["page_label"] for page in pages] == ["at 0:00:01", "at 1:00:05"]
    assert [page.page_content for page in pages] == ["Ann: Hello", "Bye"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["<", "<v ", "{\\", "<v.", "00:"])
def test_subtitles_of_brackets_take_no_longer(piece: str) -> None:
    cue = piece * 100_000
    assert text("a.srt", f"00:00:01,000 --> 00:00:03,000\n{cue}\n").startswith(piece.strip())


def test_subtitles_close_to_each_other_share_a_page() -> None:
    cues = "".join(
        f"00:00:{second:02d}.000 --> 00:00:{second:02d}.900\nword {second}\n\n" for second in range(0, 60, 10)
    )
    pages = load_bytes(f"WEBVTT\n\n{cues}".encode(), "a.vtt")
    assert [page.page_content for page in pages] == ["word 0\nword 10\nword 20", "word 30\nword 40\nword 50"]
    assert reason("a.srt", "just text") == "there are no subtitles in it"
