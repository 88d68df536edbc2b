"""Which files are to be brought in, and the names that the manifest knows them by."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class File:
    """A file to bring in."""

    path: Path
    key: str  # the path as the manifest keeps it
    source: str
    in_folder: bool


def find_files(paths: Sequence[Path], library: Path) -> list[File]:
    """The files given, and those in the folders given but for hidden ones, each once, in order.

    The library's own folder is passed over. A link to nothing and a folder that cannot be listed are among the files,
    so that reading them tells what is wrong.
    """
    found: dict[str, File] = {}
    library = library.resolve()
    for given in paths:
        path = given.resolve()
        if path.is_dir():
            for file in _walk(path, library):
                found[path_text(file)] = File(file, path_text(file), path_text(file.relative_to(path)), in_folder=True)
        else:
            found.setdefault(path_text(path), File(path, path_text(path), path_text(Path(path.name)), in_folder=False))
    return list(found.values())


def _walk(top: Path, library: Path) -> Iterator[Path]:
    unlisted: list[Path] = []
    for folder, folders, names in os.walk(top, onerror=lambda error: unlisted.append(Path(error.filename))):
        folders[:] = sorted(n for n in folders if not n.startswith(".") and Path(folder, n) != library)
        for name in sorted(names):
            file = Path(folder, name)
            if not name.startswith(".") and (file.is_file() or file.is_symlink()):
                yield file
    yield from unlisted


def is_gone(path: str) -> bool:
    """Whether there is certainly no such file (any more)."""
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # no permission to look, a disk that does not answer: no reason to forget a document
        return False
    return False


def path_text(path: Path) -> str:
    """A path as text that SQLite and JSON take: bytes that are no UTF-8 are written as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
