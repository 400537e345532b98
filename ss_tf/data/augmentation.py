"""Random changes of training batches by name, most of them made by keras-cv's layers."""

from __future__ import annotations

import contextlib
import math
import sys
import types
from collections.abc import Callable, Sequence

import tensorflow as tf

from ss_tf.data import rand_augment

# Images float32 [batch, height, width, channels] in [0, 1], seed int [2] -> changed images.
Augmenter = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

# Two pixels of 32, half of the padding usual for CIFAR (He et al. 2016, section 4.2): a quarter of
# the bundled images have one pixel of margin left and right, and a larger shift cuts into letters.
_MAX_SHIFT = 1 / 16
# Upright and slanted letters differ by about 10 degrees, so a turn must stay well below that.
_MAX_TURN_RADIANS = math.radians(5)
# The sizes at which one object is photographed vary more, but random crops already cover that.
_MAX_ZOOM = 0.1
# A tenth of the range of pixel values: mid-gray becomes as light as with half a stop more exposure.
_MAX_BRIGHTNESS = 0.1
_MAX_CONTRAST = 0.1
_MAX_SATURATION = 0.2
# What moves in from outside repeats the edge: that is background on dark and on light ground,
# where a constant would be right on one only, and "reflect" would show strokes twice.
_FILL_MODE = "nearest"
# Without a seed (0 counts as none) a layer takes TensorFlow's global generator, which
# `enable_op_determinism` forbids. Nothing is ever drawn with this one.
_UNUSED_SEED = 1


def build_augmenter(names: Sequence[str]) -> Augmenter:
    """Builds one function that applies several augmentations, in the order given.

    The layers only transform; what they are to do is drawn here, from the seed. keras-cv's own
    draws come from a state that changes with every call, so that parallel input pipelines would
    mix them up and a resumed epoch could not repeat them.

    Args:
      names: of `ss_tf.config.AUGMENTATIONS`; may be empty.

    Returns:
      A function of images, float32 `[batch, height, width, channels]` in [0, 1] with 1 or 3
      channels and a size that graphs know, and of a seed, int `[2]`. It returns images of the same
      shape and range, each changed differently, and is pure: equal arguments give equal images.

    Raises:
      ValueError: if a name is unknown.
    """
    for name in names:
        if name not in _BUILDERS:
            raise ValueError(f"Unknown augmentation {name!r}, expected {', '.join(_BUILDERS)}.")
    steps = [_BUILDERS[name]() for name in names]

    def augment(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        images = tf.convert_to_tensor(images)
        for index, step in enumerate(steps):
            images = step(images, tf.random.fold_in(seed, index))
        # Interpolation may leave the range by a rounding error; mirroring cannot.
        may_leave = set(names) - {"flip"}
        return tf.clip_by_value(images, 0.0, 1.0) if may_leave else images

    return augment


def _keras_cv_layers() -> types.ModuleType:
    """Imports keras-cv, which takes up to seconds: who augments nothing need not wait for it."""
    # It prints the name of its backend, which has no place among the answers of a program.
    with contextlib.redirect_stdout(sys.stderr):
        from keras_cv import layers

    return layers


def _translate() -> Augmenter:
    """Shifts by whole pixels, so that nothing is blurred."""
    layer = _keras_cv_layers().RandomTranslation(
        _MAX_SHIFT, _MAX_SHIFT, fill_mode=_FILL_MODE, interpolation="nearest", seed=_UNUSED_SEED
    )

    def augment(images, seed):
        size = tf.cast(tf.shape(images)[1:3], tf.float32)
        pixels = tf.round(size * _uniform([tf.shape(images)[0], 2], seed, _MAX_SHIFT))
        shares = pixels / size
        moves = {"height_translations": shares[:, :1], "width_translations": shares[:, 1:]}
        return layer.augment_images(images, transformations=moves)

    return augment


def _rotate() -> Augmenter:
    layer = _keras_cv_layers().RandomRotation(
        _MAX_TURN_RADIANS / (2 * math.pi), fill_mode=_FILL_MODE, seed=_UNUSED_SEED
    )

    def augment(images, seed):
        angles = _uniform([tf.shape(images)[0]], seed, _MAX_TURN_RADIANS)
        return layer.augment_images(images, transformations={"angles": angles})

    return augment


def _zoom() -> Augmenter:
    """Zooms both axes alike."""
    layer = _keras_cv_layers().RandomZoom(_MAX_ZOOM, fill_mode=_FILL_MODE, seed=_UNUSED_SEED)

    def augment(images, seed):
        zooms = 1.0 + _uniform([tf.shape(images)[0], 1], seed, _MAX_ZOOM)
        both = {"height_zooms": zooms, "width_zooms": zooms}
        return layer.augment_images(images, transformations=both)

    return augment


def _flip() -> Augmenter:
    """Mirrors left and right, half of the images.

    Not keras-cv's layer, which gives the same images in five times the time: three quarters of what
    it takes to decode them.
    """

    def augment(images, seed):
        draws = tf.random.stateless_uniform([tf.shape(images)[0]], seed)
        # Of rows in one long image, TensorFlow reverses three channels at a time.
        rows = tf.reshape(images, [-1, *images.shape[2:]])
        mirrored = tf.reshape(tf.reverse(rows, axis=[1]), tf.shape(images))
        return tf.raw_ops.Select(condition=draws > 0.5, x=mirrored, y=images)

    return augment


def _color() -> Augmenter:
    """Changes brightness and contrast, and of colour images the saturation. Not the hue."""
    brightness = _keras_cv_layers().RandomBrightness(
        _MAX_BRIGHTNESS, value_range=(0, 1), seed=_UNUSED_SEED
    )
    contrast = _keras_cv_layers().RandomContrast((0, 1), _MAX_CONTRAST, seed=_UNUSED_SEED)
    saturation = _keras_cv_layers().RandomSaturation((0.0, 1.0), seed=_UNUSED_SEED)

    def augment(images, seed):
        batch = tf.shape(images)[0]
        seeds = tf.unstack(tf.random.split(seed, 3))
        deltas = _uniform([batch, 1, 1, 1], seeds[0], _MAX_BRIGHTNESS)
        images = brightness.augment_images(images, transformations=deltas)
        factors = 1.0 + _uniform([batch, 1, 1, 1], seeds[1], _MAX_CONTRAST)
        images = contrast.augment_images(images, transformations=factors)
        if images.shape[-1] == 1:
            return images
        # The layer multiplies saturation by x / (1 - x); this is the x of the factor drawn.
        factors = 1.0 + _uniform([batch], seeds[2], _MAX_SATURATION)
        return saturation.augment_images(images, transformations=factors / (1.0 + factors))

    return augment


def _uniform(shape: Sequence, seed: tf.Tensor, limit: float) -> tf.Tensor:
    """Draws float32 numbers in [-limit, limit)."""
    return tf.random.stateless_uniform(shape, seed, -limit, limit)


_BUILDERS = {
    "translate": _translate,
    "rotate": _rotate,
    "zoom": _zoom,
    "flip": _flip,
    "color": _color,
    "randaugment": lambda: rand_augment.augment,
}
