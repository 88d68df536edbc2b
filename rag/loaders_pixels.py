"""Pictures unpacked: upright, on white, in eight bits, and no larger than they are looked at."""

from __future__ import annotations

import struct
import warnings

import pi_heif
from PIL import Image, ImageOps, UnidentifiedImageError

from rag.errors import DocumentError

MAX_PIXELS = 150 * 10**6  # of one picture; an A3 page at 600 dpi has 70 million

# What Pillow lets out on a damaged file.
PICTURE_ERRORS = (
    UnidentifiedImageError,
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

pi_heif.register_heif_opener(thumbnails=False)
Image.MAX_IMAGE_PIXELS = (
    None  # bounded below, for each page; Pillow's own bound speaks of a "decompression bomb attack"
)
warnings.simplefilter("ignore", UserWarning)  # of flaws in metadata


def count_pages(picture: Image.Image) -> int:
    """The pages of a picture that was opened: of a TIFF one or more; those of others are an animation."""
    return getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1


def unpack(picture: Image.Image, width: int, height: int) -> Image.Image:
    """The page at which an opened picture stands, in RGB, at most so wide and high. Raises DocumentError."""
    wide, high = picture.size
    if wide * high > MAX_PIXELS:
        raise DocumentError(
            f"it is too large: {wide:,} x {high:,} pixels are over the limit of {MAX_PIXELS // 10**6} million",
            "too_large",
        )
    picture.draft("RGB", (width, height))  # of a JPEG, no more is unpacked than is looked at
    upright = ImageOps.exif_transpose(picture)
    upright.thumbnail((width, height))
    if "A" in upright.getbands() or "transparency" in upright.info:  # ink on nothing: on white
        layer = upright.convert("RGBA")
        upright = Image.new("RGBA", layer.size, "white")
        upright.alpha_composite(layer)
    if upright.mode.startswith("I"):  # 16 bits a pixel, which convert() would clip
        upright = upright.convert("I").point(lambda level: level / 256).convert("L")
    return upright.convert("RGB")
