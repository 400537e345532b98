import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ss_tf.deltas import huffman, kernel_order

_SHAPES = st.tuples(*[st.integers(1, 3)] * 3, st.integers(1, 150))


def _random(shape, spreads):
    return np.rint(np.random.default_rng(0).laplace(0, spreads, shape)).astype(np.int8)


@settings(max_examples=30, deadline=None)
@given(st.data(), _SHAPES)
def test_undo_restores_residuals_whatever_the_levels(data, shape):
    residuals = np.random.default_rng(0).integers(-128, 128, shape, np.int8)
    levels = data.draw(hnp.arrays(np.uint8, shape[-1]))
    values = kernel_order.by_channel(residuals, levels)
    restored = kernel_order.undo_by_channel(values, levels, shape=shape)
    np.testing.assert_array_equal(restored, residuals, strict=True)


def test_channels_of_a_lower_level_come_first_and_whole():
    residuals = np.arange(2 * 1 * 2 * 5, dtype=np.int8).reshape(2, 1, 2, 5)
    levels = np.array([1, 0, 7, 0, 1], np.uint8)
    expected = [residuals[..., channel].ravel() for channel in (1, 3, 0, 4, 2)]
    np.testing.assert_array_equal(
        kernel_order.by_channel(residuals, levels), np.concatenate(expected), strict=True
    )


def test_levels_are_eighths_of_the_channels_by_mean_magnitude():
    magnitudes = np.array([5, 0, 90, 3, 128, 1, 60, 2, 4, 100, 6, 7, 8, 9, 10, 11])
    # Of both signs, so that neither mean nor maximum would do; -128 is the largest there is.
    residuals = np.stack([-magnitudes, np.minimum(magnitudes, 127)]).astype(np.int8)
    levels = kernel_order.channel_levels(residuals.reshape(1, 2, 1, 16))
    assert levels.dtype == np.uint8
    assert levels.tolist() == [2, 0, 6, 1, 7, 0, 6, 1, 2, 7, 3, 3, 4, 4, 5, 5]


@pytest.mark.parametrize("channels", [1, 3, 8, 13, 100])
def test_levels_ascend_with_the_spread_and_have_equal_shares(channels):
    residuals = _random((3, 3, 2, channels), np.random.default_rng(1).uniform(0.1, 9, channels))
    levels = kernel_order.channel_levels(residuals)
    magnitudes = np.abs(residuals.astype(int)).mean((0, 1, 2))
    order = np.argsort(magnitudes, kind="stable")
    assert (np.diff(levels[order].astype(int)) >= 0).all()
    shares = np.bincount(levels, minlength=8)
    assert shares.size == 8
    assert shares.max() - shares.min() <= 1


def test_channels_that_changed_alike_keep_their_order():
    residuals = np.full((3, 3, 2, 16), -4, np.int8)
    assert kernel_order.channel_levels(residuals).tolist() == sorted([*range(8)] * 2)


def test_order_pays_where_channels_differ():
    channels = 256
    residuals = _random((3, 3, 32, channels), np.tile([0.2, 6], channels // 2))
    levels = kernel_order.channel_levels(residuals)
    ordered = kernel_order.by_channel(residuals, levels).view(np.uint8)
    plain = residuals.ravel().view(np.uint8)
    assert len(huffman.compress(ordered)) + levels.size < 0.9 * len(huffman.compress(plain))
