from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ss_tf.data import examples, preprocessing


def _smooth(height, width):
    rows = np.linspace(0, 150, height)[:, None, None]
    columns = np.linspace(0, 100, width)[None, :, None]
    return np.repeat(rows + columns, 3, axis=2).astype(np.uint8)


def test_unit_range_ends_at_zero_and_one():
    unit = preprocessing.to_unit_range(tf.constant([0, 51, 255], tf.uint8))
    np.testing.assert_allclose(unit, [0, 0.2, 1])


def test_normalise_subtracts_the_mean_and_divides_by_std_per_channel():
    image_format = examples.ImageFormat(
        channels=3, mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 2.0), crop_fraction=1.0
    )
    normalised = preprocessing.normalise(tf.ones([2, 4, 4, 3]), image_format)
    np.testing.assert_allclose(normalised[1, 2, 3], [1.0, 3.0, 0.5])


@pytest.mark.parametrize(("height", "width"), [(400, 240), (240, 400), (256, 256)])
def test_centre_crop_shows_what_resize_then_crop_shows(height, width):
    image = _smooth(height, width)
    ours = preprocessing.centre_crop(tf.constant(image), image_size=28, crop_fraction=0.875)
    # torchvision's way, with Pillow: the short side to 28 / 0.875 = 32, then the middle 28.
    short = min(height, width)
    size = (round(width * 32 / short), round(height * 32 / short))
    resized = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    top, left = (size[1] - 28) // 2, (size[0] - 28) // 2
    theirs = resized[top : top + 28, left : left + 28]
    # Colours change by up to 3 from pixel to pixel, and the two centres may differ by half of one.
    np.testing.assert_allclose(ours, theirs, atol=3)


def test_centre_crop_of_the_right_size_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 1), dtype=np.uint8)
    cropped = preprocessing.centre_crop(tf.constant(image), image_size=32, crop_fraction=1.0)
    np.testing.assert_allclose(cropped, image, atol=1e-4)


def test_centre_crop_treats_a_batch_as_its_images():
    batch = np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3), dtype=np.uint8)
    together = preprocessing.centre_crop(tf.constant(batch), image_size=16, crop_fraction=0.9)
    alone = [
        preprocessing.centre_crop(tf.constant(image), image_size=16, crop_fraction=0.9)
        for image in batch
    ]
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_shrinking_averages_instead_of_picking():
    # A chessboard of single pixels: any picking resize would find black or white.
    image = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None]
    shrunk = preprocessing.centre_crop(tf.constant(image), image_size=8, crop_fraction=1.0)
    np.testing.assert_allclose(shrunk, 127.5, atol=2)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 50, 3), (3, 2, 1)])
def test_tiny_images_become_squares(shape):
    image = tf.constant(np.full(shape, 7, np.uint8))
    evaluated = preprocessing.centre_crop(image, image_size=8, crop_fraction=0.875)
    trained = preprocessing.random_crop(image, image_size=8, seed=tf.constant([1, 2]))
    np.testing.assert_allclose(evaluated, np.full((8, 8, shape[2]), 7.0), atol=1e-4)
    np.testing.assert_allclose(trained, np.full((8, 8, shape[2]), 7.0), atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(300, 300), (400, 300), (300, 400)])
def test_crop_box_lies_inside_with_the_documented_area_and_aspect(height, width):
    draw = tf.function(lambda seed: preprocessing.random_crop_box(height, width, seed=seed))
    boxes = np.array([draw(tf.constant([0, index])) for index in range(300)])
    assert boxes[:, :2].min() >= 0
    assert (boxes[:, 0] + boxes[:, 2]).max() <= height
    assert (boxes[:, 1] + boxes[:, 3]).max() <= width
    areas = boxes[:, 2] * boxes[:, 3] / (height * width)
    # A box that would stick out is cut, which costs at most the aspect ratio's excess.
    assert 0.34 < areas.min() < 0.40
    assert 0.95 < areas.max() <= 1
    assert (boxes[:, 3] / boxes[:, 2]).max() <= 1.35
    assert (boxes[:, 2] / boxes[:, 3]).max() <= 1.35


def test_crop_box_of_a_panorama_keeps_its_aspect_and_gives_up_area():
    boxes = np.array(
        [
            preprocessing.random_crop_box(30, 3000, seed=tf.constant([0, index]))
            for index in range(50)
        ]
    )
    assert (boxes[:, 2] == 30).all()
    assert (boxes[:, 3] == 40).all()
    # The box still wanders over the whole width.
    assert boxes[:, 1].min() < 600
    assert boxes[:, 1].max() > 2400


def test_random_crop_is_the_box_resized():
    image, seed = tf.constant(_smooth(90, 70)), tf.constant([3, 4])
    top, left, height, width = preprocessing.random_crop_box(90, 70, seed=seed).numpy()
    part = Image.fromarray(_smooth(90, 70)[top : top + height, left : left + width])
    expected = np.asarray(part.resize((24, 24), Image.Resampling.BILINEAR))
    actual = preprocessing.random_crop(image, image_size=24, seed=seed)
    np.testing.assert_allclose(actual, expected, atol=1.5)


def test_files_are_decoded_large_enough_for_the_smallest_crop():
    side = preprocessing.decoded_side(224)
    smallest = side * np.sqrt(preprocessing.MIN_CROP_AREA / preprocessing.MAX_ASPECT_RATIO)
    assert smallest >= 224
    assert side * 0.875 >= 224
