"""One image on its way into a network: crop, resize, normalise. TensorFlow operations."""

from __future__ import annotations

import math

import tensorflow as tf

from ss_tf.data.examples import ImageFormat

# Smallest area and most oblong shape of a training crop. The shape is that of Szegedy et al.
# (2015), section 6. Their area starts at 0.08; shorter trainings, as here, do better with weaker
# augmentation (https://openreview.net/forum?id=tWVMmMohE4).
MIN_CROP_AREA = 0.35
MAX_ASPECT_RATIO = 4 / 3


def decoded_side(image_size: int) -> int:
    """Returns the side, in pixels, to which large files may be shrunk as they are decoded.

    The smallest training crop of a square image has sides of sqrt(0.35 * 3 / 4) = 0.51 of its
    own, so twice the network's input still never has to be enlarged.
    """
    return 2 * image_size


def to_unit_range(images: tf.Tensor) -> tf.Tensor:
    """Brings uint8 pixels to float32 in [0, 1]."""
    return tf.cast(images, tf.float32) / 255.0


def normalise(images: tf.Tensor, image_format: ImageFormat) -> tf.Tensor:
    """Brings float32 images `[..., channels]` in [0, 1] to the numbers that networks see."""
    return (images - tf.constant(image_format.mean)) / tf.constant(image_format.std)


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
    short_side = tf.cast(tf.minimum(height, width), tf.float32)
    side = tf.maximum(tf.cast(tf.round(short_side * crop_fraction), tf.int32), 1)
    top, left = (height - side) // 2, (width - side) // 2
    square = images[..., top : top + side, left : left + side, :]
    return tf.image.resize(square, [image_size, image_size], antialias=True)


def random_crop(image: tf.Tensor, *, image_size: int, seed: tf.Tensor) -> tf.Tensor:
    """Cuts out a random part of an image and resizes it to a square.

    Args:
      image: uint8 or float32 `[height, width, channels]`.
      image_size: side of the result, pixels.
      seed: int `[2]`; the same seed gives the same crop.

    Returns:
      float32 `[image_size, image_size, channels]`, in the range of `image`.
    """
    box = random_crop_box(tf.shape(image)[0], tf.shape(image)[1], seed=seed)
    top, left, height, width = tf.unstack(box)
    crop = image[top : top + height, left : left + width]
    return tf.image.resize(crop, [image_size, image_size], antialias=True)


def random_crop_box(height: tf.Tensor, width: tf.Tensor, *, seed: tf.Tensor) -> tf.Tensor:
    """Draws the box of a training crop.

    The box has MIN_CROP_AREA to all of the image's area, and an aspect ratio of at most
    MAX_ASPECT_RATIO either way. Where both cannot be had, in a panorama, the area gives way:
    a squeezed object would look like another one.

    Args:
      height: of the image, pixels, int32 scalar.
      width: likewise.
      seed: int `[2]`.

    Returns:
      int32 `[4]`: top, left, height, width; inside the image, at least one pixel.
    """
    draws = tf.random.stateless_uniform([4], seed)
    size = tf.cast(tf.stack([height, width]), tf.float32)
    area = size[0] * size[1] * (MIN_CROP_AREA + (1 - MIN_CROP_AREA) * draws[0])
    log_limit = math.log(MAX_ASPECT_RATIO)
    half_stretch = tf.exp(log_limit * (draws[1] - 0.5))
    side = tf.sqrt(area)
    wanted = tf.minimum(tf.stack([side / half_stretch, side * half_stretch]), size)
    wanted = tf.minimum(wanted, wanted[::-1] * MAX_ASPECT_RATIO)
    box = tf.maximum(tf.round(wanted), 1.0)
    corner = tf.floor(draws[2:] * (size - box + 1.0))
    return tf.cast(tf.concat([corner, box], axis=0), tf.int32)
