"""Small images of examples, for people to look at."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from PIL import Image

from ss_tf.data import image_files, preprocessing, record_reader
from ss_tf.data.examples import Examples, Kind

# Pixels of the longer side. Smaller images stay as they are.
SIDE = 96
# Of WebP. At 96 pixels a photo then takes about 2 kB, and a typeface of 32 pixels 300 bytes.
_QUALITY = 75


def make(examples: Examples, *, channels: int) -> Iterator[bytes]:
    """Makes a thumbnail of each example: the whole image, not the part that networks see.

    Args:
      examples: the images.
      channels: 1 for grayscale, 3 for RGB.

    Yields:
      A WebP file per example, its longer side at most SIDE pixels.

    Raises:
      ValueError: naming the file, if an image cannot be read.
    """
    for pixels in _pixels(examples, channels):
        image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
        image.thumbnail((SIDE, SIDE))
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=_QUALITY, method=6)
        yield buffer.getvalue()


def _pixels(examples: Examples, channels: int) -> Iterator[np.ndarray]:
    """Yields each example, uint8 `[height, width, channels]`, shrunk where that is faster."""
    if examples.kind is Kind.PIXELS:
        yield from examples.images
    elif examples.kind is Kind.PATHS:
        for path in examples.images.tolist():
            yield image_files.read_image(path, channels=channels, min_side=SIDE)
    else:
        for file, offset, length in examples.images.tolist():
            yield _from_record(examples.files[file], offset, length, channels=channels)


def _from_record(path: str, offset: int, length: int, *, channels: int) -> np.ndarray:
    """Returns the JPEG image at a place of a larger file."""
    place = (np.array([value]) for value in (os.fsencode(path), offset, length))
    encoded = record_reader.read(*place)[0]
    try:
        pixels = preprocessing.decode_jpeg_part(
            tf.constant(encoded), _whole, min_side=SIDE, channels=channels
        )
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(
            f"{path} has a damaged JPEG image of {length} bytes at byte {offset}, expected a whole "
            "one: check the archives and build the data set again."
        ) from error
    return pixels.numpy()


def _whole(height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    return tf.stack([0, 0, height, width])
