"""One image on its way into a network: crop, resize, normalise. TensorFlow operations."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import tensorflow as tf

from ss_tf.data.examples import ImageFormat

# Most oblong shape of a training crop: Szegedy et al. (2015), section 6.
MAX_ASPECT_RATIO = 4 / 3
# By which a JPEG image can be shrunk as it is decoded.
_RATIOS = (1, 2, 4, 8)


def decoded_side(image_size: int, *, min_crop_area: float = 1.0) -> int:
    """Returns the side, in pixels, to which large files may be shrunk as they are decoded.

    Args:
      image_size: side of the network's input, pixels.
      min_crop_area: smallest share of an image's area that is shown.

    Returns:
      What keeps the smallest crop of a square image from being enlarged, and at least twice the
      network's input, so that the resize that follows has pixels to average.
    """
    smallest_share = math.sqrt(min_crop_area / MAX_ASPECT_RATIO)
    return max(2 * image_size, math.ceil(image_size / smallest_share))


def to_unit_range(images: tf.Tensor) -> tf.Tensor:
    """Brings uint8 pixels to float32 in [0, 1]."""
    return tf.cast(images, tf.float32) / 255.0


def normalise(images: tf.Tensor, image_format: ImageFormat) -> tf.Tensor:
    """Brings float32 images `[..., width, channels]` in [0, 1] to the numbers that networks see."""
    # Row by row, which takes a fifth of the time that broadcasting along three channels takes.
    width = images.shape[-2]
    mean = tf.tile(tf.constant(image_format.mean), [width])
    std = tf.tile(tf.constant(image_format.std), [width])
    rows = tf.reshape(images, [-1, width * image_format.channels])
    return tf.reshape((rows - mean) / std, tf.shape(images))


def centre_crop(images: tf.Tensor, *, image_size: int, crop_fraction: float) -> tf.Tensor:
    """Cuts out the centre square and resizes it.

    This is what torchvision's "resize the short side to 256, crop 224" shows, for a fraction of
    224 / 256; cutting first spares the resizing of what is cut away.

    Args:
      images: uint8 or float32 `[height, width, channels]` or `[batch, height, width, channels]`.
      image_size: side of the result, pixels.
      crop_fraction: side of the square as a share of the short side, in (0, 1].

    Returns:
      float32 `[..., image_size, image_size, channels]`, in the range of `images`.
    """
    height, width = tf.unstack(tf.shape(images)[-3:-1])
    box = centre_box(height, width, crop_fraction=crop_fraction)
    return resize(cut_out(images, box), image_size=image_size)


def cut_out(images: tf.Tensor, box: tf.Tensor) -> tf.Tensor:
    """Cuts a box, int32 top, left, height, width, out of `[..., height, width, channels]`."""
    top, left, height, width = tf.unstack(box)
    return images[..., top : top + height, left : left + width, :]


def decode_jpeg_part(
    encoded: tf.Tensor,
    choose_box: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    *,
    min_side: int,
    channels: int,
) -> tf.Tensor:
    """Decodes only the part of a JPEG image that is shown.

    Args:
      encoded: string scalar.
      choose_box: from height and width of the image, int32 scalars, to the part, int32 `[4]`: top,
        left, height, width.
      min_side: a large part is shrunk by 2, 4 or 8 as it is decoded, so that no side gets shorter
        than this, pixels.
      channels: 1 for grayscale, 3 for RGB.

    Returns:
      uint8 `[height, width, channels]`.
    """
    height, width, _ = tf.unstack(tf.io.extract_jpeg_shape(encoded))
    box = choose_box(height, width)

    def decode(ratio: int) -> tf.Tensor:
        # The box counts in pixels of the shrunk image. TensorFlow's default for the transform is
        # off by 0.8 of 255 on average and no faster; the accurate one is what Pillow takes.
        return tf.image.decode_and_crop_jpeg(
            encoded, box // ratio, channels, ratio=ratio, dct_method="INTEGER_ACCURATE"
        )

    possible = tf.minimum(box[2], box[3]) // min_side
    index = sum(tf.cast(possible >= ratio, tf.int32) for ratio in _RATIOS[1:])
    return tf.switch_case(index, [functools.partial(decode, ratio) for ratio in _RATIOS])


def is_whole_jpeg(data: bytes) -> bool:
    """Says whether a JPEG image can be decoded down to its last row."""
    try:
        tf.io.decode_jpeg(data, channels=3)
    except tf.errors.InvalidArgumentError:
        return False
    return True


def resize(images: tf.Tensor, *, image_size: int, antialias: bool = True) -> tf.Tensor:
    """Resizes to a square.

    Args:
      images: uint8 or float32 `[height, width, channels]` or `[batch, height, width, channels]`.
      image_size: side of the result, pixels.
      antialias: average over all pixels where an image shrinks, as Pillow does, not over the
        nearest two by two.

    Returns:
      float32 `[..., image_size, image_size, channels]`, in the range of `images`.
    """
    return tf.image.resize(images, [image_size, image_size], antialias=antialias)


def centre_box(height: tf.Tensor, width: tf.Tensor, *, crop_fraction: float) -> tf.Tensor:
    """Returns the centre square of an image.

    Args:
      height: of the image, pixels, int32 scalar.
      width: likewise.
      crop_fraction: side of the square as a share of the short side, in (0, 1].

    Returns:
      int32 `[4]`: top, left, height, width; at least one pixel.
    """
    short_side = tf.cast(tf.minimum(height, width), tf.float32)
    side = tf.maximum(tf.cast(tf.round(short_side * crop_fraction), tf.int32), 1)
    return tf.stack([(height - side) // 2, (width - side) // 2, side, side])


def random_crop_box(
    height: tf.Tensor, width: tf.Tensor, *, min_area: float, seed: tf.Tensor
) -> tf.Tensor:
    """Draws the box of a training crop.

    The box has `min_area` to all of the image's area, and an aspect ratio of at most
    MAX_ASPECT_RATIO either way. Where both cannot be had, in a panorama, the area gives way:
    a squeezed object would look like another one.

    Args:
      height: of the image, pixels, int32 scalar.
      width: likewise.
      min_area: smallest share of the image's area, in (0, 1].
      seed: int `[2]`.

    Returns:
      int32 `[4]`: top, left, height, width; inside the image, at least one pixel.
    """
    draws = tf.random.stateless_uniform([4], seed)
    size = tf.cast(tf.stack([height, width]), tf.float32)
    area = size[0] * size[1] * (min_area + (1 - min_area) * draws[0])
    log_limit = math.log(MAX_ASPECT_RATIO)
    half_stretch = tf.exp(log_limit * (draws[1] - 0.5))
    side = tf.sqrt(area)
    wanted = tf.minimum(tf.stack([side / half_stretch, side * half_stretch]), size)
    wanted = tf.minimum(wanted, wanted[::-1] * MAX_ASPECT_RATIO)
    box = tf.maximum(tf.round(wanted), 1.0)
    corner = tf.floor(draws[2:] * (size - box + 1.0))
    return tf.cast(tf.concat([corner, box], axis=0), tf.int32)
