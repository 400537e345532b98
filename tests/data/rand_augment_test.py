from __future__ import annotations

import math
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from ss_tf.data import rand_augment

_SIZE = 24
_LEVEL = 1 / 255
_GRAY = 128  # Of 255; the fill of 0.5 lies half a level below.


def _photo(channels, seed=0):
    """Returns a photo-like image, uint8 [24, 24, channels]: broad patches, some noise."""
    generator = np.random.default_rng(seed)
    patches = np.kron(generator.integers(20, 220, (4, 4, channels)), np.ones((6, 6, 1)))
    return (patches + generator.integers(-15, 16, patches.shape)).astype(np.uint8)


def _apply(name, image, strength):
    images = tf.constant(image[np.newaxis] / 255, tf.float32)
    return rand_augment.OPERATIONS[name](images, tf.constant([strength], tf.float32))[0].numpy()


def _pillow(image, change):
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    return (np.asarray(change(picture)) / 255).reshape(image.shape)


def _affine(matrix):
    """Returns a Pillow function that maps `matrix` on a gray canvas around the image.

    Pillow repeats the edge for half a pixel before it fills; on the canvas it blends as we do.
    """
    a, b, c, d, e, f = matrix
    margin = _SIZE
    centred = (a, b, c + margin * (1 - a - b), d, e, f + margin * (1 - d - e))

    def change(picture):
        gray = (_GRAY,) * len(picture.getbands())
        canvas = ImageOps.expand(picture, margin, gray if len(gray) > 1 else _GRAY)
        canvas = canvas.transform(
            canvas.size, Image.Transform.AFFINE, centred, Image.Resampling.BILINEAR
        )
        return canvas.crop((margin, margin, margin + _SIZE, margin + _SIZE))

    return change


def _rotation(strength):
    cos, sin = math.cos(math.radians(30 * strength)), math.sin(math.radians(30 * strength))
    centre = _SIZE / 2
    x, y = centre - cos * centre + sin * centre, centre - sin * centre - cos * centre
    return cos, -sin, x, sin, cos, y


_GEOMETRY = {
    "rotate": _rotation,
    "shear_x": lambda strength: (1, 0.3 * strength, 0, 0, 1, 0),
    "shear_y": lambda strength: (1, 0, 0, 0.3 * strength, 1, 0),
    "translate_x": lambda strength: (1, 0, 0.45 * _SIZE * strength, 0, 1, 0),
    "translate_y": lambda strength: (1, 0, 0, 0, 1, 0.45 * _SIZE * strength),
}
_ENHANCERS = {
    "color": ImageEnhance.Color,
    "contrast": ImageEnhance.Contrast,
    "brightness": ImageEnhance.Brightness,
    "sharpness": ImageEnhance.Sharpness,
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("strength", [-1.0, -0.6, 0.37, 0.6, 1.0])
@pytest.mark.parametrize("name", _GEOMETRY)
def test_geometry_is_that_of_pillow(name, strength, channels):
    image = _photo(channels)
    expected = _pillow(image, _affine(_GEOMETRY[name](strength)))
    # Pillow rounds to levels, and its gray is half a level lighter than our fill.
    np.testing.assert_allclose(_apply(name, image, strength), expected, atol=1.1 * _LEVEL)


def test_rotation_turns_as_pillow_does():
    image = _photo(3)
    expected = _pillow(image, lambda picture: picture.rotate(18, Image.Resampling.BILINEAR))
    got = _apply("rotate", image, 0.6)
    inner = slice(6, 18)
    np.testing.assert_allclose(got[inner, inner], expected[inner, inner], atol=1.1 * _LEVEL)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("strength", [-1.0, -0.6, 0.37, 0.6, 1.0])
@pytest.mark.parametrize("name", _ENHANCERS)
def test_enhancements_are_those_of_pillow(name, strength, channels):
    image = _photo(channels)
    factor = 1 + 0.9 * strength
    expected = _pillow(image, lambda picture: _ENHANCERS[name](picture).enhance(factor))
    # Pillow rounds gray, mean and blur to levels before it blends, and cuts off after it.
    np.testing.assert_allclose(_apply(name, image, strength), expected, atol=2 * _LEVEL)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("strength", [0.0, 0.27, -0.6, 1.0])
def test_posterize_and_solarize_are_those_of_pillow(strength, channels):
    image = np.concatenate([_photo(channels), np.full((2, 24, channels), 255, np.uint8)])
    bits = 8 - math.floor(4 * abs(strength))
    expected = _pillow(image, lambda picture: ImageOps.posterize(picture, bits))
    np.testing.assert_allclose(_apply("posterize", image, strength), expected, atol=1e-6)
    threshold = 256 * (1 - abs(strength))
    expected = _pillow(image, lambda picture: ImageOps.solarize(picture, threshold))
    np.testing.assert_allclose(_apply("solarize", image, strength), expected, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_autocontrast_and_equalize_are_those_of_pillow(seed, channels):
    image = _photo(channels, seed) // 2 + 30
    # Pillow cuts off to levels.
    expected = _pillow(image, ImageOps.autocontrast)
    np.testing.assert_allclose(_apply("autocontrast", image, 0.5), expected, atol=1.1 * _LEVEL)
    expected = _pillow(image, ImageOps.equalize)
    np.testing.assert_allclose(_apply("equalize", image, 0.5), expected, atol=1e-6)
    assert np.abs(expected - image / 255).max() > 0.2


@pytest.mark.parametrize("brightest", [15, 16, 17, 4000])
def test_equalize_counts_as_pillow_does(brightest):
    # With 16 of 4096 pixels at the brightest level, the others are 255 times 16: a limit case.
    levels = np.random.default_rng(0).integers(0, 200, 4096 - brightest)
    image = np.append(levels, np.full(brightest, 200)).reshape(64, 64, 1).astype(np.uint8)
    expected = _pillow(image, ImageOps.equalize)
    np.testing.assert_allclose(_apply("equalize", image, 0.5), expected, atol=1e-6)


@pytest.mark.parametrize("name", rand_augment.OPERATIONS)
def test_a_flat_image_gets_no_structure_from_rounding_errors(name):
    image = np.full((_SIZE, _SIZE, 3), _GRAY, np.uint8)
    noisy = image / 255 + np.random.default_rng(0).uniform(-1e-6, 1e-6, image.shape)
    got = _apply(name, noisy * 255, 0.6)
    assert np.ptp(got) < 0.01


@pytest.mark.parametrize("name", sorted({*rand_augment.OPERATIONS} - {"autocontrast", "equalize"}))
def test_strength_0_changes_nothing(name):
    image = np.concatenate([_photo(3), np.full((1, _SIZE, 3), 255, np.uint8)])
    np.testing.assert_allclose(_apply(name, image, 0.0), image / 255, atol=1e-6)


def test_colour_of_gray_images_stays():
    np.testing.assert_allclose(_apply("color", _photo(1), 1.0), _photo(1) / 255, atol=1e-7)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", rand_augment.OPERATIONS)
def test_images_of_a_batch_do_not_meet_and_there_may_be_none(name, channels):
    images = np.stack([_photo(channels, seed) for seed in range(3)])
    strengths = [0.6, -0.2, 1.0]
    operation = rand_augment.OPERATIONS[name]
    together = operation(tf.constant(images / 255, tf.float32), tf.constant(strengths))
    alone = [_apply(name, *pair) for pair in zip(images, strengths, strict=True)]
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert operation(tf.zeros([0, 8, 8, channels]), tf.zeros([0])).shape == (0, 8, 8, channels)


@pytest.mark.parametrize(("batch", "channels"), [(64, 3), (64, 1), (1, 3)])
def test_keeps_shape_dtype_and_range(batch, channels):
    images = np.stack([_photo(channels, seed) for seed in range(batch)]).astype(np.float32) / 255
    changed = rand_augment.augment(images, tf.constant([1, 2]))
    assert changed.shape == images.shape
    assert changed.dtype == tf.float32
    assert tf.reduce_min(changed) >= -1e-6
    assert tf.reduce_max(changed) <= 1 + 1e-6


def test_is_a_pure_function_of_the_seed():
    images = np.stack([_photo(3, seed) for seed in range(32)]).astype(np.float32) / 255
    tf.random.set_seed(1)
    first = rand_augment.augment(images, tf.constant([5, 0])).numpy()
    tf.random.set_seed(2)
    np.testing.assert_array_equal(rand_augment.augment(images, tf.constant([5, 0])), first)
    changed = np.abs(rand_augment.augment(images, tf.constant([5, 1])) - first).max(axis=(1, 2, 3))
    assert (changed > 0.01).sum() > 10


def test_a_quarter_of_the_images_is_left_alone_and_the_others_differ():
    image = _photo(3).astype(np.float32) / 255
    changed = rand_augment.augment(
        np.repeat(image[np.newaxis], 400, axis=0), tf.constant([1, 2])
    ).numpy()
    is_same = np.abs(changed - image).max(axis=(1, 2, 3)) < 1e-6
    # Both draws of an image are left out one time in four: 100 +- 9.
    assert 70 < is_same.sum() < 130
    # Of the others few coincide: autocontrast and equalize know no strength.
    kinds = np.unique(np.round(changed[~is_same], 3), axis=0)
    assert len(kinds) > 0.8 * (~is_same).sum()


def test_every_operation_is_drawn_about_equally_often(monkeypatch):
    count = len(rand_augment.OPERATIONS)
    # Each adds a number of its own; one layer, so that they do not add up.
    marks = {
        name: lambda images, strengths, mark=index + 1: images + mark
        for index, name in enumerate(rand_augment.OPERATIONS)
    }
    monkeypatch.setattr(rand_augment, "OPERATIONS", marks)
    monkeypatch.setattr(rand_augment, "_NUM_LAYERS", 1)
    drawn = rand_augment.augment(tf.zeros([2600, 1, 1, 1]), tf.constant([1, 2]))
    seen = np.bincount(drawn.numpy().astype(int).ravel(), minlength=count + 1)
    assert abs(seen[0] - 1300) < 4 * math.sqrt(2600 / 4)
    assert (np.abs(seen[1:] - 100) < 4 * math.sqrt(100)).all()


def test_strengths_are_about_6_of_10_to_both_sides(monkeypatch):
    monkeypatch.setattr(
        rand_augment,
        "OPERATIONS",
        {"all": lambda images, strengths: images + strengths[:, None, None, None]},
    )
    monkeypatch.setattr(rand_augment, "_NUM_LAYERS", 1)
    strengths = rand_augment.augment(tf.zeros([2000, 1, 1, 1]), tf.constant([1, 2])).numpy()
    strengths = strengths[strengths != 0]
    assert abs(np.abs(strengths).mean() - 0.6) < 0.01
    assert abs(np.abs(strengths).std() - 0.05) < 0.01
    assert 0.4 < (strengths > 0).mean() < 0.6


_DETERMINISTIC_PIPELINE = """
import tensorflow as tf

tf.config.experimental.enable_op_determinism()
from ss_tf.data import mixing, rand_augment

mix = mixing.build_mixer(mixup=0.2, cutmix=1.0)
images = tf.random.stateless_uniform([64, 16, 16, 3], [1, 2])

def finish(seed):
    return mix(rand_augment.augment(images, seed), tf.range(64, dtype=tf.int64), seed)

seeds = tf.data.Dataset.from_tensor_slices(tf.range(8)[:, tf.newaxis] + [0, 1])
first, second = (list(seeds.map(finish, tf.data.AUTOTUNE)) for _ in range(2))
for one, two in zip(first, second, strict=True):
    for a, b in zip(one, two, strict=True):
        tf.debugging.assert_equal(a, b)
"""


@pytest.mark.slow
def test_works_under_op_determinism():
    """In a process of its own, as there is no way back from determinism."""
    done = subprocess.run(
        [sys.executable, "-c", _DETERMINISTIC_PIPELINE],
        cwd=pathlib.Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    # TensorFlow says so when it takes away the parallelism of operations with a state.
    assert "stateful" not in done.stderr
