"""EPUB books: a page for each chapter of the reading order, read as the web page that it is."""

from __future__ import annotations

import posixpath
import urllib.parse
import zipfile
from typing import Any

from langchain_core.documents import Document

from rag.errors import DocumentError
from rag.loaders_package import attribute, child, local, open_package, parse_part, reading
from rag.loaders_web import load_html

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")


def load_epub(data: bytes) -> list[Document]:
    """One Document per chapter. Raises DocumentError if it is damaged, locked or too large."""
    with open_package(data) as package, reading("an EPUB book"):
        chapters = [name for name in _reading_order(package) if name in package.NameToInfo]
        if locked := _locked(package):
            chapters = [name for name in chapters if name not in locked]
            if not chapters:
                raise DocumentError("it is locked by its seller (DRM)", "unsupported")
        pages = [
            load_html(package.read(name))[0] if package.NameToInfo[name].file_size else Document(page_content="")
            for name in chapters
        ]
    for number, page in enumerate(pages, start=1):
        page.metadata |= {"page": number, "page_label": f"chapter {number}"}
    return pages


def _reading_order(package: zipfile.ZipFile) -> list[str]:
    """The parts that hold the text, in the order of the book's spine."""
    rootfile = next(parse_part(package, _CONTAINER).iter("{*}rootfile"), None)
    if rootfile is None:
        raise DocumentError("it is damaged, or not an EPUB book at all")
    book = attribute(rootfile, "full-path")
    root = parse_part(package, book)
    items = {
        attribute(item, "id"): _resolved(book, attribute(item, "href"))
        for item in _items(root, "manifest", "item")
        if attribute(item, "media-type") in _PAGES
    }
    spine = [items.get(attribute(item, "idref"), "") for item in _items(root, "spine", "itemref")]
    return list(dict.fromkeys(name for name in spine if name)) or list(items.values())


def _items(root: Any, container: str, name: str) -> list[Any]:
    found = child(root, container)
    return [item for item in found if local(item) == name] if found is not None else []


def _locked(package: zipfile.ZipFile) -> set[str]:
    """The parts that are encrypted; fonts often are, in a book that anybody may read."""
    if _ENCRYPTION not in package.NameToInfo:
        return set()
    references = parse_part(package, _ENCRYPTION).iter("{*}CipherReference")
    return {urllib.parse.unquote(attribute(item, "URI")).lstrip("/") for item in references}


def _resolved(part: str, address: str) -> str:
    path = urllib.parse.unquote(address.partition("#")[0])
    return posixpath.normpath(posixpath.join(posixpath.dirname(part), path))
