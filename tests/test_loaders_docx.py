"""Word documents: what a reader of the page would see, as lines."""

from __future__ import annotations

import pytest
from office_files import STYLES, W, docx, paragraph, unzipped, zipped

from rag.errors import DocumentError
from rag.loaders import load_bytes

RESTART = '<w:vMerge w:val="restart"/>'
M = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'


def text(data: bytes) -> str:
    (page,) = load_bytes(data, "a.docx")
    assert (page.metadata["page"], page.metadata["page_label"]) == (None, None)
    return page.page_content


def cell(content: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(content)}</w:tc>"


def test_headings_come_from_styles_their_bases_and_outline_levels() -> None:
    outlined = "<w:p><w:pPr><w:outlineLvl w:val='2'/></w:pPr><w:r><w:t>Third</w:t></w:r></w:p>"
    body = paragraph("First", "Heading1") + paragraph("Text") + paragraph("Second", "Mine") + outlined
    assert text(docx(body)) == "# First\n\nText\n\n# Second\n\n### Third"


def test_a_style_that_is_based_on_itself_ends() -> None:
    styles = STYLES.replace('basedOn w:val="Heading1"', 'basedOn w:val="Mine"')
    assert text(docx(paragraph("Text", "Mine"), styles=styles)) == "Text"


def test_lists_are_numbered_as_word_numbers_them() -> None:
    levels = (0, 1, 1, 0, 1)
    body = "".join(paragraph(f"item {number}", item=level) for number, level in enumerate(levels))
    assert text(docx(body)) == "1. item 0\n  1.a) item 1\n  1.b) item 2\n2. item 3\n  2.a) item 4"


def test_tables_are_rows_and_cells_that_reach_down_are_repeated() -> None:
    rows = (
        f"<w:tr>{cell('Year')}{cell('Part')}</w:tr>"
        f"<w:tr>{cell('2026', RESTART)}{cell('Pump')}</w:tr>"
        f"<w:sdt><w:sdtContent><w:tr>{cell('', '<w:vMerge/>')}{cell('Hose')}</w:tr></w:sdtContent></w:sdt>"
    )
    assert text(docx(f"{paragraph('Prices')}<w:tbl>{rows}</w:tbl>")) == (
        "Prices\n\nYear | Part\n2026 | Pump\n2026 | Hose"
    )


def test_a_table_in_a_cell_is_laid_out_in_lines() -> None:
    inner = f"<w:tbl><w:tr>{cell('a')}{cell('b')}</w:tr></w:tbl>"
    body = f"<w:tbl><w:tr><w:tc>{paragraph('Before')}{inner}</w:tc></w:tr></w:tbl>"
    assert text(docx(body)) == "Before\n\na | b"


def test_notes_comments_and_links_stand_where_they_belong() -> None:
    notes = f'<w:footnotes {W}><w:footnote w:id="2">{paragraph("At 20 °C.")}</w:footnote></w:footnotes>'
    comments = (
        f'<w:comments {W}><w:comment w:id="0" w:author="Ann" w:date="2026-01-31T10:00:00Z">'
        f"{paragraph('Sure?')}</w:comment></w:comments>"
    )
    body = (
        '<w:p><w:r><w:t>It lasts</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r><w:hyperlink r:id="hyperlink" '
        'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><w:r><w:t xml:space="preserve"> '
        'long</w:t></w:r></w:hyperlink><w:r><w:commentReference w:id="0"/></w:r></w:p>'
    )
    parts = {"footnotes": notes, "comments": comments, "hyperlink": "https://example.org/a"}
    assert text(docx(body, **parts)) == (
        "It lasts long (https://example.org/a) (footnote: At 20 °C.) (comment by Ann, 2026-01-31: Sure?)"
    )


def test_headers_come_once_and_page_numbers_never() -> None:
    header = f"<w:hdr {W}>{paragraph('My firm')}{paragraph('My firm')}{paragraph('17')}</w:hdr>"
    assert text(docx(paragraph("Text"), header=header, footer=header.replace("My firm", "Draft"))) == (
        "My firm\n\nText\n\nDraft"
    )


def test_text_boxes_are_read_once_and_deleted_text_never() -> None:
    box = f"<w:txbxContent>{paragraph('In the box')}</w:txbxContent>"
    body = (
        "<w:p><w:r><w:t>Text</w:t></w:r><w:del><w:r><w:delText>gone</w:delText><w:t>gone</w:t></w:r></w:del>"
        '<w:r><mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
        f"<mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r></w:p>"
    )
    assert text(docx(body)) == "Text\n\nIn the box"


def test_formulas_are_a_line() -> None:
    def run(content: str) -> str:
        return f"<m:r><m:t>{content}</m:t></m:r>"

    power = f"<m:sSup><m:e>{run('x')}</m:e><m:sup>{run('2')}</m:sup></m:sSup>"
    fraction = f"<m:f><m:num>{power}</m:num><m:den>{run('n')}</m:den></m:f>"
    total = f'<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub>{run("i")}</m:sub><m:e>{fraction}</m:e></m:nary>'
    assert text(docx(f"<w:p><m:oMath {M}>{run('E=')}{total}</m:oMath></w:p>")) == "E=∑_(i)(x^(2))/(n)"


def test_strict_documents_are_read_too() -> None:
    strict = W.replace("schemas.openxmlformats.org/wordprocessingml/2006", "purl.oclc.org/ooxml/wordprocessingml")
    parts = {name: content.replace(W, strict) for name, content in unzipped(docx(paragraph("One", "Heading1"))).items()}
    assert strict in parts["word/document.xml"]
    assert text(zipped(parts)) == "# One"


def test_a_document_without_text_is_empty() -> None:
    with pytest.raises(DocumentError, match="there is no text in it"):
        load_bytes(docx(""), "a.docx")
