"""Batches of images by index, gathered from memory or read from files."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ss_tf.data import image_files, preprocessing
from ss_tf.data.examples import Examples, ImageFormat

# An image, uint8 [height, width, channels], and a seed, int32 [2], -> float32
# [image_size, image_size, channels].
Crop = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def build(
    examples: Examples,
    image_format: ImageFormat,
    *,
    indices: np.ndarray,
    image_size: int,
    crop: Crop,
    seeds: np.ndarray,
) -> tf.data.Dataset:
    """Builds batches of images.

    Args:
      examples: where the images come from.
      image_format: of these images.
      indices: int64 `[steps, batch]`, which example stands where.
      image_size: side of the result, pixels.
      crop: makes an image file square. Decoded images are shown whole: they are gathered, and
        resized only if their size is another.
      seeds: int32 `[steps, batch, 2]`, for `crop`.

    Returns:
      `steps` batches, uint8 or float32 `[batch, image_size, image_size, channels]` in [0, 255].
      An image that cannot be read ends them with a tf.errors.OpError that names path and reason.
    """
    if examples.is_decoded:
        return _gather(examples, image_format, indices=indices, image_size=image_size)
    rows = tf.data.Dataset.from_tensor_slices((indices.ravel(), seeds.reshape(-1, 2)))
    read = _reader(examples, image_format, image_size=image_size)

    # As in input_pipeline: AutoGraph has nothing to convert here.
    @tf.autograph.experimental.do_not_convert
    def load(row, seed):
        image = crop(read(row), seed)
        return tf.ensure_shape(image, [image_size, image_size, image_format.channels])

    return rows.map(load, tf.data.AUTOTUNE).batch(indices.shape[1], drop_remainder=True)


def _gather(
    examples: Examples, image_format: ImageFormat, *, indices: np.ndarray, image_size: int
) -> tf.data.Dataset:
    """Builds batches of decoded images."""
    images = tf.constant(examples.images)

    @tf.autograph.experimental.do_not_convert
    def gather(rows):
        batch = tf.gather(images, rows)
        if batch.shape[1:3] == (image_size, image_size):
            return batch
        return preprocessing.centre_crop(
            batch, image_size=image_size, crop_fraction=image_format.crop_fraction
        )

    return tf.data.Dataset.from_tensor_slices(indices).map(gather, tf.data.AUTOTUNE)


def _reader(
    examples: Examples, image_format: ImageFormat, *, image_size: int
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function from the index of an example to its pixels."""
    paths = tf.constant([os.fsencode(path) for path in examples.images.tolist()], tf.string)
    min_side = preprocessing.decoded_side(image_size)

    def read(path: bytes) -> np.ndarray:
        return image_files.read_image(
            os.fsdecode(path), channels=image_format.channels, min_side=min_side
        )

    def read_row(row: tf.Tensor) -> tf.Tensor:
        # Declared stateless, or op determinism would have the files read one by one.
        image = tf.numpy_function(read, [paths[row]], tf.uint8, stateful=False)
        return tf.ensure_shape(image, [None, None, image_format.channels])

    return read_row
