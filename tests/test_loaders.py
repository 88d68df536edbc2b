"""Files to pages: every format, every encoding, and a clear reason for every refusal."""

from __future__ import annotations

import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from fpdf import FPDF
from langchain_core.documents import Document
from office_files import ole

from rag import loaders_pdf
from rag.errors import DocumentError
from rag.loaders import LOADERS, REFUSED, SUFFIXES, Loader, clean_text, load_documents

MIB = 2**20
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(64))
Write = Callable[[str, bytes | str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def load(path: Path, max_bytes: int = 10 * MIB) -> list[Document]:
    return load_documents(path, max_bytes=max_bytes)


def text_of(path: Path) -> str:
    (document,) = load(path)
    assert (document.metadata["page"], document.metadata["page_label"]) == (None, None)
    return document.page_content


def packed(document: str | bytes) -> bytes:
    """A package that holds a Word document of this XML."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("word/document.xml", document)
    return out.getvalue()


def reason(path: Path, max_bytes: int = 10 * MIB) -> str:
    with pytest.raises(DocumentError) as caught:
        load(path, max_bytes)
    return str(caught.value)


def pdf(*pages: str, password: str | None = None, owner: str = "owner", labelled: bool = False) -> bytes:
    document = FPDF()
    document.set_font("helvetica", size=12)
    for number, text in enumerate(pages):
        if labelled and number == 0:
            document.add_page(label_style="r")
        elif labelled and number == 2:
            document.add_page(label_style="D", label_start=1, label_prefix="A-")
        else:
            document.add_page()
        if text:
            document.multi_cell(0, 8, text)
    if password is not None:
        document.set_encryption(owner_password=owner, user_password=password)
    return bytes(document.output())


# -- the table


def test_every_row_resolves_to_a_function() -> None:
    assert set(LOADERS) == SUFFIXES
    assert not SUFFIXES & set(REFUSED)
    for loader in LOADERS.values():
        module = __import__(loader.module, fromlist=[loader.function])
        assert callable(getattr(module, loader.function))


def test_a_further_format_is_one_row(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOADERS, ".note", Loader("rag.loaders_text", "load_text"))
    assert text_of(write("a.note", "hello")) == "hello"


def test_importing_the_table_imports_no_parser() -> None:
    code = (
        "import sys, rag.loaders; "
        "heavy = {'langchain_core', 'langchain_community', 'pypdf', 'pypdfium2', 'bs4', 'lxml', 'charset_normalizer', "
        "'pptx', 'openpyxl', 'xlrd', 'oxmsg', 'av', 'faster_whisper'}; "
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


# -- text


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.markdown", "a.log", "A.TXT"])
def test_text_is_one_document_with_plain_line_ends(write: Write, name: str) -> None:
    content = "# Title\r\n\r\nOne\rTwo\u2028Three\x85Four\x0cFive\n"
    assert text_of(write(name, content)) == "# Title\n\nOne\nTwo\nThree\nFour\nFive\n"


GERMAN = "Der Käufer zahlt 300 € für die Prüfung – „fällig“ am 3. März. Größe über alles.\n"
FRENCH = "Le café où j’ai déjeuné était fermé. Ça coûte 20 € à l’été, où que l’on soit.\n"
JAPANESE = "東京都の保証期間は二年です。製品の返品は三十日以内に限ります。カタカナもあります。\n"
CHINESE = "本产品保修期为两年。退货须在三十天内办理，运费由买方承担。\n"


@pytest.mark.parametrize("copies", [1, 500])
@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "utf-8"),
        (GERMAN, "utf-8-sig"),
        (GERMAN, "utf-16"),
        (GERMAN, "utf-16-le"),
        (GERMAN, "utf-16-be"),
        (GERMAN, "utf-32"),
        (JAPANESE, "utf-16"),
        (GERMAN, "cp1252"),
        (FRENCH, "cp1252"),
        ("A “fair” price: £20 — the café’s.\n", "cp1252"),
        ("Präteritum, Bär und Größe: die Prüfung fällt länger aus.\n", "cp1252"),
        ("Only £20 a month\n", "cp1252"),
        ("A garantia não cobre a manutenção do avião.\n", "cp1252"),
        ("Gwarancja trwa dwa lata. Zwrot w ciągu trzydziestu dni, zażółć gęślą jaźń.\n", "cp1250"),
        ("Záruční doba je dva roky. Vrácení zboží do třiceti dnů, příliš žluťoučký kůň.\n", "iso8859-2"),
        ("Garanti süresi iki yıldır. İade otuz gün içinde yapılmalıdır, şükür ağaç.\n", "cp1254"),
        ("Срок гарантии составляет два года. Возврат в течение тридцати дней.\n", "cp1251"),
        (JAPANESE, "shift_jis"),
        ("カメラ,テレビ,ラジオ,パソコン\n", "shift_jis"),
        (JAPANESE, "euc_jp"),
        (CHINESE, "gb18030"),
        ("本產品保固期為兩年。退貨須在三十天內辦理，運費由買方負擔。\n", "big5"),
        ("보증 기간은 이 년입니다. 반품은 삼십 일 이내에 가능합니다.\n", "euc_kr"),
    ],
)
def test_encodings_are_detected(write: Write, text: str, encoding: str, copies: int) -> None:
    plain = "Plain lines say nothing about an encoding.\n" * (copies // 2)
    assert text_of(write("a.txt", (plain + text * copies).encode(encoding))) == plain + text * copies


def test_a_damaged_byte_does_not_turn_utf8_into_mojibake(write: Write) -> None:
    data = (GERMAN * 10).encode() + b"\xff" + "Ende äöü".encode()
    assert text_of(write("a.txt", data)) == GERMAN * 10 + "\ufffd" + "Ende äöü"


def test_text_can_be_stored(write: Write) -> None:
    text = text_of(write("a.log", b"one\x00two \x1b[31mred\x1b[0m \x01three\xef\xbf\xbe"))
    assert text == "onetwo red three"
    assert clean_text("a\ud800b\x00c\r\n\r\rd\ufeff") == "abc\n\n\nd"
    assert json.loads(json.dumps(text)) == text
    assert sqlite3.connect(":memory:").execute("select ?", [clean_text("\udfffx")]).fetchone() == ("x",)


# -- CSV


def test_csv_rows_become_lines_of_column_and_value(write: Write) -> None:
    table = 'Part,Price,Note\r\nPump,"1,250 EUR","For wells, deep\nand shallow"\r\nHose,12 EUR,\r\n'
    assert text_of(write("a.csv", table)) == (
        "Part: Pump\nPrice: 1,250 EUR\nNote: For wells, deep\nand shallow\n\nPart: Hose\nPrice: 12 EUR"
    )


@pytest.mark.parametrize("delimiter", list(",;\t|"))
@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_csv_delimiter_and_encoding_are_found(write: Write, delimiter: str, encoding: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([["Größe", "Preis"], ["groß", "1,50 €"], ["für Käufer", "3,00 €"]])
    expected = "Größe: groß\nPreis: 1,50 €\n\nGröße: für Käufer\nPreis: 3,00 €"
    assert text_of(write("a.csv", out.getvalue().encode(encoding))) == expected


def test_csv_in_shift_jis(write: Write) -> None:
    table = "名前,年齢,住所\r\n佐藤太郎,30,東京\r\n三木英子,25,大阪\r\n"
    assert text_of(write("a.csv", table.encode("cp932"))).startswith("名前: 佐藤太郎\n年齢: 30\n住所: 東京\n\n")


def test_csv_loses_no_cell(write: Write) -> None:
    """Columns of one name, columns without one, short rows and long rows."""
    text = text_of(write("a.csv", "Name,Phone,Phone,\nAnn,1,2,3,4\nBob\n"))
    assert text == "Name: Ann\nPhone: 1\nPhone (3): 2\ncolumn 4: 3\ncolumn 5: 4\n\nName: Bob"


def test_csv_without_a_header_keeps_its_first_row(write: Write) -> None:
    text = text_of(write("a.csv", "Oslo,12.5\nRome,21.0\n"))
    assert text == "column 1: Oslo\ncolumn 2: 12.5\n\ncolumn 1: Rome\ncolumn 2: 21.0"
    assert text_of(write("b.csv", "City,2023,2024\nOslo,1,2\n")) == "City: Oslo\n2023: 1\n2024: 2"
    assert text_of(write("c.csv", "only,one,row\n")) == "column 1: only\ncolumn 2: one\ncolumn 3: row"


def test_csv_with_a_very_long_field(write: Write) -> None:
    long = "word " * 100_000
    assert text_of(write("a.csv", f"id,text\n1,{long}\n")) == f"id: 1\ntext: {long.strip()}"


def test_csv_with_a_quote_that_never_closes(write: Write) -> None:
    assert "the rest\nof it" in text_of(write("a.csv", 'a,b\n1,"the rest\nof it\n'))


# -- HTML

HTML = """<!DOCTYPE html><html><head><title>Pump manual</title><style>p {color: red}</style>
<script>var hidden = 1;</script></head><body><!-- a comment -->
<h1>Care  and
use</h1><p>Clean the <b>filter</b> every<br>month.</p><template>t</template><noscript>n</noscript>
<p hidden>unseen</p><div style="color: red; display : none">unseen <p>too</p></div>
<ul><li>Hose<ol start="3"><li><p>long</p></li><li>short</li></ol></li><li>Valve</li></ul>
<h2>Prices</h2>
<table><caption>In euro</caption><tr><th>Year</th><th>Part</th><th>Price</th></tr>
<tr><td rowspan="2">2024</td><td>Pump</td><td><p>250</p></td></tr><tr><td>Hose</td><td>12</td></tr>
<tr><td></td><td></td><td></td></tr></table>
<pre>first  line
  second</pre>Last &amp; least&nbsp;&euro;5
</body></html>"""


def test_html_shows_what_a_browser_would(write: Write) -> None:
    assert text_of(write("a.html", HTML)) == "\n".join(
        [
            "Pump manual",
            "",
            "# Care and use",
            "",
            "Clean the filter every",
            "month.",
            "",
            "- Hose",
            "  3. long",
            "  4. short",
            "- Valve",
            "",
            "## Prices",
            "",
            "In euro",
            "Year | Part | Price",
            "2024 | Pump | 250",
            "2024 | Hose | 12",
            "",
            "first  line",
            "  second",
            "",
            "Last & least €5",
        ]
    )


def test_html_layout_tables_keep_their_lines(write: Write) -> None:
    page = "<table><tr><td><p>One.</p><p>Two.</p></td><td><table><tr><td>a<td>b</table></td></tr></table>"
    assert text_of(write("a.htm", page)) == "One.\n\nTwo.\n\na | b"


def test_html_title_is_not_said_twice(write: Write) -> None:
    assert text_of(write("a.html", "<title>Pump</title><h1>Pump</h1><p>Text")) == "# Pump\n\nText"


@pytest.mark.parametrize(
    "page",
    [
        '<meta charset="windows-1251"><p>Да, 2 года'.encode("cp1251"),
        '<meta http-equiv="Content-Type" content="text/html; charset=koi8-r"><p>Да, 2 года'.encode("koi8-r"),
        '<meta charset="iso-8859-1"><p>Да, 2 года'.encode(),  # says one thing, is another
        '<?xml version="1.0" encoding="utf-8"?><html lang="ru"><p>Да, 2 года</p></html>'.encode(),
        "<p>Да, 2 года".encode("utf-16"),
    ],
)
def test_html_encodings(write: Write, page: bytes) -> None:
    assert text_of(write("a.html", page)) == "Да, 2 года"


def test_html_nested_deeper_than_the_stack(write: Write) -> None:
    depth = 3 * sys.getrecursionlimit()
    assert "deep inside" in text_of(write("a.html", "<div>" * depth + "deep inside" + "</div>" * depth))


def test_html_without_text_is_refused(write: Write) -> None:
    assert reason(write("a.html", "<html><body><script>1</script></body></html>")) == "there is no text in it"


# -- PDF


def test_pdf_pages_count_from_one_and_blank_ones_stay(write: Write) -> None:
    pages = load(write("a.pdf", pdf("First page.", "", "Third page,\nsecond line.")))
    assert [page.page_content.strip() for page in pages] == ["First page.", "", "Third page,\nsecond line."]
    assert [page.metadata for page in pages] == [{"page": n, "page_label": None} for n in (1, 2, 3)]


def test_pdf_labels(write: Write) -> None:
    pages = load(write("a.pdf", pdf("one", "two", "three", "four", labelled=True)))
    assert [page.metadata["page_label"] for page in pages] == ["i", "ii", "A-1", "A-2"]


def test_pdf_with_a_password_is_refused(write: Write) -> None:
    assert "needs a password" in reason(write("a.pdf", pdf("secret", password="open sesame")))


def test_pdf_with_an_empty_password_opens(write: Write) -> None:
    pages = load(write("a.pdf", pdf("Open to all", "two", password="")))
    assert [page.page_content.strip() for page in pages] == ["Open to all", "two"]


def test_pdf_of_pictures_says_so(write: Write) -> None:
    document = FPDF()
    document.add_page()
    document.rect(10, 10, 50, 50, style="F")
    assert reason(write("a.pdf", bytes(document.output()))) == (
        "there is no text in it: pictures in which no text could be read"
    )
    assert reason(write("b.pdf", pdf(""))) == "there is no text in it"


@pytest.mark.parametrize("data", [b"%PDF-1.7\nnot much of a PDF", b"plain words, not a PDF", bytes(range(256)) * 4])
def test_pdf_that_is_damaged_is_refused(write: Write, data: bytes) -> None:
    assert "damaged" in reason(write("a.pdf", data))


def test_pdf_cut_short_is_refused_or_read_without_a_crash(write: Write) -> None:
    whole = pdf(*[f"Page {n} of the manual." for n in range(20)])
    for part in range(0, len(whole), len(whole) // 25):
        try:
            load(write("a.pdf", whole[:part] or b"%PDF-"))
        except DocumentError as error:
            assert str(error)


def test_pdf_whose_pages_are_a_circle_ends(write: Write) -> None:
    objects = (b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 1/Kids[2 0 R]>>")
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % item for item in enumerate(objects, start=1))
    assert reason(write("a.pdf", b"%PDF-1.7\n" + body + b"trailer\n<</Root 1 0 R>>\n%%EOF")) == "there is no text in it"


def test_pdf_of_too_many_pages_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaders_pdf, "MAX_PAGES", 2)
    assert load(write("a.pdf", pdf("one", "two")))
    assert "3 pages are over the limit of 2" in reason(write("a.pdf", pdf("one", "two", "three")))


def test_a_table_of_too_many_columns_is_refused_at_once(write: Write) -> None:
    assert len(text_of(write("a.csv", "a," * 10_000 + "\n" + "1," * 10_000)).split("\n")) == 10_000
    assert "over 16,384 columns" in reason(write("a.csv", "a," * 10**6))


def test_pdf_pages_that_pdfium_cannot_read_are_read_again(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("a.pdf", pdf("Seen by both", "Seen by the second only"))
    monkeypatch.setattr(loaders_pdf, "_read_with_pdfium", lambda data: (["Seen by both", " "], [], [], {}))
    assert [page.page_content for page in load(path)] == ["Seen by both", "Seen by the second only"]
    monkeypatch.setattr(loaders_pdf, "_read_with_pdfium", lambda data: (None, [], [], {}))
    assert [page.page_content for page in load(path)] == ["Seen by both", "Seen by the second only"]


def test_pdf_pages_with_a_filter_s_old_name_do_not_cost_the_others(write: Write) -> None:
    data = pdf("Pears", "").replace(b"/FlateDecode", b"/Fl         ")  # which pypdf 7 refuses by an error of its own
    assert b"/Fl  " in data
    assert [page.page_content for page in load(write("a.pdf", data))] == ["Pears", ""]


def test_pdf_words_broken_at_a_line_end() -> None:
    pages = [
        "This exam\x02ple is a long\ufffeterm, third\x02party, and state-of\x02the-art AAA\x02rated plan.",
        "An example. The third party. Long-term the art of state plans.",
    ]
    expected = "This example is a long-term, third-party, and state-of-the-art AAA-rated plan."
    assert loaders_pdf.join_broken_words(pages) == [expected, pages[1]]


def test_pdf_hyphens_of_pdfium(write: Write) -> None:
    document = FPDF()
    document.add_page()
    document.set_font("helvetica", size=12)
    document.text(20, 20, "The word exam-")
    document.text(20, 26, "ple was broken. Another example.")
    assert load(write("a.pdf", bytes(document.output())))[0].page_content == (
        "The word example was broken. Another example."
    )


def test_pdfs_are_read_from_many_threads(write: Write) -> None:
    paths = [write(f"{n}.pdf", pdf(*[f"Document {n}, page {p}." for p in range(8)])) for n in range(8)]
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(5):
            pages = load(paths[number])
            if [page.page_content.strip() for page in pages] != [f"Document {number}, page {p}." for p in range(8)]:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_pdf_flaws_make_no_noise(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    data = pdf("Some text", "", labelled=True).replace(b"startxref", b"startxxxx")
    assert load(write("a.pdf", data))[0].page_content.strip() == "Some text"
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []


# -- content against name


def test_a_pdf_by_another_name_is_read_as_a_pdf(write: Write) -> None:
    (page,) = load(write("a.txt", pdf("It is a PDF.")))
    assert page.metadata["page"] == 1
    assert page.metadata["misnamed"] == "read as .pdf, which it is, whatever its name says"
    assert "misnamed" not in load(write("d.pdf", pdf("It is a PDF.")))[0].metadata
    assert "misnamed" not in load(write("d.markdown", "It is text."))[0].metadata
    assert text_of(write("b.txt", "<!-- x --><!doctype HTML><p>It is a page.")) == "It is a page."
    assert text_of(write("c.md", "Write %PDF- first, and <html> tags.")) == "Write %PDF- first, and <html> tags."


def zipped(name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, "content")
    return out.getvalue()


@pytest.mark.parametrize("suffix", [".txt", ".pdf", ".csv", ".html", ".docx"])
@pytest.mark.parametrize(
    ("data", "what"),
    [
        (zipped("a.bin"), "a ZIP archive, not a {} file; if it is one, call it .zip"),
        (
            zipped("xl/workbook.bin"),
            "a binary Excel workbook, not a {} file; binary workbooks are not read",
        ),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "an old Microsoft Office file, not a {} file"),
        (b"\x7fELF" + bytes(60), "a program, not a {} file"),
        (b"SQLite format 3\x00" + bytes(80), "an SQLite database, not a {} file"),
    ],
)
def test_other_content_is_refused_by_what_it_is(write: Write, suffix: str, data: bytes, what: str) -> None:
    assert reason(write(f"a{suffix}", data)).startswith(f"it is {what.format(suffix)}")


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.rar", b"Rar!\x1a\x07" + bytes(50), "archives of this kind are not read; unpack it"),
        ("a.xlsb", zipped("xl/workbook.bin"), "binary workbooks are not read; save it as xlsx; LibreOffice does"),
    ],
)
def test_what_people_have_and_is_not_read_says_so(write: Write, name: str, data: bytes, why: str) -> None:
    assert reason(write(name, data)).startswith(why)


@pytest.mark.parametrize("name", ["a.rst", "a.org", "a.log", "a.py", "a.sql", "a.yaml"])
def test_text_of_every_sort_is_text(write: Write, name: str) -> None:
    (document,) = load(write(name, "import this  # größer\n"))
    assert document.page_content == "import this  # größer\n"


def test_tab_separated_values(write: Write) -> None:
    assert text_of(write("a.tsv", "Part\tPrice\nPump\t250\n")) == "Part: Pump\nPrice: 250"


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".html"])
def test_binary_garbage_is_refused(write: Write, suffix: str) -> None:
    for data in (bytes(range(256)), bytes(range(1, 256)) * 50, b"\x00" * 500, os.urandom(5000)):
        assert reason(write(f"a{suffix}", b"\x05" + data)) == "it holds binary data, not text"


# -- what cannot be read


@pytest.mark.parametrize(
    ("name", "data", "outcome"),
    [
        ("a.txt", b" \n", "empty"),
        ("a.pdf", pdf(""), "empty"),
        ("a.pdf", pdf("secret", password="key"), "password"),
        ("a.docx", ole({"EncryptedPackage": bytes(5000), "EncryptionInfo": bytes(200)}), "password"),
        ("a.xyz", b"text", "unsupported"),
        ("a.pdf", b"Rar!\x1a\x07" + bytes(50), "unsupported"),
        ("a.png", PNG, "corrupt"),
        ("a.txt", b"\x05" + bytes(range(256)), "unsupported"),
        ("a.pdf", b"%PDF-1.7\nnot much of a PDF", "corrupt"),
        ("a.docx", packed("<"), "corrupt"),
        ("a.docx", packed(bytes(20 * MIB)), "too_large"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "corrupt"),
        ("a.msg", ole({"__properties_version1.0": bytes(5000)})[:3000], "corrupt"),
        ("a.txt", b"words" * 3 * MIB, "too_large"),
        ("folder.txt", None, "unreadable"),
    ],
)
def test_what_cannot_be_read_has_a_state(
    write: Write, tmp_path: Path, name: str, data: bytes | None, outcome: str
) -> None:
    if data is None:
        (tmp_path / name).mkdir()
    with pytest.raises(DocumentError) as caught:
        load(tmp_path / name if data is None else write(name, data))
    assert caught.value.outcome == outcome


def test_unsupported_suffixes_are_refused(write: Write) -> None:
    assert reason(write("a.xyz", "text")).startswith(".xyz files cannot be read; these can: .3gp, ")
    assert reason(write("README", "text")).startswith("files without a suffix cannot be read")


def test_too_large_is_refused_before_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        file.truncate(300 * MIB)
    assert reason(path, 100 * MIB) == "300 MiB is over the limit of 100 MiB (RAG_MAX_FILE_MB)"
    with path.open("wb") as file:
        file.truncate(100 * MIB + 1)
    assert reason(path, 100 * MIB) == "100.1 MiB is over the limit of 100 MiB (RAG_MAX_FILE_MB)"


def test_as_large_as_allowed_is_read(write: Write) -> None:
    assert load(write("a.txt", "x" * 100), max_bytes=100)[0].page_content == "x" * 100


@pytest.mark.parametrize("data", [b"", b"\n \n", b"\xef\xbb\xbf", b"\xef\xbb\xbf \r\n", b"\x00\x00"])
@pytest.mark.parametrize("suffix", [".txt", ".md", ".csv", ".html"])
def test_empty_is_refused(write: Write, data: bytes, suffix: str) -> None:
    assert reason(write(f"a{suffix}", data)) in ("it is empty", "there is no text in it")


def test_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.txt").mkdir()
    assert reason(tmp_path / "folder.txt") == "it is a folder"
    assert "not there" in reason(tmp_path / "gone.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    assert reason(tmp_path / "pipe.txt") == "it is not a regular file"


def test_files_without_permission_are_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("a.txt", "text")

    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert reason(path) == "there is no permission to read it"


def test_a_full_disk_is_named(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    path = write("a.csv", "a,b\nc,d\n")
    monkeypatch.setattr("rag.loaders_text.tempfile.TemporaryDirectory", full)
    assert reason(path) == "it could not be read: No space left on device"
