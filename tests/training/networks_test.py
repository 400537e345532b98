import numpy as np
import pytest

from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.training import networks


def _base(num_classes=4):
    """Returns a base of one convolution and a head whose column c holds c + 1."""
    columns = np.arange(1, num_classes + 1)
    return IntegerNetwork(
        kernels={
            "conv1/kernel": np.full((1, 1, 1, 2), 3, np.int8),
            "fc/kernel": np.tile(columns, (2, 1)).astype(np.int8),
        },
        scales={
            "conv1/kernel": np.array([0.5, 0.25], np.float32),
            "fc/kernel": np.float32(0.5).reshape(()),
        },
        floats={
            "fc/bias": columns.astype(np.float32),
            "image/output_min": np.float32(-1).reshape(()),
            "image/output_max": np.float32(1).reshape(()),
        },
        metadata={},
    )


def test_from_a_flat_base_the_head_starts_as_its_own_columns():
    weights = networks.sub_weights(_base(), labels=[1, 3], width=3)
    np.testing.assert_array_equal(weights["fc/kernel"], [[1.0, 2.0, 0.0]] * 2)  # 2, 4 times 0.5.
    np.testing.assert_array_equal(weights["fc/bias"], [2.0, 4.0, 0.0])
    np.testing.assert_array_equal(weights["conv1/kernel"].ravel(), [1.5, 0.75])


def test_from_a_super_base_the_head_starts_at_zero():
    weights = networks.sub_weights(_base(), labels=None, width=6)
    assert weights["fc/kernel"].shape == (2, 6)
    assert not weights["fc/kernel"].any()
    assert not weights["fc/bias"].any()
    np.testing.assert_array_equal(weights["conv1/kernel"].ravel(), [1.5, 0.75])


def test_ranges_of_quantizers_are_no_weights():
    assert set(networks.sub_weights(_base(), labels=None, width=2)) == {
        "conv1/kernel",
        "fc/kernel",
        "fc/bias",
    }


def test_different_bases_are_different_origins(tmp_path):
    one, other = networks.origin(_base(4)), networks.origin(_base(5))
    assert len({one, other, networks.origin(None)}) == 3
    networks.check_origin({"origin": one}, one, folder=tmp_path)
    with pytest.raises(ValueError, match=r"started from base .*: the base was trained again since"):
        networks.check_origin({"origin": other}, one, folder=tmp_path)
    with pytest.raises(ValueError, match=r"started from None, expected random weights"):
        networks.check_origin({}, networks.origin(None), folder=tmp_path)
