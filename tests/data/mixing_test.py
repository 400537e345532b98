from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ss_tf.data import mixing

_BOTH_WAYS = [(0.2, 0.0), (0.0, 1.0), (0.2, 1.0)]


def _batch(batch=6, size=12, channels=3):
    images = np.random.default_rng(0).normal(size=(batch, size, size, channels))
    return images.astype(np.float32), np.arange(10, 10 + batch, dtype=np.int64)


def _draw(mixup, cutmix, *, count, size=12):
    """Returns the batches of many seeds: images that tell own (1) from partner (0), and shares."""
    mix = mixing.build_mixer(mixup=mixup, cutmix=cutmix)
    images = tf.stack([tf.ones([size, size]), tf.zeros([size, size])])[..., tf.newaxis]
    seeds = tf.data.Dataset.from_tensor_slices([[7, seed] for seed in range(count)])
    drawn = seeds.map(lambda seed: mix(images, tf.range(2, dtype=tf.int64), seed))
    drawn = mixing.Batch(*drawn.batch(count).get_single_element())
    return drawn.images[:, 0, ..., 0].numpy(), drawn.shares[:, 0].numpy()


@pytest.mark.parametrize(("batch", "channels"), [(1, 1), (5, 3)])
@pytest.mark.parametrize(("mixup", "cutmix"), [*_BOTH_WAYS, (0.0, 0.0)])
def test_keeps_shapes_and_dtypes_even_in_a_graph(mixup, cutmix, batch, channels):
    images, labels = _batch(batch, channels=channels)
    mix = tf.function(mixing.build_mixer(mixup=mixup, cutmix=cutmix), autograph=False)
    specs = [tf.TensorSpec(array.shape, array.dtype) for array in (images, labels)]
    concrete = mix.get_concrete_function(*specs, tf.TensorSpec([2], tf.int32))
    for got in (concrete.structured_outputs, mix(images, labels, tf.constant([1, 2]))):
        assert [(item.shape, item.dtype) for item in got] == [
            (images.shape, tf.float32),
            ((batch,), tf.int64),
            ((batch,), tf.int64),
            ((batch,), tf.float32),
        ]


def test_without_alphas_nothing_is_touched():
    images, labels = map(tf.constant, _batch())
    got = mixing.build_mixer(mixup=0.0, cutmix=0.0)(images, labels, tf.constant([1, 2]))
    assert got.images is images
    assert got.labels is got.partners is labels
    np.testing.assert_array_equal(got.shares, np.ones(6))


@pytest.mark.parametrize("batch", [1, 5, 6])
def test_mixup_blends_images_with_the_shares_that_it_gives(batch):
    images, labels = _batch(batch)
    got = mixing.build_mixer(mixup=0.8, cutmix=0.0)(images, labels, tf.constant([1, 2]))
    np.testing.assert_array_equal(got.labels, labels)
    np.testing.assert_array_equal(got.partners, labels[::-1])
    share = got.shares.numpy()
    assert 0.01 < share[0] < 0.99
    np.testing.assert_array_equal(share, np.full(batch, share[0]))
    expected = share[0] * images + (1 - share[0]) * images[::-1]
    np.testing.assert_allclose(got.images, expected, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_cutmix_pastes_one_box_and_its_share_counts_the_pixels(seed):
    images, labels = _batch(4, size=16)
    got = mixing.build_mixer(mixup=0.0, cutmix=1.0)(images, labels, tf.constant([3, seed]))
    own = (got.images.numpy() == images).all(axis=-1)
    pasted = (got.images.numpy() == images[::-1]).all(axis=-1)
    assert (own ^ pasted).all()
    np.testing.assert_array_equal(pasted, np.broadcast_to(pasted[:1], pasted.shape))
    rows, columns = pasted[0].any(axis=1), pasted[0].any(axis=0)
    np.testing.assert_array_equal(pasted[0], np.outer(rows, columns))
    for line in (rows, columns):
        assert np.abs(np.diff(line.astype(int), prepend=0, append=0)).sum() in (0, 2)
    np.testing.assert_allclose(got.shares, own.mean(axis=(1, 2)), atol=1e-6)
    np.testing.assert_array_equal(got.partners, labels[::-1])


def test_boxes_reach_the_edges_and_lie_anywhere():
    own, shares = _draw(0.0, 1.0, count=300)
    pasted = 1 - own.mean(axis=0)
    assert pasted.min() > 0.1
    # Without the correction for what is cut off, the mean of Beta(1, 1) would be 1/2.
    assert 0.55 < shares.mean() < 0.75
    np.testing.assert_allclose(shares, own.mean(axis=(1, 2)), atol=1e-6)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_of_mixup_are_beta_distributed(alpha):
    _, shares = _draw(alpha, 0.0, count=400, size=1)
    # The variance of Beta(a, a) is 1 / (4 (2 a + 1)). Tolerances: four standard errors or more.
    variance = 1 / (4 * (2 * alpha + 1))
    assert abs(shares.mean() - 0.5) < 4 * np.sqrt(variance / 400)
    assert abs(shares.var() / variance - 1) < 0.25


def test_tiny_alphas_give_shares_above_0_up_to_1():
    own, shares = _draw(0.001, 0.001, count=60, size=8)
    assert np.isfinite(own).all()
    assert ((shares > 0) & (shares <= 1)).all()
    assert {0.0, 1.0} <= set(np.round(shares, 3))


def test_a_coin_decides_between_both():
    own, shares = _draw(1.0, 1.0, count=200, size=16)
    is_cut = np.array([set(np.unique(image)) <= {0.0, 1.0} for image in own])
    assert 70 < is_cut.sum() < 130
    assert all(np.ptp(image) == 0 for image in own[~is_cut])
    np.testing.assert_allclose(shares, own.mean(axis=(1, 2)), atol=1e-5)


@pytest.mark.parametrize(("mixup", "cutmix"), _BOTH_WAYS)
def test_is_a_pure_function_of_the_seed(mixup, cutmix):
    images, labels = _batch()
    one, two = (mixing.build_mixer(mixup=mixup, cutmix=cutmix) for _ in range(2))
    tf.random.set_seed(1)
    first = one(images, labels, tf.constant([1, 2]))
    tf.random.set_seed(2)
    for again in (one, two):
        for got, expected in zip(again(images, labels, tf.constant([1, 2])), first, strict=True):
            np.testing.assert_array_equal(got, expected)
    assert np.abs(one(images, labels, tf.constant([1, 3])).images - first.images).max() > 0.01


def test_negative_alpha_is_refused():
    with pytest.raises(ValueError, match=r"cutmix is -0\.1, expected an alpha of at least 0"):
        mixing.build_mixer(mixup=0.2, cutmix=-0.1)
