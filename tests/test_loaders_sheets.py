"""Workbooks: a page a sheet, each row readable alone, cells bounded."""

from __future__ import annotations

import datetime
import io

import pytest
import xlwt
from office_files import unzipped, xlsx, zipped

from rag import loaders_rows
from rag.errors import DocumentError
from rag.loaders import load_bytes

PRICES: list[list[object]] = [
    ["Part", "Price", "Since"],
    ["Pump", 250, datetime.date(2026, 1, 31)],
    ["Hose", 0.1 + 0.2],
]


def xls(rows: list[list[object]]) -> bytes:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Prices")
    dated = xlwt.easyxf(num_format_str="YYYY-MM-DD")
    for number, row in enumerate(rows):
        for column, value in enumerate(row):
            sheet.write(number, column, value, *([dated] if isinstance(value, datetime.date) else []))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_sheets_are_pages_and_each_row_names_its_columns() -> None:
    pages = load_bytes(xlsx({"Prices": PRICES, "Notes": [["Only this"]]}, comment="Check"), "a.xlsx")
    assert [page.metadata for page in pages] == [
        {"page": 1, "page_label": "sheet Prices", "headings": [[0, 1, "Prices"]]},
        {"page": 2, "page_label": "sheet Notes", "headings": [[0, 1, "Notes"]]},
    ]
    assert pages[0].page_content == (
        "# Prices\n\nPart: Pump\nPrice: 250\nSince: 2026-01-31\n\nPart: Hose\nPrice: 0.3\n\nA1 (comment by Ann: Check)"
    )
    assert pages[1].page_content == "# Notes\n\nOnly this"


def test_old_workbooks_read_the_same() -> None:
    (page,) = load_bytes(xls(PRICES), "a.xls")
    assert page.metadata == {"page": 1, "page_label": "sheet Prices", "headings": [[0, 1, "Prices"]]}
    assert page.page_content == "# Prices\n\nPart: Pump\nPrice: 250\nSince: 2026-01-31\n\nPart: Hose\nPrice: 0.3"


def test_a_workbook_without_text_is_empty() -> None:
    with pytest.raises(DocumentError, match="there is no text in it"):
        load_bytes(xlsx({"Blank": []}), "a.xlsx")


@pytest.mark.parametrize("data", [xlsx({"A": [["x"] * 10] * 11}), xls([["x"] * 10] * 11)], ids=["xlsx", "xls"])
def test_too_many_cells_are_refused(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaders_rows, "MAX_CELLS", 100)
    with pytest.raises(DocumentError, match="too large: its tables have over 100 cells"):
        load_bytes(data, "a.xlsx")


def test_blank_cells_count_and_a_false_size_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = unzipped(xlsx({"A": [["x"]]}))
    sheet = "xl/worksheets/sheet1.xml"
    assert "A1" in parts[sheet]
    wide = parts[sheet].replace('<dimension ref="A1:A1"', '<dimension ref="A1:XFD1048576"')
    assert wide != parts[sheet]
    assert load_bytes(zipped(parts | {sheet: wide}), "a.xlsx")[0].page_content == "# A\n\nx"
    monkeypatch.setattr(loaders_rows, "MAX_CELLS", 1000)
    blank = "".join(f'<row r="{row}">{"<c/>" * 20}</row>' for row in range(2, 100))
    with pytest.raises(DocumentError, match="too large"):
        load_bytes(zipped(parts | {sheet: parts[sheet].replace("</sheetData>", f"{blank}</sheetData>")}), "a.xlsx")
