import lzma

import numpy as np
import pytest

from ss_tf.deltas import codecs, sizes


def test_size_ratio_is_compressed_over_original():
    assert sizes.size_ratio(25, 100) == 0.25
    with pytest.raises(ValueError, match="0 bytes, expected at least 1"):
        sizes.size_ratio(25, 0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], 0),
        ([7] * 50, 0),
        # Two values of equal share: one bit each.
        ([-1, 1] * 8, 2),
        # Four: two bits each.
        ([-128, -1, 0, 127] * 8, 8),
        # Shares 1/2, 1/4, 1/4: 1.5 bit on average.
        ([0, 0, 1, -1] * 16, 12),
        # All 256 values: nothing to gain.
        (list(range(-128, 128)), 256),
    ],
)
def test_entropy_of_known_shares(values, expected):
    assert sizes.entropy_bytes(np.array(values, np.int8)) == pytest.approx(expected)


def test_entropy_does_not_depend_on_shape_or_layout():
    values = np.random.default_rng(0).integers(-3, 4, (4, 5, 6), np.int8)
    flat = sizes.entropy_bytes(values.ravel())
    assert sizes.entropy_bytes(values) == pytest.approx(flat)
    assert sizes.entropy_bytes(values.T) == pytest.approx(flat)
    assert sizes.entropy_bytes(np.array(5, np.int8)) == 0


def test_entropy_of_other_types_is_refused():
    with pytest.raises(ValueError, match="float32, expected int8"):
        sizes.entropy_bytes(np.zeros(3, np.float32))


def test_fp16_delta_is_the_rounded_difference_and_the_head(monkeypatch):
    base = {
        "conv1/kernel": np.array([[1.0, 2.0]], np.float32),
        "fc/kernel": np.ones((1, 2), np.float32),
    }
    sub = {
        "conv1/kernel": np.array([[1.5, 2.0]], np.float32),
        "fc/kernel": np.full((1, 3), 3.0, np.float32),
    }
    seen = []
    monkeypatch.setattr(codecs, "encode", lambda name, data: seen.append((name, data)) or b"1234")
    assert sizes.fp16_7z_bytes(base, sub) == 4
    # fp16 is sign, 5 bits exponent (bias 15), 10 bits fraction: 0.5 is 0x3800, 3.0 is 0x4200.
    assert seen == [("7z", bytes.fromhex("0038 0000 0042 0042 0042"))]


def test_fp16_delta_is_about_what_lzma_makes_of_it():
    rng = np.random.default_rng(0)
    base = {"conv1/kernel": rng.normal(size=20_000).astype(np.float32)}
    step = rng.choice(np.array([-0.5, 0, 0, 0.25], np.float32), 20_000)
    expected = len(lzma.compress(step.astype(np.float16).tobytes()))
    measured = sizes.fp16_7z_bytes(base, {"conv1/kernel": base["conv1/kernel"] + step})
    # The sum rounds in a few places; the two headers differ.
    assert measured == pytest.approx(expected, rel=0.1)


def test_fp16_delta_of_mismatched_networks_is_refused_by_name():
    base = {"conv1/kernel": np.zeros((1, 2), np.float32)}
    with pytest.raises(ValueError, match=r"conv1/kernel'.*\(1, 3\).*\(1, 2\)"):
        sizes.fp16_7z_bytes(base, {"conv1/kernel": np.zeros((1, 3), np.float32)})
    with pytest.raises(ValueError, match="'conv1/kernel' is missing from the sub network"):
        sizes.fp16_7z_bytes(base, {})
    with pytest.raises(ValueError, match="'conv1/kernel' is missing from the base"):
        sizes.fp16_7z_bytes({}, base)


def test_entropy_of_residuals_counts_all_kernels_but_the_head(make_network):
    base, sub = make_network(0, num_classes=3), make_network(0, num_classes=5)
    # 72 of the 288 weights of the second convolution differ, by one step modulo 256: shares 3/4 and
    # 1/4. The first one's 36 are equal, and take nothing.
    base.kernels["layer1.0.conv1/kernel"].reshape(-1)[:72] = 127
    sub.kernels["layer1.0.conv1/kernel"].reshape(-1)[:72] = -128
    bits = 0.75 * np.log2(4 / 3) + 0.25 * np.log2(4)
    assert sizes.residual_entropy_bytes(base, sub) == pytest.approx(288 * bits / 8)


def test_entropy_of_no_change_is_zero(make_network):
    network = make_network(0, num_classes=3)
    assert sizes.residual_entropy_bytes(network, network) == 0
