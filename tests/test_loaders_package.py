"""Hostile and damaged files of every packed format: each ends with a reason, quickly and in little memory."""

from __future__ import annotations

import io
import time
import tracemalloc
import zipfile

import pytest
import xlwt
from legacy_files import doc, ppt
from office_files import W, docx, epub, msg, odf, ole, paragraph, pptx, unzipped, xlsx, zipped

from rag import loaders_package
from rag.errors import DocumentError
from rag.loaders import load_bytes


def xls() -> bytes:
    book = xlwt.Workbook()
    book.add_sheet("A").write(0, 0, "x")
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


FILES = {
    "a.docx": docx(paragraph("One", "Heading1") + paragraph("Two")),
    "a.pptx": pptx(),
    "a.doc": doc("One"),
    "a.ppt": ppt(("One", "Two")),
    "a.xlsx": xlsx({"A": [["Part", "Price"], ["Pump", 250]]}),
    "a.xls": xls(),
    "a.odt": odf("text", "<office:text><text:p>Two</text:p></office:text>"),
    "a.epub": epub("<p>One</p>", "<p>Two</p>"),
    "a.msg": msg("One", "Two", {"a.txt": b"three"}),
    "a.rtf": rb"{\rtf1 One\par Two\par}",
    "a.xml": b"<a><b>One</b></a>",
    "a.json": b'{"a": "One", "b": [1, 2]}',
    "a.eml": b"Subject: One\r\nContent-Type: text/plain\r\n\r\nTwo\r\n",
}


def reason(data: bytes, name: str) -> str:
    with pytest.raises(DocumentError) as caught:
        load_bytes(data, name)
    return str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_cut_short_it_is_read_or_refused(name: str) -> None:
    data = FILES[name]
    assert load_bytes(data, name)
    for tenth in range(10):
        try:
            assert load_bytes(data[: len(data) * tenth // 10], name)
        except DocumentError as error:
            assert str(error)


@pytest.mark.parametrize("name", [name for name in FILES if name not in ("a.eml", "a.rtf", "a.msg", "a.xls")])
def test_half_a_file_is_damaged(name: str) -> None:
    assert "damaged" in reason(FILES[name][: len(FILES[name]) // 2], name)


@pytest.mark.parametrize("name", FILES)
def test_flipped_bytes_do_no_harm(name: str) -> None:
    data = FILES[name]
    for step in range(40):
        flipped = bytearray(data)
        flipped[len(data) * step // 40] ^= 1 << step % 8
        try:
            load_bytes(bytes(flipped), name)
        except DocumentError as error:
            assert str(error)


@pytest.mark.parametrize("name", [name for name in FILES if name not in ("a.eml", "a.xml", "a.json")])
def test_a_wrong_name_changes_nothing(name: str) -> None:
    right = load_bytes(FILES[name], name)
    for wrong in ("a.txt", "a.pdf", "a.html", "a.docx", "a.xls", "a"):
        assert load_bytes(FILES[name], wrong) == right


@pytest.mark.parametrize("name", ["a.docx", "a.pptx", "a.xlsx", "a.doc"])
def test_an_encrypted_office_file_needs_a_password(name: str) -> None:
    data = ole({"EncryptedPackage": bytes(5000), "EncryptionInfo": bytes(200), "DataSpaces/Version": bytes(76)})
    assert reason(data, name) == "it needs a password; save a copy without one"


def test_an_encrypted_zip_needs_a_password() -> None:
    data = bytearray(FILES["a.docx"])
    data[data.find(b"PK\x01\x02") + 8] |= 1  # the flag in the table of contents
    assert "needs a password" in reason(bytes(data), "a.docx")


def bomb(size: int) -> bytes:
    parts = unzipped(FILES["a.docx"])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)
        with package.open("word/media/a.xml", "w", force_zip64=True) as stream:
            for _ in range(size // 2**20):
                stream.write(bytes(2**20))
    return out.getvalue()


def test_bombs_are_refused_before_they_are_unpacked() -> None:
    small = bomb(16 * 2**20)
    began = time.monotonic()
    tracemalloc.start()
    try:
        assert "times its size, over the limit of 250" in reason(small, "a.docx")
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
    assert time.monotonic() - began < 2


def test_the_parts_together_and_their_number_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaders_package, "MAX_UNPACKED", 100)
    assert "over the limit of" in reason(FILES["a.docx"], "a.docx")
    monkeypatch.undo()
    monkeypatch.setattr(loaders_package, "MAX_PARTS", 2)
    assert "parts are over the limit of 2" in reason(FILES["a.docx"], "a.docx")


def test_a_part_never_unpacks_to_more_than_it_says() -> None:
    """The table of contents lies: the part says it is short."""
    parts = unzipped(FILES["a.docx"])
    long = parts["word/document.xml"].replace("Two", "Two " * 100_000)
    data = bytearray(zipped(parts | {"word/document.xml": long}))
    entry = data.rfind(b"word/document.xml", 0, data.find(b"PK\x05\x06")) - 46
    while data[entry : entry + 4] != b"PK\x01\x02" or data[entry + 46 : entry + 63] != b"word/document.xml":
        entry = data.rfind(b"PK\x01\x02", 0, entry)
    data[entry + 24 : entry + 28] = (1000).to_bytes(4, "little")
    assert "damaged" in reason(bytes(data), "a.docx")


def test_entities_in_office_files_are_not_expanded() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    doctype = f'<!DOCTYPE w [<!ENTITY e0 "lol">{entities}<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    document = f"{doctype}<w:document {W}><w:body>{paragraph('start &e11; &f; end')}</w:body></w:document>"
    parts = unzipped(FILES["a.docx"]) | {"word/document.xml": document}
    try:
        text = load_bytes(zipped(parts), "a.docx")[0].page_content
    except DocumentError:
        text = ""
    assert "lol" not in text
    assert "root:" not in text
    sheet = unzipped(FILES["a.xlsx"])
    sheet["xl/worksheets/sheet1.xml"] = doctype.replace("DOCTYPE w", "DOCTYPE worksheet") + sheet[
        "xl/worksheets/sheet1.xml"
    ].replace("<v>250</v>", "<v>&e11;</v>")
    assert reason(zipped(sheet), "a.xlsx")


def test_xml_nested_without_end_is_refused() -> None:
    deep = "<w:sdt>" * 5000 + paragraph("deep") + "</w:sdt>" * 5000
    assert "damaged" in reason(docx(deep), "a.docx")


def test_links_to_elsewhere_are_not_relations() -> None:
    package = loaders_package.open_package(docx(paragraph("x"), hyperlink="https://example.org/x"))
    assert "hyperlink" not in loaders_package.relations(package, "word/document.xml")
    assert loaders_package.addresses(package, "word/document.xml") == {"hyperlink": "https://example.org/x"}
