"""Word 97 to 2003 (.doc) and PowerPoint 97 to 2003 (.ppt): made .docx and .pptx of, in the folder for temporary files.

In a worker that is a folder of its own, which its parent removes however the worker ends (parsing.py).
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import doc2docx
import doc2docx.errors
import olefile
import ppt2pptx
import ppt2pptx.errors
from langchain_core.documents import Document

from rag.errors import DocumentError
from rag.loaders_docx import load_docx
from rag.loaders_kind import PASSWORD
from rag.loaders_package import reading
from rag.loaders_pptx import load_pptx

_LOCKED = (doc2docx.errors.EncryptedDocumentError, ppt2pptx.errors.EncryptedPresentationError)
_WORD_95 = b"\xdc\xa5"  # what the text of Word 6 and 95 begins with
_DAMAGED = (doc2docx.errors.Doc2DocxError, ppt2pptx.errors.Ppt2PptxError)


def load_doc(data: bytes) -> list[Document]:
    """One Document. Raises DocumentError if it is damaged, locked, too large, or older than Word 97."""
    with reading("a Word document"), olefile.OleFileIO(io.BytesIO(data)) as container:
        if container.exists("WordDocument") and container.openstream("WordDocument").read(2) == _WORD_95:
            raise _too_old("docx")
    return load_docx(_converted(doc2docx.convert, data, "doc", "a Word document"))


def load_ppt(data: bytes) -> list[Document]:
    """One Document per slide. Raises DocumentError if it is damaged, locked, too large, or older than PowerPoint 97."""
    return load_pptx(_converted(ppt2pptx.convert, data, "ppt", "a PowerPoint presentation"))


def _converted(convert: Callable[[str, str], Any], data: bytes, suffix: str, what: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder, reading(what):  # the converters read and write paths
        source, target = Path(folder, f"a.{suffix}"), Path(folder, f"a.{suffix}x")
        source.write_bytes(data)
        try:
            convert(str(source), str(target))
        except _LOCKED as error:
            raise DocumentError(PASSWORD, "password") from error
        except ppt2pptx.errors.UnsupportedPptVersionError as error:
            raise _too_old("pptx") from error
        except _DAMAGED as error:
            raise DocumentError(f"it is damaged, or not {what} at all") from error
        return target.read_bytes()


def _too_old(suffix: str) -> DocumentError:
    return DocumentError(
        f"it is older than Office 97; save it as {suffix}; LibreOffice does (soffice --convert-to {suffix} FILE)",
        "unsupported",
    )
