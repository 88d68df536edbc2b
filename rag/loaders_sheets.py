"""Excel workbooks (.xlsx, .xls): a page for each sheet, its rows readable alone; macros and links are not looked at."""

from __future__ import annotations

import datetime
import io
import logging
import zipfile
from collections.abc import Iterator
from typing import Any

import openpyxl
import xlrd
from langchain_core.documents import Document
from xlrd.compdoc import CompDocError

from rag.errors import DocumentError
from rag.loaders_embedded import Pictures
from rag.loaders_kind import PASSWORD
from rag.loaders_package import (
    attribute,
    local,
    main_part,
    open_package,
    parse_part,
    reading,
    relations,
)
from rag.loaders_rows import bounded, comment_mark, join_lines, write_rows

logging.getLogger("openpyxl").setLevel(logging.ERROR)
_COMMENTS = ("comments", "threadedComment")
_LEGACY_NOTE = "[Threaded comment]"  # what stands in for a threaded comment where it cannot be shown


def load_xlsx(data: bytes) -> list[Document]:
    """One Document per sheet. Raises DocumentError if it is damaged, locked or too large."""
    with open_package(data) as package, reading("an Excel workbook"):
        over = _over_cells(package)
        # Values that were computed when it was saved; what links to other files stays unread.
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        sheets = [sheet for sheet in book.worksheets if hasattr(sheet, "iter_rows")]  # the others are charts
        texts = [(sheet.title, write_rows(bounded(_xlsx_rows(sheet))), over.get(sheet.title, [])) for sheet in sheets]
    return [
        _page(number, title, join_lines([text, "", *said])) for number, (title, text, said) in enumerate(texts, start=1)
    ]


def load_xls(data: bytes) -> list[Document]:
    """One Document per sheet of a workbook of Excel 97 to 2003. Raises DocumentError if it is damaged or locked."""
    with reading("an Excel workbook"):
        try:
            book = xlrd.open_workbook(file_contents=data, on_demand=True, logfile=io.StringIO())
        except (xlrd.XLRDError, CompDocError) as error:
            if "encrypted" in str(error):
                raise DocumentError(PASSWORD, "password") from None
            raise DocumentError("it is damaged, or not an Excel workbook at all") from error
        try:
            return [
                _page(number + 1, name, write_rows(bounded(_xls_rows(book, number))))
                for number, name in enumerate(book.sheet_names())
            ]
        finally:
            book.release_resources()


def _page(number: int, title: str, text: str) -> Document:
    """The sheet under its name, which often says what its numbers are of."""
    content = f"# {title}\n\n{text}" if text.strip() else ""
    return Document(
        page_content=content, metadata={"page": number, "page_label": f"sheet {title}", "outline": [[1, title]]}
    )


def _xlsx_rows(sheet: Any) -> Iterator[list[str]]:
    sheet.reset_dimensions()  # what the file says of its size may be wrong, and would be filled with blank cells
    for row in sheet.iter_rows(values_only=True):
        yield [_text(value) for value in row]


def _xls_rows(book: Any, number: int) -> Iterator[list[str]]:
    sheet = book.sheet_by_index(number)
    for index in range(sheet.nrows):
        yield [_xls_text(book, cell) for cell in sheet.row(index)]
    book.unload_sheet(number)


def _xls_text(book: Any, cell: Any) -> str:
    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            return _text(xlrd.xldate_as_datetime(cell.value, book.datemode))
        except (ValueError, OverflowError):
            return _text(cell.value)
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return _text(bool(cell.value))
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(cell.value, ""))
    return _text(cell.value)


def _text(value: object) -> str:
    """A cell as a person would write it."""
    if value is None:
        return ""
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ", "seconds")
    if isinstance(value, float):
        return f"{value:.15g}"  # which is what a spreadsheet shows of 0.1 + 0.2
    return str(value)


def _over_cells(package: zipfile.ZipFile) -> dict[str, list[str]]:
    """What stands over the cells of each sheet, by its name: comments, with the cells they are about, and pictures."""
    book = main_part(package)
    parts = relations(package, book)
    people = {
        attribute(person, "id"): attribute(person, "displayName")
        for relation in parts.values()
        if relation.kind == "person"
        for person in parse_part(package, relation.part)
    }
    found: dict[str, list[str]] = {}
    pictures = Pictures()
    for sheet in parse_part(package, book).iter("{*}sheet"):
        relation = parts.get(attribute(sheet, "id"))
        inner = relations(package, relation.part).values() if relation else ()
        roots = [parse_part(package, item.part) for item in inner if item.kind in _COMMENTS]
        found[sheet.get("name", "")] = [line for root in roots for line in _comment_lines(root, people)]
        for drawing in (item.part for item in inner if item.kind == "drawing"):
            images = (item.part for item in relations(package, drawing).values() if item.kind == "image")
            found[sheet.get("name", "")] += [line for image in images for line in pictures.part_lines(package, image)]
    return found


def _comment_lines(root: Any, people: dict[str, str]) -> Iterator[str]:
    authors = [item.text or "" for item in root.iter("{*}author")]
    for comment in root.iter("{*}comment", "{*}threadedComment"):
        said = " ".join("".join(item.text or "" for item in comment.iter("{*}t", "{*}text")).split())
        if not said or said.startswith(_LEGACY_NOTE):
            continue
        if local(comment) == "comment":
            index = attribute(comment, "authorId")
            author, when = (authors[int(index)] if index.isdigit() and int(index) < len(authors) else ""), ""
        else:
            author, when = people.get(attribute(comment, "personId"), ""), attribute(comment, "dT").partition("T")[0]
        yield f"{attribute(comment, 'ref')} {comment_mark(author, when)} {said})"
