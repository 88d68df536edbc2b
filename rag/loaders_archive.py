"""Archives (.zip, .tar, and what gzip, bzip2 or xz packed): every file in them, read by the table of rag/loaders.py.

Nothing is written to disk, so names that lead elsewhere lead nowhere; links and devices are passed over.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from langchain_core.documents import Document

from rag.errors import DocumentError
from rag.loaders_context import file_name, report_progress
from rag.loaders_nested import numbered, read_nested, unread_page
from rag.loaders_package import MAX_RATIO, MAX_UNPACKED, PARSER_ERRORS, RATIO_FROM, open_package

MAX_NAME = 300  # characters of a member's name that are told
_NAMED = 8  # members that could not be read and are named; the others are counted
_BLOCK = 2**20
_PACKED = re.compile(r"\.(?:gz|bz2|xz|t(?=gz$|bz2$|xz$)(?:gz|bz2|xz))$", re.IGNORECASE)
_STREAM_ERRORS = (EOFError, OSError, lzma.LZMAError, zlib.error)


class _Member(NamedTuple):
    name: str
    read: Callable[[], bytes]


def load_zip(data: bytes) -> list[Document]:
    """The pages of every file in it. Raises DocumentError if it is encrypted, beyond bounds, or nothing can be read."""
    with open_package(data) as archive:
        members = [
            _Member(info.filename, lambda info=info: archive.read(info))  # type: ignore[misc]
            for info in archive.infolist()
            if not info.is_dir() and stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)
        ]
        return _read(members, "")


def load_tar(data: bytes) -> list[Document]:
    """The pages of every file in it. Raises DocumentError if it is beyond bounds, or nothing can be read."""
    members: list[_Member] = []
    total = 0
    broken = ""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for info in archive:
                if not info.isreg():
                    continue
                total += info.size  # of a sparse file, with its holes
                if total > MAX_UNPACKED:
                    raise _too_large()
                members.append(_Member(info.name, lambda info=info: _tar_bytes(data, info)))  # type: ignore[misc]
            if len(data) < archive.offset + tarfile.BLOCKSIZE:  # no block of zeros ends it
                broken = "the archive breaks off"
    except (tarfile.TarError, *PARSER_ERRORS) as error:
        if not members:
            raise DocumentError("it is damaged, or not a tar archive at all") from error
        broken = "the archive breaks off"
    return _read(members, broken)


def load_packed(data: bytes) -> list[Document]:
    """What gzip, bzip2 or xz packed: the pages of an archive's files, or of the one file. Raises DocumentError."""
    unpacked = _unpack(data)
    name = _PACKED.sub("", file_name())
    if unpacked[257:262] == b"ustar":
        return load_tar(unpacked)
    return numbered(read_nested(unpacked, name, f"file {name}"))


def _tar_bytes(data: bytes, info: tarfile.TarInfo) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        file = archive.extractfile(info)
        return file.read() if file else b""


def _unpack(data: bytes) -> bytes:
    stream = _open_packed(data)
    out = bytearray()
    try:
        while block := stream.read1(_BLOCK):
            out += block
            report_progress(len(out) // _BLOCK, 0, "MiB")
            if len(out) > MAX_UNPACKED or (len(out) > RATIO_FROM and len(out) > MAX_RATIO * len(data)):
                raise _too_large()
    except _STREAM_ERRORS as error:
        if not out or out[257:262] != b"ustar":  # of an archive, the files until there are whole
            raise DocumentError("it is damaged: it could not be unpacked to its end") from error
    return bytes(out)


def _open_packed(data: bytes) -> gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile:
    packed = io.BytesIO(data)
    if data.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=packed)
    return bz2.BZ2File(packed) if data.startswith(b"BZh") else lzma.LZMAFile(packed)


def _too_large() -> DocumentError:
    return DocumentError(
        f"it is too large: it unpacks to over {MAX_UNPACKED / 2**20:g} MiB, or to over {MAX_RATIO} times its size",
        "too_large",
    )


def _read(members: list[_Member], broken: str) -> list[Document]:
    """The pages of the files, and for each that could not be read an empty page that says why."""
    pages: list[Document] = []
    unread: list[tuple[str, DocumentError]] = []
    shown = [(_shown(member.name), member) for member in members]
    wanted = [(name, member) for name, member in shown if not _hidden(name)]
    for number, (name, member) in enumerate(wanted):
        report_progress(number, len(wanted), "files")
        try:
            try:
                data = member.read()
            except (tarfile.TarError, *PARSER_ERRORS, *_STREAM_ERRORS) as error:
                raise DocumentError("it could not be unpacked") from error
            pages += read_nested(data, PurePosixPath(name).name, f"file {name}")
        except DocumentError as error:
            if error.outcome != "empty":  # that one was read, and holds nothing
                unread.append((name, error))
    if not pages:
        raise _nothing(unread)
    pages += [unread_page(f"file {name}", reason, error) for name, reason, error in _reasons(unread)]
    if broken:
        pages.append(unread_page("file ...", broken))
    return numbered(pages)


def _reasons(unread: list[tuple[str, DocumentError]]) -> Iterator[tuple[str, str, DocumentError]]:
    for number, (name, error) in enumerate(unread):
        reason = str(error).partition("; ")[0]
        yield name, f"{name}: {reason}" if number < _NAMED else "others", error


def _nothing(unread: list[tuple[str, DocumentError]]) -> DocumentError:
    if not unread:
        return DocumentError("there is no text in any of its files", "empty")
    name, error = next((item for item in unread if item[1].outcome == "unreadable"), unread[0])  # tried again, then
    return DocumentError(f"none of its files could be read: {name}: {error}", error.outcome)


def _shown(name: str) -> str:
    """A member's name as a label tells it."""
    parts = [part for part in " ".join(name.replace("\\", "/").split()).split("/") if part not in ("", ".", "..")]
    return "/".join(parts)[-MAX_NAME:] or "unnamed"


def _hidden(name: str) -> bool:
    """What a system keeps for itself, as in a folder."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))
