"""Files that stand in other files: attachments of messages, members of archives. Each is read as if it stood alone."""

from __future__ import annotations

from langchain_core.documents import Document

from rag.errors import DocumentError
from rag.loaders import load_bytes
from rag.loaders_package import reading
from rag.types import place


def read_nested(data: bytes, name: str, label: str) -> list[Document]:
    """The pages of a file within another, labelled with `label` and where they stand in it. Raises DocumentError."""
    with reading("what its name says"):
        pages = load_bytes(data, name)
    found = []
    for page in pages:
        where = place(page.metadata["page"], page.metadata["page_label"])
        found.append(labelled(page, f"{label}, {where}" if where else label))
        if page.metadata.get("unread"):
            found[-1].metadata["unread"] = f"{name}: {page.metadata['unread']}"
    return found


def unread_page(label: str, reason: str, error: DocumentError | None = None) -> Document:
    """An empty page in place of what could not be read; where `error` may be over tomorrow, it says so."""
    later = {"try_again": True} if error and error.outcome == "unreadable" else {}
    return Document(page_content="", metadata={"page": None, "page_label": label, "unread": reason, **later})


def labelled(page: Document, label: str) -> Document:
    """The page under another label, with all else that is known of it; its number comes with `numbered`."""
    return Document(page_content=page.page_content, metadata={**page.metadata, "page": None, "page_label": label})


def numbered(pages: list[Document]) -> list[Document]:
    """The pages, counted from 1."""
    return [
        Document(page_content=page.page_content, metadata={**page.metadata, "page": number})
        for number, page in enumerate(pages, start=1)
    ]
