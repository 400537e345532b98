import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ss_tf.deltas import residual

NAME = "layer1.0.conv1/kernel"
_SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


@given(st.data(), _SHAPES)
def test_apply_restores_the_sub_network_bit_for_bit(data, shape):
    base = {NAME: data.draw(hnp.arrays(np.int8, shape))}
    sub = {NAME: data.draw(hnp.arrays(np.int8, shape))}
    restored = residual.apply_delta(base, residual.compute_delta(base, sub))
    np.testing.assert_array_equal(restored[NAME], sub[NAME], strict=True)


@given(st.data(), _SHAPES)
def test_delta_is_the_difference_modulo_256(data, shape):
    base = data.draw(hnp.arrays(np.int8, shape))
    sub = data.draw(hnp.arrays(np.int8, shape))
    delta = residual.compute_delta({NAME: base}, {NAME: sub})[NAME]
    expected = (sub.astype(int) - base.astype(int)) % 256
    np.testing.assert_array_equal(delta.astype(int) % 256, expected)


def test_difference_wraps_at_the_ends_of_int8():
    base = {NAME: np.array([-128, 127], np.int8)}
    sub = {NAME: np.array([127, -128], np.int8)}
    delta = residual.compute_delta(base, sub)
    # 127 - -128 = 255 = -1 (mod 256), and -128 - 127 = -255 = 1 (mod 256).
    np.testing.assert_array_equal(delta[NAME], np.array([-1, 1], np.int8), strict=True)


def test_weights_that_did_not_move_give_zeros():
    base = {NAME: np.arange(-128, 128, dtype=np.int8)}
    assert not residual.compute_delta(base, base)[NAME].any()


def test_inputs_keep_their_values_and_share_no_memory():
    base, sub = {NAME: np.array([1, 2], np.int8)}, {NAME: np.array([5, 2], np.int8)}
    delta = residual.compute_delta(base, sub)
    restored = residual.apply_delta(base, delta)
    delta[NAME][:] = 9
    restored[NAME][:] = 9
    np.testing.assert_array_equal(base[NAME], [1, 2])
    np.testing.assert_array_equal(sub[NAME], [5, 2])


def test_transposed_kernels_are_restored():
    base = {NAME: np.arange(6, dtype=np.int8).reshape(2, 3).T}
    sub = {NAME: np.arange(6, dtype=np.int8).reshape(3, 2)}
    restored = residual.apply_delta(base, residual.compute_delta(base, sub))
    np.testing.assert_array_equal(restored[NAME], sub[NAME])


@pytest.mark.parametrize(
    ("base", "sub", "message"),
    [
        ({"a": np.int8}, {}, r"'a' of the base is missing from the sub network"),
        ({}, {"b": np.int8}, r"'b' of the sub network is missing from the base"),
        ({"a": np.int8}, {"a": np.int16}, r"'a' of the sub network is int16, expected int8"),
        ({"a": np.float32}, {"a": np.int8}, r"'a' of the base is float32, expected int8"),
    ],
)
def test_mismatched_networks_are_refused_by_name(base, sub, message):
    base = {name: np.zeros(2, dtype) for name, dtype in base.items()}
    sub = {name: np.zeros(2, dtype) for name, dtype in sub.items()}
    with pytest.raises(ValueError, match=message):
        residual.compute_delta(base, sub)


def test_other_shape_is_refused_by_name():
    base, sub = {NAME: np.zeros((4, 2), np.int8)}, {NAME: np.zeros((4, 3), np.int8)}
    with pytest.raises(ValueError, match=r"conv1/kernel.*\(4, 3\).*\(4, 2\)"):
        residual.compute_delta(base, sub)
    with pytest.raises(ValueError, match=r"conv1/kernel' of the delta.*\(4, 3\).*\(4, 2\)"):
        residual.apply_delta(base, sub)
