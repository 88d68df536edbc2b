"""Archives: the files in them are read as if they stood alone, within bounds, and what of them was not read is said."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable
from email.message import EmailMessage

import pytest
from office_files import docx, paragraph, pptx

from rag import loaders_archive, loaders_context
from rag.errors import DocumentError
from rag.loaders import load_bytes

MIB = 2**20
Files = dict[str, bytes]


def zipped(files: Files) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(files: Files) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


ARCHIVES: dict[str, Callable[[Files], bytes]] = {
    "a.zip": zipped,
    "a.tar": tarred,
    "a.tar.gz": lambda files: gzip.compress(tarred(files)),
    "a.tgz": lambda files: gzip.compress(tarred(files)),
    "a.tar.bz2": lambda files: bz2.compress(tarred(files)),
    "a.tar.xz": lambda files: lzma.compress(tarred(files)),
}


def read(data: bytes, name: str = "a.zip") -> list[tuple[str, str, str]]:
    """What a page is called, what is on it, and why it is empty."""
    pages = load_bytes(data, name)
    assert [page.metadata["page"] for page in pages] == list(range(1, len(pages) + 1))
    return [(page.metadata["page_label"], page.page_content, page.metadata.get("unread", "")) for page in pages]


def refusal(data: bytes, name: str = "a.zip") -> tuple[str, str]:
    with pytest.raises(DocumentError) as caught:
        load_bytes(data, name)
    return caught.value.outcome, str(caught.value)


@pytest.mark.parametrize("name", ARCHIVES)
def test_the_files_of_every_archive_are_read_by_their_own_loaders(name: str) -> None:
    files = {
        "docs/a.txt": b"Pears are soft.",
        "docs/slides.pptx": pptx(),
        "letter.docx": docx(paragraph("Cherries")),
        "docs/empty.txt": b"",
        ".hidden/b.txt": b"not for us",
        "__MACOSX/._a.txt": b"not for us",
    }
    (first, one, two, letter) = read(ARCHIVES[name](files), name)
    assert first == ("file docs/a.txt", "Pears are soft.", "")
    assert (one[0], two[0]) == ("file docs/slides.pptx, slide 1", "file docs/slides.pptx, slide 2")
    assert "Safety first" in one[1] and "Sales" in two[1]
    assert letter == ("file letter.docx", "Cherries", "")


@pytest.mark.parametrize(
    ("name", "pack"), [("a.csv.gz", gzip.compress), ("a.csv.bz2", bz2.compress), ("a.csv.xz", lzma.compress)]
)
def test_one_packed_file_is_read_by_its_name(name: str, pack: Callable[[bytes], bytes]) -> None:
    assert read(pack(b"fruit,price\npear,3\n"), name) == [("file a.csv", "fruit: pear\nprice: 3", "")]


def test_what_cannot_be_read_is_said_and_costs_nothing_else() -> None:
    files = {"a.txt": b"Pears.", "b.pdf": b"%PDF-1.7\nnot much", "c.qqq": b"x", "d.docx": docx(paragraph("x"))[:200]}
    pages = read(zipped(files))
    assert pages[0] == ("file a.txt", "Pears.", "")
    assert [(label, text) for label, text, _ in pages[1:]] == [
        ("file b.pdf", ""),
        ("file c.qqq", ""),
        ("file d.docx", ""),
    ]
    assert pages[2][2] == "c.qqq: .qqq files cannot be read"
    assert all(f"{label.removeprefix('file ')}: it is damaged" in why for label, _, why in (pages[1], pages[3]))
    many = read(zipped({"a.txt": b"Pears."} | {f"{number:02}.qqq": b"x" for number in range(20)}))
    assert (
        len({why for *_, why in many}) == loaders_archive._NAMED + 2
    )  # each named, "others", and the one that was read


def test_an_archive_of_nothing_to_read_has_a_state() -> None:
    assert refusal(zipped({"a.qqq": b"x"})) == (
        "unsupported",
        "none of its files could be read: a.qqq: " + refusal(b"x", "a.qqq")[1],
    )
    assert refusal(zipped({"a.txt": b" ", "b/": b""}))[0] == "empty"
    assert refusal(zipped({}))[0] == "empty"


def test_an_encrypted_archive_needs_its_password() -> None:
    data = bytearray(zipped({"a.txt": b"Pears."}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert refusal(bytes(data)) == ("password", "it needs a password; save a copy without one")


@pytest.mark.parametrize("share", [0.5, 0.7])
def test_what_breaks_off_keeps_what_was_there(share: float) -> None:
    files = {f"{number}.txt": bytes(f"Pears {number}. ", "ascii") * 400 for number in range(9)}
    for name in ("a.tar", "a.tar.gz"):
        whole = ARCHIVES[name](files)
        outcome = read(whole[: int(len(whole) * share)], name)
        assert outcome[0][1].startswith("Pears 0.") and len(outcome) < 11
        assert any(why for *_, why in outcome)
    packed = gzip.compress(b"Pears are soft. " * 99)
    assert refusal(packed[: len(packed) // 2], "a.txt.gz")[0] == "corrupt"
    cut = zipped(files)
    assert refusal(cut[: int(len(cut) * share)])[0] == "corrupt"


def test_links_and_devices_are_passed_over_and_names_lead_nowhere() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"{kind!r}.txt")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("../../../etc/a.txt")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"Pears"))
    assert read(out.getvalue(), "a.tar") == [("file etc/a.txt", "Pears", "")]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(link, "/etc/passwd")
        made.writestr("..\\b.txt", "Plums")
    assert read(out.getvalue()) == [("file b.txt", "Plums", "")]


def test_archives_within_files_within_archives_end() -> None:
    mail = EmailMessage()
    mail["Subject"] = "fruit"
    mail.set_content("see there")
    mail.add_attachment(zipped({"a.txt": b"Pears."}), maintype="application", subtype="zip", filename="in.zip")
    assert [label for label, *_ in read(zipped({"m/a.eml": bytes(mail)}))] == [
        "file m/a.eml, message",
        "file m/a.eml, attachment in.zip, file a.txt",
    ]
    data = zipped({"a.txt": b"Pears."})
    for _ in range(loaders_context.MAX_DEPTH + 2):
        data = zipped({"b.txt": b"Plums.", "in.zip": data})
    pages = read(data)
    assert [text for _, text, _ in pages].count("Plums.") == loaders_context.MAX_DEPTH
    assert "it stands within 5 other files" in pages[-1][2]


def test_bombs_do_not_go_off(monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = bytes(20 * MIB)
    for name, data in (
        ("a.zip", zipped({"a.txt": zeros})),
        ("a.txt.gz", gzip.compress(zeros)),
        ("a.txt.bz2", bz2.compress(zeros)),
        ("a.tar.xz", lzma.compress(tarred({"a.txt": zeros}))),
    ):
        assert refusal(data, name)[0] == "too_large"
    sparse = tarfile.TarInfo("a.txt")
    sparse.size = 2**40
    assert refusal(sparse.tobuf() + bytes(1024), "a.tar")[0] == "too_large"
    monkeypatch.setattr(loaders_context, "MAX_NESTED", 3)
    pages = read(zipped({f"{number}.txt": b"Pears." for number in range(5)}))
    assert [bool(why) for *_, why in pages] == [False] * 3 + [True] * 2
    monkeypatch.setattr(loaders_context, "MAX_NESTED_BYTES", 10)
    assert "holds more than" in read(zipped({"a.txt": b"Pears.", "b.txt": b"Plums."}))[1][2]


def test_packages_are_told_from_archives() -> None:
    assert load_bytes(docx(paragraph("Cherries")), "a.zip")[0].metadata == {"page": None, "page_label": None}
    assert read(zipped({"password/document.txt": b"Pears."})) == [("file password/document.txt", "Pears.", "")]
    assert refusal(zipped({"a.xml": b"<a>x</a>"}), "a.docx") == (
        "unsupported",
        "it is a ZIP archive, not a .docx file; if it is one, call it .zip",
    )
