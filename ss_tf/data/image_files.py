"""Image files: from any file a person's photo folder may hold to uint8 pixels."""

from __future__ import annotations

import io
import os
import pathlib
import struct

import numpy as np
from PIL import Image, ImageOps

EXTENSIONS = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff")
# Pillow also reads formats that start other programs (EPS runs Ghostscript), so a file is only
# ever opened as one of these, whatever its content claims.
_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
# From here Pillow warns of a decompression bomb; as RGB it is 268 MB.
MAX_PIXELS = Image.MAX_IMAGE_PIXELS
# What Pillow raises on damaged files. In 30,000 files with corrupted bytes: OSError, SyntaxError,
# ValueError and the bomb. The others it catches itself where it tries one format after another.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class UnreadableImageError(ValueError):
    """A file that holds no image this project can read.

    Attributes:
      path: the file.
      reason: why, as one line without the path.
    """

    def __init__(self, path: str, reason: str):
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def read_image(
    path: str | os.PathLike,
    *,
    channels: int,
    min_side: int | None = None,
    data: bytes | None = None,
) -> np.ndarray:
    """Reads an image file as a person would see it.

    EXIF rotation is applied; of an animation the first frame is taken; 16-bit gray is reduced to
    8 bits; CMYK becomes RGB; transparent pixels are shown on white, as on a page. Colour profiles
    are ignored.

    Args:
      path: a JPEG, PNG, GIF, WebP, BMP or TIFF file, recognized by content.
      channels: 1 for grayscale, 3 for RGB.
      min_side: None for the full resolution. Otherwise large images are shrunk by a whole factor,
        which is much faster to decode, so that no side is shorter than `min_side` unless it is so
        in the file.
      data: the image's bytes, where they are but a part of the file.

    Returns:
      uint8 `[height, width, channels]`, at least one pixel a side.

    Raises:
      UnreadableImageError: if the file is missing, empty, damaged, of another format, or has more
        than MAX_PIXELS pixels.
    """
    mode = {1: "L", 3: "RGB"}[channels]
    try:
        with Image.open(path if data is None else io.BytesIO(data), formats=_FORMATS) as image:
            _check_size(image)
            if min_side is not None:
                image.draft(None, (min_side, min_side))
            pixels = _eight_bit(ImageOps.exif_transpose(image)).convert(mode)
    except _DECODER_ERRORS as error:
        raise UnreadableImageError(printable(path), _reason(path, error)) from error
    factor = 1 if min_side is None else min(pixels.size) // min_side
    if factor > 1:
        pixels = pixels.reduce(factor)
    return np.asarray(pixels).reshape(pixels.height, pixels.width, channels)


def _check_size(image: Image.Image) -> None:
    """Raises ValueError if there is nothing to decode, or too much for the memory."""
    if not 0 < image.width * image.height <= MAX_PIXELS:
        raise ValueError(
            f"it has {image.width} x {image.height} pixels, expected 1 to {MAX_PIXELS:,} in all"
        )


def _eight_bit(image: Image.Image) -> Image.Image:
    """Brings an image to a mode whose conversion to gray or RGB loses nothing but colour.

    Raises:
      ValueError: if what its pixel values mean is unknown.
    """
    if image.mode.startswith("I;16"):
        # Pillow's own conversion clips at 255 instead of scaling.
        return Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"its pixels are 32-bit numbers (mode {image.mode}) without a known range")
    if image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, rgba)
    return image


def _reason(path: str | os.PathLike, error: Exception) -> str:
    """Says in one line, without the path, why a file could not be read."""
    if isinstance(error, Image.UnidentifiedImageError):
        if pathlib.Path(path).stat().st_size == 0:
            return "the file is empty"
        return f"not an image, or none of {', '.join(_FORMATS)}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def printable(path: str | os.PathLike) -> str:
    """Returns the path as text that every terminal and file can take."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
