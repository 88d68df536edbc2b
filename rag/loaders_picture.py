"""Pictures (.png, .jpg, .tiff, .webp, .gif, .bmp, .heic): their text, recognised; a page for each page of a TIFF."""

from __future__ import annotations

import io
import logging

import numpy as np
from langchain_core.documents import Document
from PIL import Image

from rag.errors import DocumentError
from rag.loaders_context import PICTURES_OFF, PICTURES_UNREAD, reads_pictures, report_progress
from rag.loaders_ocr import SIDE, Recognised, read_picture
from rag.loaders_pixels import PICTURE_ERRORS, count_pages, unpack

MAX_PAGES = 2000
LEAST_SIDE = 40  # pixels of a picture in a document; icons are smaller

logger = logging.getLogger(__name__)


def load_picture(data: bytes) -> list[Document]:
    """One Document a page. Raises DocumentError if it is damaged, too large, or no text is seen in it."""
    if not reads_pictures():
        raise DocumentError(PICTURES_OFF, "unsupported")
    try:
        with Image.open(io.BytesIO(data)) as picture:
            count = count_pages(picture)
            if count > MAX_PAGES:
                raise DocumentError(
                    f"it is too large: {count:,} pages are over the limit of {MAX_PAGES:,}", "too_large"
                )
            found = [_page(picture, index, count) for index in range(count)]
    except PICTURE_ERRORS as error:
        raise DocumentError("it is damaged, or not a picture at all") from error
    if not any(page.text for page in found):
        raise DocumentError("no text could be read in it", "empty")
    return [
        Document(
            page_content=page.text,
            metadata={"page": number if count > 1 else None, "page_label": None, "lines": page.lines}
            | ({} if page.text else {"unread": PICTURES_UNREAD}),
        )
        for number, page in enumerate(found, start=1)
    ]


def read_embedded(data: bytes) -> str:
    """The text of a picture that stands in a document; "" where there is none, or none that can be read."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return _read(picture).text if min(picture.size) >= LEAST_SIDE else ""
    except (DocumentError, *PICTURE_ERRORS) as error:
        logger.info("a picture in a document was left out", exc_info=error)
        return ""


def _page(picture: Image.Image, index: int, count: int) -> Recognised:
    report_progress(index, count, "pages")
    picture.seek(index)
    return _read(picture)


def _read(picture: Image.Image) -> Recognised:
    return read_picture(np.ascontiguousarray(np.asarray(unpack(picture, SIDE, SIDE))[:, :, ::-1]))
