"""Pictures (.png, .jpg, .tiff, .webp, .gif, .bmp, .heic): their text, recognised; a page for each page of a TIFF."""

from __future__ import annotations

import io
import logging
import struct
import warnings

import numpy as np
import pi_heif
from langchain_core.documents import Document
from PIL import Image, ImageOps, UnidentifiedImageError

from rag.errors import DocumentError
from rag.loaders_context import PICTURES_OFF, PICTURES_UNREAD, reads_pictures, report_progress
from rag.loaders_ocr import SIDE, read_picture

MAX_PIXELS = 150 * 10**6  # of one picture; an A3 page at 600 dpi has 70 million
MAX_PAGES = 2000
LEAST_SIDE = 40  # pixels of a picture in a document; icons are smaller

# What Pillow lets out on a damaged file.
_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
)

logger = logging.getLogger(__name__)

pi_heif.register_heif_opener(thumbnails=False)
Image.MAX_IMAGE_PIXELS = (
    None  # bounded below, for each page; Pillow's own bound speaks of a "decompression bomb attack"
)
warnings.simplefilter("ignore", UserWarning)  # of flaws in metadata


def load_picture(data: bytes) -> list[Document]:
    """One Document a page. Raises DocumentError if it is damaged, too large, or no text is seen in it."""
    if not reads_pictures():
        raise DocumentError(PICTURES_OFF, "unsupported")
    try:
        with Image.open(io.BytesIO(data)) as picture:
            count = getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1  # others are animations
            if count > MAX_PAGES:
                raise DocumentError(
                    f"it is too large: {count:,} pages are over the limit of {MAX_PAGES:,}", "too_large"
                )
            texts = [_page(picture, index, count) for index in range(count)]
    except (UnidentifiedImageError, *_ERRORS) as error:
        raise DocumentError("it is damaged, or not a picture at all") from error
    if not any(texts):
        raise DocumentError("no text could be read in it", "empty")
    if count == 1:
        return [Document(page_content=texts[0], metadata={"page": None, "page_label": None})]
    return [
        Document(
            page_content=text,
            metadata={"page": number, "page_label": None} | ({} if text else {"unread": PICTURES_UNREAD}),
        )
        for number, text in enumerate(texts, start=1)
    ]


def read_embedded(data: bytes) -> str:
    """The text of a picture that stands in a document; "" where there is none, or none that can be read."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return _text(picture) if min(picture.size) >= LEAST_SIDE else ""
    except (UnidentifiedImageError, DocumentError, *_ERRORS) as error:
        logger.info("a picture in a document was left out", exc_info=error)
        return ""


def _page(picture: Image.Image, index: int, count: int) -> str:
    report_progress(index, count, "pages")
    picture.seek(index)
    return _text(picture)


def _text(picture: Image.Image) -> str:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise DocumentError(
            f"it is too large: {width:,} x {height:,} pixels are over the limit of {MAX_PIXELS // 10**6} million",
            "too_large",
        )
    picture.draft("RGB", (SIDE, SIDE))  # of a JPEG, no more is unpacked than is looked at
    upright = ImageOps.exif_transpose(picture)
    upright.thumbnail((SIDE, SIDE))
    if "A" in upright.getbands() or "transparency" in upright.info:  # ink on nothing: on white
        layer = upright.convert("RGBA")
        upright = Image.new("RGBA", layer.size, "white")
        upright.alpha_composite(layer)
    if upright.mode.startswith("I"):  # 16 bits a pixel, which convert() would clip
        upright = upright.convert("I").point(lambda level: level / 256).convert("L")
    return read_picture(np.ascontiguousarray(np.asarray(upright.convert("RGB"))[:, :, ::-1]))
