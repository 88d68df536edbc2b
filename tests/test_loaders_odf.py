"""OpenDocument: text, slides and sheets."""

from __future__ import annotations

import pytest
from office_files import odf

from rag import loaders_rows
from rag.errors import DocumentError
from rag.loaders import load_bytes

NUMBERED = (
    '<text:list-style style:name="L"><text:list-level-style-number text:level="1" style:num-format="1"/>'
    '</text:list-style>'
)  # fmt: skip
SPAN = 'table:number-rows-spanned="2"'


def item(text: str, inside: str = "") -> str:
    return f"<text:list-item><text:p>{text}</text:p>{inside}</text:list-item>"


def cell(text: str, attributes: str = "") -> str:
    return f"<table:table-cell {attributes}><text:p>{text}</text:p></table:table-cell>"


def test_a_text_has_headings_lists_tables_and_notes() -> None:
    inner = f"<text:list>{item('deep')}</text:list>"
    body = (
        "<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>"
        '<text:h text:outline-level="2">Care</text:h><text:p>Clean<text:s/>it.<text:note text:note-class="footnote">'
        "<text:note-citation>1</text:note-citation><text:note-body><text:p>Weekly.</text:p></text:note-body></text:note></text:p>"
        f'<text:list text:style-name="L">{item("one", inner)}{item("two")}</text:list>'
        f"<table:table><table:table-row>{cell('Year', SPAN)}{cell('Part')}"
        f"</table:table-row><table:table-row><table:covered-table-cell/>{cell('Hose')}</table:table-row></table:table>"
    )
    (page,) = load_bytes(odf("text", f"<office:text>{body}</office:text>", NUMBERED), "a.odt")
    assert (page.metadata["page"], page.metadata["page_label"]) == (None, None)
    assert page.page_content == (
        "## Care\n\nClean it. (footnote: Weekly.)\n\n1. one\n  - deep\n2. two\n\nYear | Part\nYear | Hose"
    )


def test_slides_are_pages_with_notes() -> None:
    def frame(kind: str, text: str) -> str:
        box = f"<draw:text-box><text:p>{text}</text:p></draw:text-box>"
        return f'<draw:frame presentation:class="{kind}">{box}</draw:frame>'

    notes = f"<presentation:notes>{frame('notes', 'Say it slowly.')}</presentation:notes>"
    pages = "".join(
        f"<draw:page>{frame('outline', f'Text {number}')}{frame('title', f'Title {number}')}{notes}</draw:page>"
        for number in (1, 2)
    )
    found = load_bytes(odf("presentation", f"<office:presentation>{pages}</office:presentation>"), "a.odp")
    assert [page.metadata["page_label"] for page in found] == ["slide 1", "slide 2"]
    assert found[1].page_content == "# Title 2\n\nText 2\n\nNotes:\nSay it slowly."


def sheet(rows: str) -> bytes:
    body = f'<office:spreadsheet><table:table table:name="Prices">{rows}</table:table></office:spreadsheet>'
    return odf("spreadsheet", body)


def test_sheets_are_pages_whose_rows_name_their_columns() -> None:
    rows = (
        f"<table:table-row>{cell('Part')}{cell('Price')}</table:table-row>"
        f"<table:table-row table:number-rows-repeated='2'>{cell('Pump')}{cell('250')}"
        "<table:table-cell table:number-columns-repeated='16000'/></table:table-row>"
        "<table:table-row table:number-rows-repeated='1048000'>"
        "<table:table-cell table:number-columns-repeated='16000'/></table:table-row>"
    )
    (page,) = load_bytes(sheet(rows), "a.ods")
    assert page.metadata == {"page": 1, "page_label": "sheet Prices", "headings": [[0, 1, "Prices"]]}
    assert page.page_content == "# Prices\n\nPart: Pump\nPrice: 250\n\nPart: Pump\nPrice: 250"


def test_cells_repeated_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaders_rows, "MAX_CELLS", 10_000)
    repeated = cell("x", "table:number-columns-repeated='999999999'")
    with pytest.raises(DocumentError, match="too large"):
        load_bytes(
            sheet(f"<table:table-row table:number-rows-repeated='999999999'>{repeated}</table:table-row>"), "a.ods"
        )


def test_a_password_is_named() -> None:
    manifest = "<manifest><file-entry><encryption-data/></file-entry></manifest>"
    with pytest.raises(DocumentError, match="needs a password"):
        load_bytes(odf("text", "<office:text/>", manifest=manifest), "a.odt")
