"""Files that stand in other files: attachments of messages, members of archives. Each is read as if it stood alone."""

from __future__ import annotations

from langchain_core.documents import Document

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
        kept = {"language": page.metadata["language"]} if "language" in page.metadata else {}
        if page.metadata.get("unread"):
            kept["unread"] = f"{name}: {page.metadata['unread']}"
        found.append(labelled(page, f"{label}, {where}" if where else label, **kept))
    return found


def labelled(page: Document, label: str, **metadata: str) -> Document:
    """The page under another label; its number comes with `numbered`."""
    return Document(page_content=page.page_content, metadata={"page": None, "page_label": label, **metadata})


def numbered(pages: list[Document]) -> list[Document]:
    """The pages, counted from 1."""
    return [
        Document(page_content=page.page_content, metadata={**page.metadata, "page": number})
        for number, page in enumerate(pages, start=1)
    ]
