"""Batches of images by index, gathered from memory or read from files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ss_tf.data import image_files, preprocessing, record_reader
from ss_tf.data.examples import RECORD, Examples, ImageFormat, Kind

# Height and width of an image, int32 in pixels, and a seed, int32 [2] -> the part to show, int32
# [4]: top, left, height, width.
ChooseBox = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
# Where an image is, or its bytes, and a ChooseBox that has its seed -> the part, uint8 [height,
# width, channels].
LoadPart = Callable[[tf.Tensor, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]], tf.Tensor]

# Images per call into Python, which costs as much as a tenth of decoding one.
_READ_TOGETHER = 16


def build(
    examples: Examples,
    image_format: ImageFormat,
    *,
    indices: np.ndarray,
    image_size: int,
    min_crop_area: float,
    antialias: bool,
    choose_box: ChooseBox,
    seeds: np.ndarray,
) -> tf.data.Dataset:
    """Builds batches of images.

    Args:
      examples: where the images come from.
      image_format: of these images.
      indices: int64 `[steps, batch]`, which example stands where.
      image_size: side of the result, pixels.
      min_crop_area: smallest share of an image file's area that `choose_box` shows.
      antialias: of images in larger files, whether to average over all pixels where they shrink.
        Otherwise they are shrunk by 2, 4 or 8 as they are decoded, and by what is left, less than
        2, with bilinear interpolation: on photo-like images this differs from Pillow's filter by
        0.9 of 255 on average, not 0.3, and takes half the time. Image files always are averaged:
        there it is the reading that takes long.
      choose_box: says which part of an encoded image to show. Decoded images are shown whole: they
        are gathered, and resized only if their size is another.
      seeds: int32 `[steps, batch, 2]`, for `choose_box`.

    Returns:
      `steps` batches, uint8 or float32 `[batch, image_size, image_size, channels]` in [0, 255].
      An image that cannot be read ends them with a tf.errors.OpError, see `explain`.
    """
    if examples.kind is Kind.PIXELS:
        return _gather(examples, image_format, indices=indices, image_size=image_size)

    # As in input_pipeline: AutoGraph has nothing to convert here.
    @tf.autograph.experimental.do_not_convert
    def load(source, seed):
        part = load_part(source, lambda height, width: choose_box(height, width, seed))
        part = preprocessing.resize(part, image_size=image_size, antialias=antialias)
        return tf.ensure_shape(part, [image_size, image_size, image_format.channels])

    if examples.kind is Kind.PATHS:
        sources, antialias = _paths(examples, indices), True
        min_side = preprocessing.decoded_side(image_size, min_crop_area=min_crop_area)
        load_part = _file_loader(image_format, min_side=min_side)
    else:
        sources = _encoded(examples, indices)
        min_side = preprocessing.decoded_side(image_size) if antialias else image_size
        load_part = _jpeg_loader(image_format, min_side=min_side)
    seeds = tf.data.Dataset.from_tensor_slices(seeds.reshape(-1, 2))
    images = tf.data.Dataset.zip(sources, seeds).map(load, tf.data.AUTOTUNE)
    return images.batch(indices.shape[1], drop_remainder=True)


def explain(error: Exception) -> str | None:
    """Says in one line which image ended the batches and why; None if something else did."""
    if not isinstance(error, tf.errors.OpError):
        return None
    raised_by_reader = re.search(r"(?:Value|UnreadableImage)Error: (.+)\nTraceback", error.message)
    if raised_by_reader:
        return raised_by_reader[1]
    if "Invalid JPEG data" not in error.message:
        return None
    damage = record_reader.describe_damaged() or (
        "A JPEG image cannot be decoded, and it is none of those last read."
    )
    return f"{damage} Check the archives and build the data set again."


def _paths(examples: Examples, indices: np.ndarray) -> tf.data.Dataset:
    """Returns the path of each image file."""
    paths = np.array([os.fsencode(path) for path in examples.images.tolist()], np.bytes_)
    return tf.data.Dataset.from_tensor_slices(paths[indices.ravel()])


def _file_loader(image_format: ImageFormat, *, min_side: int) -> LoadPart:
    """Returns a function that reads an image file and cuts a part out."""
    channels = image_format.channels

    def read(path: bytes) -> np.ndarray:
        return image_files.read_image(os.fsdecode(path), channels=channels, min_side=min_side)

    def load_part(path, choose_box):
        # Declared stateless, or op determinism would have the files read one by one.
        image = tf.numpy_function(read, [path], tf.uint8, stateful=False)
        image = tf.ensure_shape(image, [None, None, channels])
        box = choose_box(tf.shape(image)[0], tf.shape(image)[1])
        return preprocessing.cut_out(image, box)

    return load_part


def _encoded(examples: Examples, indices: np.ndarray) -> tf.data.Dataset:
    """Returns each image inside larger files, still encoded."""
    files = tf.constant([os.fsencode(file) for file in examples.files], tf.string)

    @tf.autograph.experimental.do_not_convert
    def read(places):
        columns = [tf.gather(files, places["file"]), places["offset"], places["length"]]
        encoded = tf.numpy_function(record_reader.read, columns, tf.string, stateful=False)
        return tf.ensure_shape(encoded, [None])

    places = examples.images[indices.ravel()]
    places = {name: places[name] for name in RECORD.names}
    groups = tf.data.Dataset.from_tensor_slices(places).batch(_READ_TOGETHER)
    return groups.map(read, tf.data.AUTOTUNE).unbatch()


def _jpeg_loader(image_format: ImageFormat, *, min_side: int) -> LoadPart:
    """Returns a function that decodes a part of a JPEG image."""

    def load_part(encoded, choose_box):
        return preprocessing.decode_jpeg_part(
            encoded, choose_box, min_side=min_side, channels=image_format.channels
        )

    return load_part


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
