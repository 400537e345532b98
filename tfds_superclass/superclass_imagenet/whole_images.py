"""Tells whole image files from broken ones, without decoding nearly all of them."""

from __future__ import annotations

import io

from PIL import Image
from tensorflow_datasets.datasets.imagenet2012 import (
    imagenet2012_dataset_builder as imagenet2012,
)

_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_PNG_START = b"\x89PNG"
# Some writers pad a file, or add bytes of their own after the end marker.
_LONGEST_PADDING = 64
# What Pillow raises on damaged files.
_DAMAGE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def fault(name: str, data: bytes) -> str:
    """Returns what keeps an image file from being a whole JPEG, or "" if nothing does.

    One of ImageNet's "JPEG" files is a PNG, and passes. Damage between a file's two ends is not
    found (that would take decoding all of them), nor are zeros in place of its end, which decoders
    take for image.
    """
    if data.startswith(_PNG_START) and name in imagenet2012.PNG_IMAGES:
        return _decoding_fault(data, "PNG")
    if not data.startswith(_JPEG_START):
        return f"begins with {data[:4]!r}"
    if _JPEG_END in data[-_LONGEST_PADDING:]:
        return ""
    return _decoding_fault(data, "JPEG")


def _decoding_fault(data: bytes, image_format: str) -> str:
    try:
        with Image.open(io.BytesIO(data), formats=[image_format]) as image:
            image.load()
    except _DAMAGE:
        return f"is cut off or damaged, {len(data):,} bytes long"
    return ""
