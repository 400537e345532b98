import math

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from ss_tf.evaluation import intervals


@pytest.mark.parametrize(
    ("right", "total"), [(0, 1), (1, 1), (0, 50), (50, 50), (3, 7), (8780, 12650), (1, 10**9)]
)
def test_wilson_is_that_of_statsmodels(right, total):
    expected = proportion_confint(right, total, alpha=0.05, method="wilson")
    assert intervals.wilson(right, total) == pytest.approx(expected, abs=1e-7)


def test_no_examples_have_no_interval():
    assert all(math.isnan(bound) for bound in intervals.wilson(0, 0))
    none = np.zeros(3, int)
    assert all(math.isnan(bound) for bound in intervals.of_mean_share(none, none))


def test_more_right_than_there_are_is_refused():
    with pytest.raises(ValueError, match="8 of 7 examples are right, expected 0 to 7"):
        intervals.wilson(8, 7)


def test_bootstrap_of_one_large_class_is_nearly_wilsons():
    low, high = intervals.of_mean_share(np.array([700]), np.array([1000]))
    expected = intervals.wilson(700, 1000)
    assert (low, high) == pytest.approx(expected, abs=0.004)


def test_bootstrap_leaves_empty_classes_out_and_is_the_same_every_time():
    right, totals = np.array([30, 0, 20]), np.array([50, 0, 40])
    low, high = intervals.of_mean_share(right, totals)
    assert (low, high) == intervals.of_mean_share(right[[0, 2]], totals[[0, 2]])
    # Standard error of the mean of 0.6 and 0.5: sqrt(0.24 / 50 + 0.25 / 40) / 2 = 0.0526.
    assert low == pytest.approx(0.55 - 1.96 * 0.0526, abs=0.015)
    assert high == pytest.approx(0.55 + 1.96 * 0.0526, abs=0.015)


def test_interval_of_a_difference_is_paired():
    classes = np.repeat([0, 1], 100)
    second = np.arange(200) % 2 == 0
    first = second.copy()
    assert intervals.of_mean_difference(first, second, classes) == (0, 0)
    first[1:21:2] = True  # 10 of the 100 of class 0: 0.1 there, 0.05 on average.
    low, high = intervals.of_mean_difference(first, second, classes)
    # Standard error sqrt(0.1 * 0.9 / 100) / 2 = 0.015, though each accuracy alone has 0.035.
    assert low == pytest.approx(0.05 - 1.96 * 0.015, abs=0.006)
    assert high == pytest.approx(0.05 + 1.96 * 0.015, abs=0.006)
    assert intervals.of_mean_difference(second, first, classes) == pytest.approx(
        (-high, -low), abs=0.006
    )
