"""Mail: the message first, then what is attached to it."""

from __future__ import annotations

import io
import wave
from email.message import EmailMessage

import pytest
from office_files import docx, msg, paragraph, pptx, zipped

from rag import loaders_context
from rag.errors import DocumentError
from rag.loaders import load_bytes
from rag.loaders_context import run


def message(subject: str = "The pump", body: str = "It leaks.\n") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Zoë <zoe@example.org>", "bob@example.org", subject
    mail["Date"] = "Mon, 5 Jan 2026 10:00:00 +0100"
    mail.set_content(body)
    return mail


HEAD = "From: Zoë <zoe@example.org>\nTo: bob@example.org\nDate: Mon, 05 Jan 2026 10:00:00 +0100\nSubject: The pump"


def test_a_message_is_its_headers_and_its_body() -> None:
    mail = message()
    mail.add_alternative("<p>It <b>leaks</b>, in HTML.</p>", subtype="html")
    (page,) = load_bytes(bytes(mail), "a.eml")
    assert page.metadata == {"page": None, "page_label": None}
    assert page.page_content == f"{HEAD}\n\nIt leaks."


def test_a_body_in_html_alone_is_read_as_a_page() -> None:
    mail = message()
    mail.set_content("<p>It</p><script>x</script><p>leaks</p>", subtype="html", charset="cp1252")
    assert load_bytes(bytes(mail), "a.eml")[0].page_content == f"{HEAD}\n\nIt\n\nleaks"


def test_attachments_are_pages_and_what_cannot_be_read_is_said() -> None:
    mail = message()
    mail.add_attachment(pptx(), maintype="application", subtype="octet-stream", filename="../talk.pptx")
    mail.add_attachment("Größe", filename="a.txt")
    mail.add_attachment(b"\x89PNG\r\n\x1a\n123", maintype="image", subtype="png", filename="photo.png")
    pages = load_bytes(bytes(mail), "a.eml")
    assert [page.metadata["page"] for page in pages] == [1, 2, 3, 4]
    assert [page.metadata["page_label"] for page in pages] == [
        "message", "attachment talk.pptx, slide 1", "attachment talk.pptx, slide 2", "attachment a.txt",
    ]  # fmt: skip
    assert "Attachments: talk.pptx, a.txt, photo.png" in pages[0].page_content
    assert "(the attachment photo.png was not read: it is damaged, or not a picture at all)" in pages[0].page_content
    assert pages[3].page_content.strip() == "Größe"


def test_messages_within_messages_end(monkeypatch: pytest.MonkeyPatch) -> None:
    mail = message("innermost")
    for number in range(8):
        outer = message(f"level {number}")
        outer.add_attachment(mail)
        mail = outer
    pages = load_bytes(bytes(mail), "a.eml")
    assert len(pages) == loaders_context.MAX_DEPTH + 1
    assert "it stands within 5 other files" in pages[-1].page_content


def test_a_mailbox_is_its_messages() -> None:
    with_attachment = message("Second")
    with_attachment.add_attachment("notes", filename="n.txt")
    parts = [bytes(message("First", "Dear all\n\n>From here on\n")), bytes(with_attachment)]
    data = b"".join(b"From zoe@example.org Mon Jan  5 10:00:00 2026\n" + part + b"\n" for part in parts)
    pages = load_bytes(data, "a.mbox")
    assert [page.metadata["page_label"] for page in pages] == ["message 1", "message 2", "message 2, attachment n.txt"]
    assert pages[0].page_content.endswith("Subject: First\n\nDear all\n\nFrom here on")
    for other in (b"plain words", b"From " + b"1" * 500_000 + b"\n!"):  # the latter quickly
        with pytest.raises(DocumentError, match="not a mailbox"):
            load_bytes(other, "a.mbox")


def test_a_mailbox_keeps_what_is_known_of_attachments() -> None:
    inner = zipped({"a.py": b"def f():\n    return 1\n", "b.bin": b"\x00\x01" * 50})
    mail = message()
    mail.add_attachment(inner, maintype="application", subtype="zip", filename="a.zip")
    data = b"From zoe@example.org Mon Jan  5 10:00:00 2026\n" + bytes(mail)
    _, code, unread = load_bytes(data, "a.mbox")
    assert code.metadata["language"] == "python"
    assert unread.metadata["unread"].startswith("a.zip: b.bin: .bin files cannot be read")


def test_recordings_within_files_whose_model_is_not_there_are_to_be_tried_again() -> None:
    sound = io.BytesIO()
    with wave.open(sound, "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes(bytes(32_000))
    mail = message()
    mail.add_attachment(sound.getvalue(), maintype="audio", subtype="wav", filename="a.wav")
    packed = zipped({"b.txt": b"words", "c.bin": b"\x00\x01" * 50, "mail.eml": bytes(mail)})
    for name, data in {"a.eml": bytes(mail), "a.zip": packed, "b.zip": zipped({"a.zip": packed})}.items():
        with run(None, True, DocumentError("no model", "unreadable")):
            pages = load_bytes(data, name)
        (again,) = (page for page in pages if page.metadata.get("try_again"))
        assert again.metadata["unread"].endswith("a.wav: no model")
    with run(None, True, DocumentError("off", "unsupported")):
        assert not any(page.metadata.get("unread") for page in load_bytes(bytes(mail), "a.eml"))
    both = zipped({"a.bin": b"\x00\x01" * 50, "b.wav": sound.getvalue()})
    with run(None, True, DocumentError("no model", "unreadable")), pytest.raises(DocumentError) as caught:
        load_bytes(both, "a.zip")
    assert caught.value.outcome == "unreadable"


def test_outlook_messages() -> None:
    data = msg("The pump", "It leaks.", {"a.docx": docx(paragraph("In Word")), "b.bin": b"\x00\x01" * 50})
    pages = load_bytes(data, "a.msg")
    assert [page.metadata["page_label"] for page in pages] == ["message", "attachment a.docx"]
    assert pages[0].page_content.startswith("Subject: The pump\nAttachments: a.docx, b.bin\n\nIt leaks.")
    assert "(the attachment b.bin was not read: .bin files cannot be read" in pages[0].page_content
    assert pages[1].page_content == "In Word"


def test_saved_web_pages() -> None:
    page = EmailMessage()
    page["Subject"] = "Saved"
    page.set_content("<h1>Care</h1><p>Clean it.", subtype="html")
    page.make_related()
    page.add_related(b"123", maintype="image", subtype="png")
    assert load_bytes(bytes(page), "a.mhtml")[0].page_content == "# Care\n\nClean it."


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(DocumentError, match="not a message"):
        load_bytes(b"\njust words", "a.eml")
