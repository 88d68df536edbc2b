"""ZIP packages (OOXML, OpenDocument, EPUB) and their XML: opened within bounds, read without following anything.

Nothing outside the package is ever fetched: relations to other addresses are dropped, and XML is parsed without
entities, DTDs or network.
"""

from __future__ import annotations

import io
import logging
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from lxml import etree

from rag.errors import DocumentError
from rag.loaders_kind import PASSWORD

logger = logging.getLogger(__name__)

MAX_UNPACKED = 512 * 2**20  # bytes of all parts together
MAX_PARTS = 20_000
MAX_RATIO = 250  # unpacked to packed, of a part above RATIO_FROM; deflate itself ends near 1,030
RATIO_FROM = 8 * 2**20
_ENCRYPTED = 0x1  # of a ZIP entry's flags

# What parsers let out on a damaged file, besides their own errors.
PARSER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    RecursionError,
    RuntimeError,
    SyntaxError,  # which is what XML errors are
    TypeError,
    ValueError,
    etree.LxmlError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)

_SAFE: dict[str, Any] = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}


class Relation(NamedTuple):
    """What a part of an OOXML package points to: the last word of the relation's type, and the part."""

    kind: str
    part: str


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turns what a parser raises on damaged data into a DocumentError. `what` is "a Word document" or the like."""
    try:
        yield
    except PARSER_ERRORS as error:
        logger.info("a parser gave up on %s", what, exc_info=error)
        raise DocumentError(f"it is damaged, or not {what} at all") from error


def open_package(data: bytes) -> zipfile.ZipFile:
    """The package, if what its directory says of it is within bounds; a part never unpacks to more than it says there.

    Raises DocumentError, also where a part is encrypted.
    """
    try:
        package = zipfile.ZipFile(io.BytesIO(data))
    except PARSER_ERRORS as error:
        raise DocumentError("it is damaged: its table of contents cannot be read") from error
    parts = package.infolist()
    if any(part.flag_bits & _ENCRYPTED for part in parts):
        raise DocumentError(PASSWORD, "password")
    total = sum(part.file_size for part in parts)
    if len(parts) > MAX_PARTS:
        raise DocumentError(f"it is too large: {len(parts):,} parts are over the limit of {MAX_PARTS:,}", "too_large")
    if total > MAX_UNPACKED:
        raise DocumentError(
            f"it is too large: unpacked, it is {total / 2**20:,.0f} MiB, over the limit of "
            f"{MAX_UNPACKED / 2**20:g} MiB",
            "too_large",
        )
    for part in parts:
        ratio = part.file_size / max(1, part.compress_size)
        if part.file_size > RATIO_FROM and ratio > MAX_RATIO:
            raise DocumentError(
                f"it is too large: a part of it unpacks to {ratio:,.0f} times its size, over the limit of {MAX_RATIO}",
                "too_large",
            )
    return package


def parse_xml(data: bytes) -> Any:
    """The root element of an XML text. Entities stay unresolved; depth and text length have libxml2's bounds."""
    return etree.fromstring(data, etree.XMLParser(remove_comments=True, remove_pis=True, **_SAFE))


def parse_part(package: zipfile.ZipFile, name: str) -> Any:
    """The root element of a part of a package."""
    return parse_xml(package.read(name))


def iterate_part(package: zipfile.ZipFile, name: str, *tags: str) -> Iterator[Any]:
    """Each element with one of these local names, when it is complete; the caller may clear it."""
    with package.open(name) as stream:
        for _, element in etree.iterparse(
            stream, tag=[f"{{*}}{tag}" for tag in tags], remove_comments=True, remove_pis=True, **_SAFE
        ):
            yield element


def forget(element: Any) -> None:
    """Free an element that has been dealt with, and those before it, so that memory does not grow with the part."""
    element.clear()
    while element.getprevious() is not None:
        del element.getparent()[0]


def relations(package: zipfile.ZipFile, part: str) -> dict[str, Relation]:
    """What a part of an OOXML package points to inside that package, by id."""
    folder = posixpath.dirname(part)
    return {
        element.get("Id", ""): Relation(
            element.get("Type", "").rpartition("/")[2],
            posixpath.normpath(posixpath.join("/", folder, element.get("Target", ""))).lstrip("/"),
        )
        for element in _relationships(package, part)
        if element.get("TargetMode") != "External"
    }


def addresses(package: zipfile.ZipFile, part: str) -> dict[str, str]:
    """The addresses that a part of an OOXML package links to, by id: text like any other, never followed."""
    return {
        element.get("Id", ""): element.get("Target", "")
        for element in _relationships(package, part)
        if element.get("TargetMode") == "External" and element.get("Type", "").endswith("/hyperlink")
    }


def _relationships(package: zipfile.ZipFile, part: str) -> list[Any]:
    folder, name = posixpath.split(part)
    path = posixpath.join(folder, "_rels", f"{name}.rels")
    return list(parse_part(package, path)) if path in package.NameToInfo else []


def main_part(package: zipfile.ZipFile) -> str:
    """The part of an OOXML package that holds, or lists, its contents. Raises LookupError if there is none."""
    for relation in relations(package, "").values():
        if relation.kind == "officeDocument":
            return relation.part
    raise LookupError("the package names no main part")


def local(element: Any) -> str:
    """The name of an element without its namespace: strict and transitional OOXML differ in nothing else."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Any, name: str, default: str = "") -> str:
    """An attribute by its local name."""
    return next((str(value) for key, value in element.attrib.items() if key.rpartition("}")[2] == name), default)


def whole_number(text: str, default: int) -> int:
    """A number as an attribute gives it; `default` for what is none, or too long to be meant."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default


def child(element: Any, *names: str) -> Any | None:
    """The first child of that local name, then its first child of the next name, and so on."""
    for name in names:
        element = next((item for item in element if local(item) == name), None)
        if element is None:
            return None
    return element
