from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ss_tf import config
from ss_tf.data import augmentation

_SEED = tf.constant([1, 2])


def _noise(channels, batch=16, size=20):
    shape = (batch, size, size, channels)
    return np.random.default_rng(0).random(shape).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "names", [*[(name,) for name in config.AUGMENTATIONS], config.AUGMENTATIONS]
)
def test_changes_images_and_keeps_shape_dtype_and_range(names, channels):
    images = _noise(channels)
    changed = augmentation.build_augmenter(names)(images, _SEED).numpy()
    assert changed.shape == images.shape
    assert changed.dtype == np.float32
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert np.abs(changed - images).max() > 0.01


@pytest.mark.parametrize("channels", [1, 3])
def test_two_augmenters_agree_on_a_seed_and_differ_between_seeds(channels):
    images = _noise(channels)
    one, two = (augmentation.build_augmenter(config.AUGMENTATIONS) for _ in range(2))
    first = one(images, tf.constant([5, 0])).numpy()
    np.testing.assert_array_equal(two(images, tf.constant([5, 0])), first)
    np.testing.assert_array_equal(one(images, tf.constant([5, 0])), first)
    assert np.abs(two(images, tf.constant([5, 1])).numpy() - first).max() > 0.01


def test_graph_and_eager_agree():
    images = _noise(3)
    augment = augmentation.build_augmenter(config.AUGMENTATIONS)
    graph = tf.function(augment, autograph=False)(tf.constant(images), _SEED)
    np.testing.assert_allclose(graph, augment(images, _SEED), atol=1e-5)


def test_the_global_seed_plays_no_part():
    augment = augmentation.build_augmenter(("translate", "color"))
    tf.random.set_seed(1)
    first = augment(_noise(3), _SEED)
    tf.random.set_seed(2)
    np.testing.assert_array_equal(augment(_noise(3), _SEED), first)


def test_the_global_generator_that_determinism_forbids_is_not_touched(monkeypatch):
    def forbidden():
        raise RuntimeError

    monkeypatch.setattr(tf.random, "get_global_generator", forbidden)
    augment = augmentation.build_augmenter(config.AUGMENTATIONS)
    assert augment(_noise(3), _SEED).shape == (16, 20, 20, 3)


def test_images_of_a_batch_are_changed_differently():
    image = _noise(3, batch=1)
    for name in config.AUGMENTATIONS:
        changed = augmentation.build_augmenter((name,))(np.repeat(image, 16, axis=0), _SEED)
        assert np.abs(changed[1:] - changed[:1]).max() > 0.01, name


def test_no_augmentation_changes_nothing():
    images = _noise(1)
    np.testing.assert_array_equal(augmentation.build_augmenter(())(images, _SEED), images)


def test_translation_moves_whole_pixels_and_repeats_the_edge():
    images = _noise(1, batch=64, size=32)
    changed = augmentation.build_augmenter(("translate",))(images, _SEED).numpy()
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    seen = set()
    for index in range(64):
        matches = [
            (top, left)
            for top in range(5)
            for left in range(5)
            if np.array_equal(padded[index, top : top + 32, left : left + 32], changed[index])
        ]
        assert len(matches) == 1
        seen.update(matches)
    tops, lefts = zip(*seen, strict=True)
    assert set(tops) == set(lefts) == set(range(5))


def test_flip_mirrors_about_half_of_the_images():
    images = _noise(3, batch=200, size=8)
    changed = augmentation.build_augmenter(("flip",))(images, _SEED).numpy()
    mirrored = np.array(
        [np.array_equal(a, b[:, ::-1]) for a, b in zip(changed, images, strict=True)]
    )
    kept = np.array([np.array_equal(a, b) for a, b in zip(changed, images, strict=True)])
    assert (mirrored ^ kept).all()
    assert 60 < mirrored.sum() < 140


def test_zoom_and_rotation_keep_the_centre_and_a_flat_ground():
    images = np.full((8, 21, 21, 1), 0.75, np.float32)
    images[:, 9:12, 9:12] = 0.0
    changed = augmentation.build_augmenter(("zoom", "rotate"))(images, _SEED).numpy()
    np.testing.assert_allclose(changed[:, 10, 10], 0, atol=1e-5)
    # No corner is filled with anything but the ground.
    np.testing.assert_allclose(changed[:, [0, 0, 20, 20], [0, 20, 0, 20]], 0.75, atol=1e-5)


def test_rotation_turns_by_at_most_five_degrees():
    images = np.zeros((64, 101, 101, 1), np.float32)
    images[:, 50, 90] = 1.0
    changed = augmentation.build_augmenter(("rotate",))(images, _SEED).numpy()[..., 0]
    rows = np.array([np.unravel_index(image.argmax(), image.shape)[0] for image in changed])
    # 40 pixels from the centre, 5 degrees are 3.5 pixels.
    assert np.abs(rows - 50).max() in (3, 4)


def test_colour_changes_gray_images_evenly():
    images = np.full((32, 8, 8, 3), 0.5, np.float32)
    changed = augmentation.build_augmenter(("color",))(images, _SEED).numpy()
    # Contrast and saturation leave a flat gray image alone; brightness moves it by up to 0.1.
    np.testing.assert_allclose(changed, changed[:, :1, :1, :1] * np.ones((1, 8, 8, 3)), atol=1e-5)
    assert 0.05 < np.abs(changed - 0.5).max() <= 0.1 + 1e-6


def test_unknown_name_is_refused():
    with pytest.raises(ValueError, match="Unknown augmentation 'cutout', expected translate, rot"):
        augmentation.build_augmenter(("flip", "cutout"))


def test_every_configured_name_is_built():
    assert set(augmentation._BUILDERS) == set(config.AUGMENTATIONS)
