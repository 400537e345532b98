"""Encoded images to pixels inside a graph, as `image_files.read_image` does it with Pillow."""

from __future__ import annotations

import functools

import tensorflow as tf

from ss_tf.data import preprocessing
from ss_tf.data.examples import ImageFormat
from ss_tf.export import image_headers

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Red, green and blue in gray, as Pillow weighs them: of 65536, and half of it to round.
_GRAY_WEIGHTS, _GRAY_BITS = (19595, 38470, 7471), 16


def decode(encoded: tf.Tensor, image_format: ImageFormat, *, image_size: int) -> tf.Tensor:
    """Decodes an image and shows what evaluation shows of it.

    As in evaluation, an animation gives its first frame, CMYK becomes RGB, and transparent pixels
    are shown on white. Other than there, EXIF rotation is not applied: no operation reads it.

    Args:
      encoded: string scalar, a JPEG, PNG, GIF, BMP or WebP file, recognized by content.
      image_format: channels of the result, and how much of the image is shown.
      image_size: side of the result, pixels.

    Returns:
      float32 `[image_size, image_size, channels]` in [0, 255].

    Raises:
      tf.errors.InvalidArgumentError: as it runs, if the bytes are not such an image, or damaged, or
        one that `image_headers` finds too large, before it takes memory.
    """
    channels, crop_fraction = image_format.channels, image_format.crop_fraction
    encoded = image_headers.checked(encoded)

    def from_jpeg():
        part = preprocessing.decode_jpeg_part(
            encoded,
            functools.partial(preprocessing.centre_box, crop_fraction=crop_fraction),
            min_side=preprocessing.decoded_side(image_size),
            # The decoder makes no gray of CMYK.
            channels=3,
        )
        return preprocessing.resize(_with_channels(part, channels), image_size=image_size)

    def from_others():
        is_png = tf.strings.substr(encoded, 0, len(_PNG_SIGNATURE)) == _PNG_SIGNATURE
        # Cut first: what follows takes several times the memory of what it is given.
        pixels = tf.cond(
            is_png,
            lambda: _on_white(cut(tf.io.decode_png(encoded, 4))),
            lambda: cut(tf.io.decode_image(encoded, 3, expand_animations=False)),
        )
        return preprocessing.resize(_with_channels(pixels, channels), image_size=image_size)

    def cut(pixels):
        height, width = tf.unstack(tf.shape(pixels)[:2])
        box = preprocessing.centre_box(height, width, crop_fraction=crop_fraction)
        return preprocessing.cut_out(pixels, box)

    return tf.cond(tf.io.is_jpeg(encoded), from_jpeg, from_others)


def _on_white(pixels: tf.Tensor) -> tf.Tensor:
    """Makes RGB of RGBA, uint8; a transparent pixel lets white through."""
    colours, opacity = pixels[..., :3], pixels[..., 3:]

    def mixed() -> tf.Tensor:
        # 255 * 255 and 127, to round, are not too much for 16 bits.
        share = tf.cast(opacity, tf.uint16)
        white = 255 * (255 - share) + 127
        return tf.cast((tf.cast(colours, tf.uint16) * share + white) // 255, tf.uint8)

    return tf.cond(tf.reduce_all(opacity == 255), lambda: colours, mixed)


def _with_channels(pixels: tf.Tensor, channels: int) -> tf.Tensor:
    """Returns uint8 RGB `[height, width, 3]` with 3 channels or with 1, gray.

    TensorFlow's decoders make gray of JPEG alone rightly: that of PNG takes blue for green, and
    those of GIF, BMP and WebP refuse.
    """
    if channels == 3:
        return pixels
    weighted = tf.cast(pixels, tf.int32) * tf.constant(_GRAY_WEIGHTS)
    total = tf.reduce_sum(weighted, axis=-1, keepdims=True)
    return tf.cast((total + 2 ** (_GRAY_BITS - 1)) // 2**_GRAY_BITS, tf.uint8)
