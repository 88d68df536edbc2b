"""Where the headings of each format stand."""

from __future__ import annotations

import io
import zipfile

import pytest
from fpdf import FPDF
from langchain_core.documents import Document
from office_files import W, docx, epub, odf, paragraph
from pptx import Presentation

from rag.loaders import load_bytes
from rag.loaders_headings import mark_headings
from rag.splitter import split_documents

MARKDOWN = """---
title: no heading
---
# Manual

Read it.

Safety
------

### *Disposal* of [it](https://example.org) ###

Drain it first.

```sh
# no heading
```

    # nor this

- nor an item
---

two lines of
a paragraph
---

## Storage ##

Keep it dry."""
RST = """======
Manual
======

Read it.

Safety
------

Disposal
~~~~~~~~

Drain it first.

Storage
-------

Keep it dry."""
ORG = "* TODO Manual :work:\nRead it.\n** Safety\n*** [#A] Disposal\nDrain it first.\n** Storage\nKeep it dry."
HTML = """<title>K3</title><h1>Manual</h1><p>Read it.</p><h2>Safety</h2><table><tr><td><h3>A cell</h3></td>
<td>b</td></tr></table><h3>Disposal</h3><p>Drain it first.</p><pre># no heading</pre><h2>Storage</h2>
<p>Keep it dry.</p>"""
RTF = (
    r"{\rtf1{\stylesheet{\s1 heading 1;}{\s2 heading 2;}{\s3 heading 3;}}\pard\s1 Manual\par\pard Read it.\par"
    r"\pard\s2 Safety\par\pard\s3 Disposal\par\pard Drain it first.\par\pard\s2 Storage\par\pard Keep it dry.\par}"
)


def word() -> bytes:
    names = {"Title": "Title", "H1": "heading 1", "H2": "heading 2"}
    styles = "".join(f'<w:style w:styleId="{key}"><w:name w:val="{name}"/></w:style>' for key, name in names.items())
    cells = "".join(f"<w:tc>{paragraph(text)}</w:tc>" for text in ("# no heading", "b"))
    body = [
        *(paragraph("Manual", "Title"), paragraph("Read it."), paragraph("Safety", "H1")),
        f"<w:tbl><w:tr>{cells}</w:tr></w:tbl>",
        *(paragraph("Disposal", "H2"), paragraph("Drain it first."), paragraph("Storage", "H1")),
        paragraph("Keep it dry."),
    ]
    return docx("".join(body), styles=f"<w:styles {W}>{styles}</w:styles>")


def odt() -> bytes:
    def heading(level: int, title: str) -> str:
        return f'<text:h text:outline-level="{level}">{title}</text:h>'

    return odf(
        "text",
        '<office:text><text:p text:style-name="Title">Manual</text:p><text:p>Read it.</text:p>'
        f"{heading(1, 'Safety')}{heading(2, 'Disposal')}<text:p>Drain it first.</text:p>"
        f"{heading(1, 'Storage')}<text:p>Keep it dry.</text:p></office:text>",
    )


def pdf() -> bytes:
    document = FPDF()
    document.set_font("Helvetica", size=11)
    for index, (level, title, text) in enumerate(
        (
            (0, "Manual", "Read it."),
            (1, "Safety", ""),
            (2, "Disposal", "Drain it first."),
            (1, "Storage", "Keep it dry."),
        )
    ):
        if index in (0, 2):
            document.add_page()
        document.start_section(title, level)
        for line in (f"{index}. {title}", f"{title} is what follows", text):
            document.cell(0, 6, line, new_x="LMARGIN", new_y="NEXT")
    document.add_page()
    document.cell(0, 6, "Still about keeping.")
    return bytes(document.output())


def paths(pages: list[Document], text: str) -> set[str]:
    """The paths of the small chunks that begin with a text."""
    chunks = split_documents(
        pages, chunk_size=16, chunk_overlap=0, max_tokens=99, count_tokens=lambda text: len(text.split())
    )
    return {chunk.metadata["headings"] for chunk in chunks if chunk.page_content.startswith(text)}


def titles(page: Document) -> list[str]:
    """The line at which each heading stands."""
    return [page.page_content[start:].partition("\n")[0] for start, _, _ in page.metadata["headings"]]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.md", MARKDOWN.encode()),
        ("a.rst", RST.encode()),
        ("a.org", ORG.encode()),
        ("a.html", HTML.encode()),
        ("a.rtf", RTF.encode()),
        ("a.docx", word()),
        ("a.odt", odt()),
        ("a.epub", epub(HTML)),
    ],
)
def test_headings_of_texts(name: str, data: bytes) -> None:
    pages = load_bytes(data, name)
    (page,) = pages
    disposal = "Disposal of it" if name == "a.md" else "Disposal"
    assert [title for _, _, title in page.metadata["headings"]] == ["Manual", "Safety", disposal, "Storage"]
    assert paths(pages, "Read it") == {"Manual"}
    assert paths(pages, "Drain it") == {f"Manual > Safety > {disposal}"}
    assert paths(pages, "Keep it") == {"Manual > Storage"}


def test_headings_of_a_pdf_are_those_of_its_outline_and_go_on_over_its_pages() -> None:
    pages = load_bytes(pdf(), "a.pdf")
    assert [titles(page) for page in pages] == [
        ["0. Manual", "1. Safety"],
        ["2. Disposal"] * 2 + ["2. Disposal", "3. Storage"],  # what goes on from before stands where the page begins
        ["Still about keeping."] * 2,
    ]
    assert paths(pages, "Drain it") == {"Manual > Safety > Disposal"}
    assert paths(pages, "Still about") == {"Manual > Storage"}


def test_slides_and_sheets_are_under_their_titles() -> None:
    show = Presentation()
    for title, text in (("Storage", "Keep it dry."), ("", "Untitled text.")):
        slide = show.slides.add_slide(show.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = title, text
    out = io.BytesIO()
    show.save(out)
    pages = load_bytes(out.getvalue(), "a.pptx")
    assert paths(pages, "Keep it") == {"Storage"}
    assert paths(pages, "Untitled") == {""}


def test_files_in_an_archive_keep_their_own_headings() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.html", HTML)
        archive.writestr("b.txt", "# A remark\nKeep out.")
    pages = load_bytes(out.getvalue(), "a.zip")
    assert paths(pages, "Drain it") == {"Manual > Safety > Disposal"}
    assert paths(pages, "Keep out") == {""}


def test_titles_hold_nothing_that_text_may_not() -> None:
    (page,) = load_bytes("<h1>Man\x02ual\ufeff</h1><p>Read it.".encode(), "a.html")
    assert page.metadata["headings"] == [[0, 1, "Manual"]]


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "# Title\n\nwide" + " " * 200_000 + "line\n"),
        ("a.md", "# Title\n\n" + "[" * 200_000 + "\n"),
        ("a.md", "# Title\n\n# wide" + " " * 200_000 + "title\n"),
        ("a.org", "* Title\n* wide" + " " * 200_000 + "title\n"),
        ("a.html", f"<h1>Title</h1><h2>{'word ' * 400_000}</h2><p>text</p>"),
    ],
)
def test_a_line_without_end_takes_no_time(name: str, text: str) -> None:
    (page,) = load_bytes(text.encode(), name)
    assert page.metadata["headings"][0][2] == "Title"
    assert all(len(title) <= 500 for _, _, title in page.metadata["headings"])


@pytest.mark.timeout(30)
def test_headings_without_number_are_found() -> None:
    lines = [line for number in range(100_000) for line in (f"## Part {number}", "", f"It is part {number}.", "")]
    page = Document("\n".join(lines), metadata={"outline": [(2, f"Part {number}") for number in range(100_000)]})
    mark_headings([page], "outline")
    found = page.metadata["headings"]
    assert len(found) == 100_000
    assert all(page.page_content.startswith(f"## {title}\n", start) for start, _, title in found)
