"""RandAugment (arXiv 1909.13719): each image of a batch gets operations of its own.

The operations are Pillow's, as in the experiments of the paper, so keras-cv's layers of these names
are of no use: its brightness adds where Pillow multiplies, its equalization needs AutoGraph, and
those that agree (contrast stretching, sharpness, solarization) take 1.4 to 5 times as long here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

# Two operations of strength 6 +- 0.5 of 10, each carried out for half of the images: timm's
# "rand-m6-mstd0.5-inc1", which "ResNet strikes back" (arXiv 2110.00476, table 2) pairs with its
# training at low resolution, A3: the weakest of its three, as fits a small network.
_NUM_LAYERS = 2
_MAGNITUDE = 6.0
_MAGNITUDE_STD = 0.5
_MAX_MAGNITUDE = 10.0
_SHARE_CHANGED = 0.5

# What the operations do at full strength: AutoAugment (arXiv 1805.09501, table 6), with timm's
# translation relative to the size of the image. Also from timm: 0 changes nothing, and enhancement
# goes both ways. Its heavier posterization, inversion and solarizing addition are left out.
_ROTATION_RADIANS = math.radians(30)
_SHEAR = 0.3
_TRANSLATION = 0.45
_ENHANCEMENT = 0.9
_DROPPED_BITS = 4

# What moves in from outside. Mid-gray, as in AutoAugment: after normalisation it is about zero.
_FILL = 0.5

# Images float32 [batch, height, width, channels] in [0, 1], strengths float32 [batch] in [-1, 1]
# -> changed images. Where the sign means nothing, the absolute value counts.
Operation = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def augment(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Changes each image by operations that are drawn for it.

    Only images that an operation was drawn for are given to it, all of them at once, so that a
    batch costs what its operations cost.

    Args:
      images: float32 `[batch, height, width, channels]` in [0, 1], 1 or 3 channels;
        in a graph all but the batch must be known.
      seed: int `[2]`; everything drawn comes from it.

    Returns:
      Images of the same shape and range.
    """
    for layer_seed in tf.unstack(tf.random.split(seed, _NUM_LAYERS)):
        images = _apply_drawn(images, layer_seed)
    return images


def _apply_drawn(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draws an operation and a strength for each image, and applies them."""
    batch = tf.shape(images)[:1]
    seeds = tf.unstack(tf.random.split(seed, 3))
    # Numbers from the count of operations upwards stand for no change.
    num_outcomes = round(len(OPERATIONS) / _SHARE_CHANGED)
    drawn = tf.random.stateless_uniform(batch, seeds[0], 0, num_outcomes, tf.int32)
    chosen = tf.minimum(drawn, len(OPERATIONS))
    magnitudes = tf.random.stateless_normal(batch, seeds[1], _MAGNITUDE, _MAGNITUDE_STD)
    strengths = tf.clip_by_value(magnitudes / _MAX_MAGNITUDE, 0.0, 1.0)
    strengths *= tf.sign(tf.random.stateless_uniform(batch, seeds[2]) - 0.5)

    *parts, unchanged = tf.dynamic_partition(tf.range(batch[0]), chosen, len(OPERATIONS) + 1)
    results = [
        operation(tf.gather(images, part), tf.gather(strengths, part))
        for operation, part in zip(OPERATIONS.values(), parts, strict=True)
    ]
    results = tf.dynamic_stitch([*parts, unchanged], [*results, tf.gather(images, unchanged)])
    return tf.ensure_shape(results, images.shape)


def _autocontrast(images, strengths):
    """Stretches each channel to the whole range; knows no strength."""
    del strengths
    low = tf.reduce_min(images, axis=[1, 2], keepdims=True)
    span = tf.reduce_max(images, axis=[1, 2], keepdims=True) - low
    # Less than one of 256 levels is a rounding error, not a contrast to be shown.
    is_flat = span < 0.5 / 255
    return (images - tf.where(is_flat, 0.0, low)) / tf.where(is_flat, 1.0, span)


def _equalize(images, strengths):
    """Uses the 256 levels of each channel about equally often; knows no strength."""
    del strengths
    _, height, width, channels = images.shape
    levels = tf.cast(_to_levels(tf.transpose(images, [0, 3, 1, 2])), tf.int32)
    levels = tf.reshape(levels, [-1, height * width])
    counts = tf.math.bincount(levels, minlength=256, maxlength=256, axis=-1)
    darker = tf.cumsum(counts, axis=-1, exclusive=True)
    # Pixels per new level, the brightest pixels not counted, as Pillow has it.
    step = tf.reduce_max(tf.where(counts > 0, darker, 0), axis=-1, keepdims=True) // 255
    new_levels = tf.minimum((darker + step // 2) // tf.maximum(step, 1), 255)
    new_levels = tf.where(step > 0, new_levels, tf.range(256))
    equalized = tf.gather(tf.cast(new_levels, tf.float32) / 255.0, levels, batch_dims=1)
    return tf.transpose(tf.reshape(equalized, [-1, channels, height, width]), [0, 2, 3, 1])


def _solarize(images, strengths):
    """Inverts what is brighter than a threshold, which falls from above 1 to 0."""
    thresholds = 256 / 255 * (1.0 - tf.abs(strengths))
    is_inverted = tf.cast(images >= _per_image(thresholds), images.dtype)
    return tf.abs(is_inverted - images)


def _posterize(images, strengths):
    """Drops up to four of eight bits."""
    steps = _per_image(2.0 ** tf.floor(_DROPPED_BITS * tf.abs(strengths)))
    return tf.floor(_to_levels(images) / steps) * steps / 255.0


def _color(images, strengths):
    """Moves colours away from gray or towards it."""
    return images if images.shape[-1] == 1 else _enhance(images, _to_gray(images), strengths)


def _contrast(images, strengths):
    """Moves pixels away from the mean of the image or towards it."""
    mean = tf.reduce_mean(_to_gray(images), axis=[1, 2], keepdims=True)
    return _enhance(images, mean, strengths)


def _brightness(images, strengths):
    """Moves pixels away from black or towards it."""
    return _enhance(images, 0.0, strengths)


def _sharpness(images, strengths):
    """Moves pixels away from a blurred image or towards it; the edge stays as it is."""
    inside = images[:, 1:-1, 1:-1]
    # Pillow's blur: the mean of 3x3 pixels where that in the middle counts five times.
    blurred = (9 * tf.nn.avg_pool2d(images, 3, 1, "VALID") + 4 * inside) / 13
    edge = [[0, 0], [1, 1], [1, 1], [0, 0]]
    return _enhance(images, images - tf.pad(inside - blurred, edge), strengths)


def _rotate(images, strengths):
    """Turns about the centre."""
    cos = tf.cos(_ROTATION_RADIANS * strengths)
    sin = tf.sin(_ROTATION_RADIANS * strengths)
    x, y = images.shape[2] / 2, images.shape[1] / 2
    return _transform(images, (cos, -sin, x - cos * x + sin * y), (sin, cos, y - sin * x - cos * y))


def _shear_x(images, strengths):
    """Slants columns; the upper edge stays where it is."""
    return _transform(images, (1.0, _SHEAR * strengths, 0.0), (0.0, 1.0, 0.0))


def _shear_y(images, strengths):
    """Slants rows; the left edge stays where it is."""
    return _transform(images, (1.0, 0.0, 0.0), (_SHEAR * strengths, 1.0, 0.0))


def _translate_x(images, strengths):
    """Shifts sideways."""
    pixels = _TRANSLATION * images.shape[2] * strengths
    return _transform(images, (1.0, 0.0, pixels), (0.0, 1.0, 0.0))


def _translate_y(images, strengths):
    """Shifts up or down."""
    pixels = _TRANSLATION * images.shape[1] * strengths
    return _transform(images, (1.0, 0.0, 0.0), (0.0, 1.0, pixels))


def _enhance(images, base, strengths):
    """Moves pixels away from `base` (strength above 0) or towards it."""
    factors = _per_image(_ENHANCEMENT * strengths)
    return tf.clip_by_value(images + factors * (images - base), 0.0, 1.0)


def _transform(images, row_x, row_y):
    """Fills each pixel (x, y) from (a x + b y + c, d x + e y + f), bilinearly.

    Args:
      row_x: a, b and c; each a number, or float32 `[batch]`. In pixels from the upper left corner.
      row_y: d, e and f.
    """
    (a, b, c), (d, e, f) = row_x, row_y
    # The operation counts from the centre of the first pixel.
    entries = [a, b, c + (a + b - 1.0) / 2, d, e, f + (d + e - 1.0) / 2, 0.0, 0.0]
    batch = tf.shape(images)[:1]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([tf.broadcast_to(entry, batch) for entry in entries], axis=-1),
        output_shape=images.shape[1:3],
        fill_value=_FILL,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _to_levels(images):
    return tf.round(255.0 * images)


def _to_gray(images):
    return images if images.shape[-1] == 1 else tf.image.rgb_to_grayscale(images)


def _per_image(values):
    return values[:, tf.newaxis, tf.newaxis, tf.newaxis]


# The fourteen of the paper but for the identity, which is drawn in its own way.
OPERATIONS: dict[str, Operation] = {
    "autocontrast": _autocontrast,
    "equalize": _equalize,
    "rotate": _rotate,
    "solarize": _solarize,
    "color": _color,
    "posterize": _posterize,
    "contrast": _contrast,
    "brightness": _brightness,
    "sharpness": _sharpness,
    "shear_x": _shear_x,
    "shear_y": _shear_y,
    "translate_x": _translate_x,
    "translate_y": _translate_y,
}
