"""Mail: messages (.eml, .msg), mailboxes (.mbox) and saved web pages (.mhtml), with what is attached to them.

The first page is the message; attachments follow as pages of their own, read by the table of rag/loaders.py.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterable, Iterator
from email.header import decode_header, make_header
from typing import Any, NamedTuple

import oxmsg
from langchain_core.documents import Document

from rag.errors import DocumentError
from rag.loaders_nested import labelled, numbered, read_nested, unread_page
from rag.loaders_package import PARSER_ERRORS, reading
from rag.loaders_text import decode_text
from rag.loaders_web import load_html

MAX_ATTACHMENTS = 500  # of a message
_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_MESSAGE_STARTS = re.compile(rb"(?:\A|\r?\n\r?\n)From [^\r\n]{1,500}\r?\n(?=[\w-]+:)")


class _Attachment(NamedTuple):
    name: str
    data: bytes


class _Message(NamedTuple):
    headers: list[tuple[str, str]]
    body: str
    attachments: list[_Attachment]


def load_eml(data: bytes) -> list[Document]:
    """A message and its attachments. Raises DocumentError if it is none."""
    return _mail(_eml_pages(data))


def load_msg(data: bytes) -> list[Document]:
    """A message of Outlook and its attachments. Raises DocumentError if it is damaged."""
    return _mail(_msg_pages(data))


def load_mbox(data: bytes) -> list[Document]:
    """The messages of a mailbox, each followed by its attachments. Raises DocumentError if it holds none."""
    starts = [match.end() for match in _MESSAGE_STARTS.finditer(data)]
    if not starts:
        raise DocumentError("it is damaged, or not a mailbox at all")
    ends = [match.start() for match in _MESSAGE_STARTS.finditer(data)][1:]
    pages: list[Document] = []
    for number, (start, end) in enumerate(zip(starts, [*ends, len(data)], strict=True), start=1):
        message = re.sub(rb"^>(>*From )", rb"\1", data[start:end], flags=re.MULTILINE)
        first, *rest = _eml_pages(message)
        pages += [labelled(first, f"message {number}")]
        pages += [labelled(page, f"message {number}, {page.metadata['page_label']}") for page in rest]
    return _mail(pages)


def load_mhtml(data: bytes) -> list[Document]:
    """A saved web page as one Document. Raises DocumentError if no page is in it."""
    with reading("a saved web page"):
        for part in _parse(data).walk():
            if part.get_content_type() in ("text/html", "application/xhtml+xml"):
                return load_html(_payload(part))
    raise DocumentError("it is damaged, or there is no web page in it")


def _mail(pages: list[Document]) -> list[Document]:
    if len(pages) == 1:
        return [Document(page_content=pages[0].page_content, metadata={"page": None, "page_label": None})]
    return numbered(pages)


def _pages(message: _Message) -> list[Document]:
    """The message, then its attachments; what of them could not be read is said in the message."""
    notes: list[str] = []
    children: list[Document] = []
    for number, attachment in enumerate(message.attachments, start=1):
        if number > MAX_ATTACHMENTS:
            notes.append(f"({len(message.attachments) - MAX_ATTACHMENTS} more attachments were not read)")
            break
        try:
            children += read_nested(attachment.data, attachment.name, f"attachment {attachment.name}")
        except DocumentError as error:
            notes.append(f"(the attachment {attachment.name} was not read: {error})")
            if error.outcome == "unreadable":
                label = f"attachment {attachment.name}"
                children.append(unread_page(label, f"{attachment.name}: {error}", error))
    head = [f"{name}: {value}" for name, value in message.headers if value]
    if message.attachments:
        head.append(f"Attachments: {', '.join(attachment.name for attachment in message.attachments)}")
    text = "\n".join([*head, "", message.body.strip(), "", *notes]).strip()
    return [labelled(Document(page_content=text), "message"), *children]


def _eml_pages(data: bytes) -> list[Document]:
    with reading("a message"):
        parsed = _parse(data)
        if not parsed.keys():
            raise DocumentError("it is damaged, or not a message at all")
        headers = [(name, _header(parsed, name)) for name in _HEADERS]
        message = _Message(headers, _body(parsed), list(_attachments(parsed)))
    return _pages(message)


def _parse(data: bytes) -> Any:  # an EmailMessage; the types of its parts say less than is so
    return email.message_from_bytes(data, policy=email.policy.default)


def _header(message: Any, name: str) -> str:
    try:
        return " ".join(str(message.get(name, "")).split())
    except PARSER_ERRORS:  # the standard library's parser of addresses gives up on some
        raw = next((value for key, value in message.raw_items() if key.lower() == name.lower()), "")
        return " ".join(str(raw).split())


def _body(message: Any) -> str:
    part = message.get_body(("plain", "html"))
    if part is None:
        return ""
    return _text(part) or next((_text(other) for other in [message.get_body(("html",))] if other is not None), "")


def _text(part: Any) -> str:
    data = _payload(part)
    if not data.strip():
        return ""
    if part.get_content_type() == "text/html":
        return load_html(data)[0].page_content
    return decode_text(data, part.get_content_charset())


def _payload(part: Any) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _attachments(message: Any) -> Iterator[_Attachment]:
    body = {id(part) for kind in ("plain", "html") if (part := message.get_body((kind,))) is not None}
    for number, part in enumerate(_leaves(message), start=1):
        if id(part) in body:
            continue
        if part.get_content_type() == "message/rfc822":
            inner = part.get_payload(0)
            subject = _header(inner, "Subject") or f"message {number}"
            yield _Attachment(_file_name(part.get_filename() or f"{subject}.eml"), inner.as_bytes())
        elif part.get_filename() or part.get_content_maintype() == "text":
            suffix = {"text/html": ".html", "text/calendar": ".txt", "text/csv": ".csv"}.get(
                part.get_content_type(), ".txt"
            )
            yield _Attachment(_file_name(part.get_filename() or f"part {number}{suffix}"), _payload(part))


def _leaves(message: Any) -> Iterator[Any]:
    """The parts that have no parts; those of an attached message are its own."""
    if message.get_content_type() == "message/rfc822" and message.is_multipart():
        yield message
    elif message.is_multipart():
        for part in message.iter_parts():
            yield from _leaves(part)
    else:
        yield message


def _msg_pages(data: bytes) -> list[Document]:
    with reading("an Outlook message"):
        parsed = oxmsg.Message.load(data)
        people = [person.name or person.email_address for person in parsed.recipients]
        headers = [
            ("From", str(make_header(decode_header(parsed.sender or "")))),
            ("To", ", ".join(filter(None, people))),
            ("Date", parsed.sent_date.isoformat(" ", "seconds") if parsed.sent_date else ""),
            ("Subject", parsed.subject),
        ]
        html = parsed.html_body or ""
        body = (parsed.body or "").strip() or (load_html(html.encode())[0].page_content if html.strip() else "")
        attachments = [
            _Attachment(_file_name(item.file_name or f"attachment {number}"), item.file_bytes or b"")
            for number, item in enumerate(parsed.attachments, start=1)
        ]
    return _pages(_Message(_flat(headers), body, attachments))


def _flat(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, " ".join(value.split())) for name, value in headers]


def _file_name(name: str) -> str:
    return " ".join(name.replace("\\", "/").rpartition("/")[2].split()) or "unnamed"
