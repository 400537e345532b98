import math

import numpy as np
import pytest

from ss_tf.evaluation import calibration


def ece_of_a_loop(confidence, is_right):
    """Guo et al.: sum over bins of |bin| / n * |accuracy - confidence|, bin by bin."""
    total = 0.0
    for number in range(15):
        low, high = number / 15, (number + 1) / 15
        inside = [i for i, c in enumerate(confidence) if low < c <= high or (c == 0 == number)]
        if inside:
            accuracy = sum(bool(is_right[i]) for i in inside) / len(inside)
            sure = sum(confidence[i] for i in inside) / len(inside)
            total += len(inside) / len(confidence) * abs(accuracy - sure)
    return total


@pytest.mark.parametrize("seed", range(3))
def test_error_is_that_of_a_plain_loop(seed):
    rng = np.random.default_rng(seed)
    confidence = np.concatenate([rng.random(500), [0.0, 1.0, 1 / 15, 0.2, 0.4]])
    is_right = rng.random(505) < confidence**2
    found = calibration.reliability(confidence, is_right)
    assert found["ece"] == pytest.approx(ece_of_a_loop(confidence, is_right), abs=1e-12)


def test_bins_are_those_counted_by_hand():
    found = calibration.reliability(
        np.array([0.0, 0.05, 0.5, 0.52, 1.0]), np.array([False, True, True, False, True])
    )
    bins = found["bins"]
    assert bins["count"] == [2, 2, 1]
    assert bins["confidence"] == pytest.approx([0.025, 0.51, 1.0])
    assert bins["accuracy"] == pytest.approx([0.5, 0.5, 1.0])
    assert bins["low"] == pytest.approx([0, 7 / 15, 14 / 15])
    assert bins["high"] == pytest.approx([1 / 15, 8 / 15, 1])
    assert found["ece"] == pytest.approx((2 * 0.475 + 2 * 0.01) / 5)


def test_decisions_that_are_as_sure_as_right_have_no_error():
    found = calibration.reliability(np.full(10, 0.7), np.arange(10) < 7)
    assert found["ece"] == pytest.approx(0, abs=1e-12)


def test_no_decisions_have_no_error_at_all():
    found = calibration.reliability(np.zeros(0), np.zeros(0, bool))
    assert math.isnan(found["ece"])
    assert found["bins"]["count"] == []


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_confidence_that_is_no_probability_is_refused(bad):
    with pytest.raises(ValueError, match=rf"A confidence is {bad}, expected 0 to 1"):
        calibration.reliability(np.array([0.5, bad]), np.array([True, True]))


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"shape \(2,\) for decisions of shape \(3,\)"):
        calibration.reliability(np.zeros(2), np.zeros(3, bool))
