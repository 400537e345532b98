from __future__ import annotations

import io

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from PIL import Image

from ss_tf.data import examples, preprocessing


def _smooth(height, width):
    rows = np.linspace(0, 150, height)[:, None, None]
    columns = np.linspace(0, 100, width)[None, :, None]
    return np.repeat(rows + columns, 3, axis=2).astype(np.uint8)


def _draw_box(height, width, *, seed, min_area=0.35):
    box = preprocessing.random_crop_box(height, width, min_area=min_area, seed=tf.constant(seed))
    return box.numpy()


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
    box = _draw_box(*shape[:2], seed=[1, 2])
    trained = preprocessing.resize(preprocessing.cut_out(image, box), image_size=8)
    np.testing.assert_allclose(evaluated, np.full((8, 8, shape[2]), 7.0), atol=1e-4)
    np.testing.assert_allclose(trained, np.full((8, 8, shape[2]), 7.0), atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(300, 300), (400, 300), (300, 400)])
def test_crop_box_lies_inside_with_the_documented_area_and_aspect(height, width):
    draw = tf.function(
        lambda seed: preprocessing.random_crop_box(height, width, min_area=0.35, seed=seed)
    )
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
    boxes = np.array([_draw_box(30, 3000, seed=[0, index]) for index in range(50)])
    assert (boxes[:, 2] == 30).all()
    assert (boxes[:, 3] == 40).all()
    # The box still wanders over the whole width.
    assert boxes[:, 1].min() < 600
    assert boxes[:, 1].max() > 2400


@hypothesis.given(
    height=st.integers(1, 5000),
    width=st.integers(1, 5000),
    min_area=st.floats(0.01, 1.0),
    seed=st.integers(0, 2**31 - 2),
)
@hypothesis.settings(max_examples=100, deadline=None)
def test_every_crop_box_lies_inside_and_is_not_empty(height, width, min_area, seed):
    top, left, box_height, box_width = _draw_box(height, width, seed=[seed, 1], min_area=min_area)
    assert 0 <= top <= top + box_height <= height
    assert 0 <= left <= left + box_width <= width
    assert min(box_height, box_width) >= 1


@hypothesis.given(
    height=st.integers(1, 5000), width=st.integers(1, 5000), fraction=st.floats(0.01, 1.0)
)
@hypothesis.settings(max_examples=100, deadline=None)
def test_every_centre_box_is_a_square_in_the_middle(height, width, fraction):
    box = preprocessing.centre_box(height, width, crop_fraction=fraction)
    top, left, box_height, box_width = box.numpy()
    assert box_height == box_width >= 1
    assert abs(box_height - fraction * min(height, width)) <= 1
    assert 0 <= height - box_height - 2 * top <= 1
    assert 0 <= width - box_width - 2 * left <= 1


def test_crops_of_the_whole_area_show_it_all():
    assert _draw_box(30, 30, seed=[0, 0], min_area=1.0)[2:].min() >= 26


def test_part_of_an_image_is_resized_as_pillow_does():
    image = _smooth(90, 70)
    box = _draw_box(90, 70, seed=[3, 4])
    top, left, height, width = box
    part = Image.fromarray(image[top : top + height, left : left + width])
    expected = np.asarray(part.resize((24, 24), Image.Resampling.BILINEAR))
    actual = preprocessing.resize(preprocessing.cut_out(tf.constant(image), box), image_size=24)
    np.testing.assert_allclose(actual, expected, atol=1.5)


def test_files_are_decoded_large_enough_for_the_smallest_crop():
    for min_area in (0.08, 0.35, 1.0):
        side = preprocessing.decoded_side(224, min_crop_area=min_area)
        assert side * np.sqrt(min_area / preprocessing.MAX_ASPECT_RATIO) >= 224
        assert side >= 2 * 224


def _jpeg(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def _decode(encoded, box, *, min_side, channels=3):
    part = preprocessing.decode_jpeg_part(
        encoded, lambda *_: tf.constant(box), min_side=min_side, channels=channels
    )
    return part.numpy()


def test_part_of_a_jpeg_is_what_pillow_decodes_there():
    noise = np.random.default_rng(0).integers(-9, 10, (203, 151, 3))
    encoded = _jpeg(np.clip(_smooth(203, 151) + noise, 0, 255).astype(np.uint8))
    part = _decode(encoded, [37, 11, 100, 90], min_side=90)
    expected = np.asarray(Image.open(io.BytesIO(encoded)))[37:137, 11:101].astype(int)
    # Colours at the rim of a part may be filled in differently.
    np.testing.assert_array_equal(part[1:-1, 1:-1], expected[1:-1, 1:-1])


def test_box_of_a_jpeg_is_chosen_from_its_own_size():
    seen = []

    def choose_box(height, width):
        seen.append((int(height), int(width)))
        return tf.constant([0, 0, 5, 5])

    preprocessing.decode_jpeg_part(_jpeg(_smooth(50, 70)), choose_box, min_side=8, channels=3)
    assert seen == [(50, 70)]


@pytest.mark.parametrize(
    ("min_side", "ratio"), [(101, 1), (100, 2), (51, 2), (50, 4), (25, 8), (3, 8)]
)
def test_large_parts_of_a_jpeg_are_shrunk_but_not_too_far(min_side, ratio):
    image = _smooth(320, 400)
    part = _decode(_jpeg(image), [40, 80, 200, 240], min_side=min_side)
    assert part.shape == (200 // ratio, 240 // ratio, 3)
    expected = Image.fromarray(image).crop((80, 40, 320, 240)).reduce(ratio)
    assert np.abs(part - np.asarray(expected).astype(int)).mean() < 2


def test_gray_jpeg_has_the_channels_asked_for():
    encoded = _jpeg(np.full((20, 30), 77, np.uint8))
    for channels in (1, 3):
        part = _decode(encoded, [0, 0, 20, 30], min_side=20, channels=channels)
        np.testing.assert_array_equal(part, np.full((20, 30, channels), 77))


def test_whole_jpegs_are_told_from_damaged_ones():
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    data = tf.io.encode_jpeg(pixels).numpy()
    assert preprocessing.is_whole_jpeg(data)
    for length in (0, 3, 100, len(data) // 2, len(data) - 2):
        assert not preprocessing.is_whole_jpeg(data[:length])
