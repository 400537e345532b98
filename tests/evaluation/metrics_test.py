import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from ss_tf.evaluation import metrics

TRUE = np.array([0, 0, 1, 1, 2, 2])
DECIDED = np.array([0, 1, 1, 1, 2, 0])
EMPTY = np.zeros(0, int)


def test_top1_is_the_share_of_right_decisions():
    assert metrics.top1(DECIDED, TRUE) == 4 / 6


def test_top1_by_group_is_each_groups_own_accuracy():
    accuracies = metrics.top1_by_group(DECIDED, TRUE, groups=TRUE, num_groups=3)
    np.testing.assert_array_equal(accuracies, [1 / 2, 1, 1 / 2])


def test_top1_by_group_weighted_by_size_is_top1():
    groups = np.array([0, 1, 1, 1, 1, 0])
    accuracies = metrics.top1_by_group(DECIDED, TRUE, groups=groups, num_groups=2)
    assert (2 * accuracies[0] + 4 * accuracies[1]) / 6 == pytest.approx(4 / 6)


def test_group_without_examples_has_no_accuracy():
    accuracies = metrics.top1_by_group(DECIDED, TRUE, groups=TRUE, num_groups=4)
    assert math.isnan(accuracies[3])
    assert not np.isnan(accuracies[:3]).any()


def test_confusion_has_true_classes_as_rows():
    counts = metrics.confusion(DECIDED, TRUE, num_classes=3)
    np.testing.assert_array_equal(counts, [[1, 1, 0], [0, 2, 0], [1, 0, 1]])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_confusion_counts_every_example_once(pairs):
    decided, true = np.array(pairs).T
    counts = metrics.confusion(decided, true, num_classes=4)
    np.testing.assert_array_equal(counts.sum(axis=1), np.bincount(true, minlength=4))
    np.testing.assert_array_equal(counts.sum(axis=0), np.bincount(decided, minlength=4))
    assert np.trace(counts) == np.sum(decided == true)


def test_errors_inside_counts_errors_that_share_the_superclass():
    # Labels 0 and 1 are one superclass, 2 another. Errors: 0 as 1 (inside), 2 as 0 (across).
    assert metrics.errors_inside(DECIDED, TRUE, superclass_of_label=(0, 0, 1)) == (2, 1)


def test_relative_gain_is_that_of_the_paper():
    # ResNet-18 in arXiv 2201.08098: 71.18 flat, and +3.30 % relative, so 73.53.
    assert metrics.relative_gain_percent(0.7353, 0.7118) == pytest.approx(3.30, abs=0.005)


def test_relative_gain_over_nothing_does_not_exist():
    assert metrics.relative_gain_percent(0.5, 0.0) is None


def test_paired_difference_matches_agresti_and_min_by_hand():
    # 100 examples: 20 right by the first alone, 8 by the second alone, 60 by both, 12 by none.
    first = np.repeat([1, 0, 1, 0], [20, 8, 60, 12])
    second = np.repeat([0, 1, 1, 0], [20, 8, 60, 12])
    paired = metrics.paired_difference(first, second, true=np.ones(100, int))
    assert paired.difference == 12 / 100
    # Half an example more per cell: 20.5 and 8.5 of 102. Centre 12 / 102 = 0.117647; variance
    # ((29 / 102) - 0.117647**2) / 102 = 0.00265173; half width 1.96 * 0.0514949 = 0.100928.
    assert paired.low == pytest.approx(0.117647 - 0.100928, abs=1e-5)
    assert paired.high == pytest.approx(0.117647 + 0.100928, abs=1e-5)
    assert paired.outcome == "better"


def test_standard_error_and_p_value_are_those_computed_by_hand():
    # Of 100 examples, 6 right by the first alone and 2 by the second alone.
    first = np.repeat([1, 0, 1], [6, 2, 92])
    second = np.repeat([0, 1, 1], [6, 2, 92])
    paired = metrics.paired_difference(first, second, true=np.ones(100, int))
    assert paired.standard_error == pytest.approx(math.sqrt(8 - 16 / 100) / 100)
    # Of 2**8 ways to toss 8 coins, 1 + 8 + 28 show at most 2 heads.
    assert paired.p_value == 2 * 37 / 256


def test_standard_error_is_that_of_the_differences():
    first, second = np.random.default_rng(0).integers(0, 2, (2, 500))
    paired = metrics.paired_difference(first, second, true=np.ones(500, int))
    assert paired.standard_error == pytest.approx((first - second).std() / math.sqrt(500))


def test_p_value_of_systems_that_are_right_alike_is_one():
    assert metrics.paired_difference(DECIDED, DECIDED, true=TRUE).p_value == 1
    one_each = metrics.paired_difference(np.array([1, 0]), np.array([0, 1]), true=np.ones(2, int))
    assert one_each.p_value == 1


def test_p_value_of_thousands_of_examples_is_a_number():
    right = np.arange(5000) < 2600
    paired = metrics.paired_difference(right, ~right, true=np.ones(5000, bool))
    # Normal approximation with continuity correction: z = (200 - 1) / sqrt(5000) = 2.8143.
    assert paired.p_value == pytest.approx(0.004889, rel=0.01)


def test_paired_difference_changes_sign_with_the_order():
    forward = metrics.paired_difference(DECIDED, TRUE, true=TRUE)
    backward = metrics.paired_difference(TRUE, DECIDED, true=TRUE)
    assert (forward.low, forward.difference) == (-backward.high, -backward.difference)


def test_identical_systems_show_no_clear_difference_and_an_interval_of_some_width():
    paired = metrics.paired_difference(DECIDED, DECIDED, true=TRUE)
    assert paired.difference == 0
    assert paired.low < 0 < paired.high
    assert paired.outcome == "no clear difference"


def test_system_that_is_much_worse_is_told_to_be_worse():
    true = np.zeros(50, int)
    assert metrics.paired_difference(true + 1, true, true=true).outcome == "worse"


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=40))
def test_interval_lies_in_minus_one_to_one(rows):
    first, second, true = np.array(rows).T
    paired = metrics.paired_difference(first, second, true=true)
    assert -1 <= paired.low < paired.high <= 1


def test_interval_covers_the_true_difference_about_95_percent_of_the_time():
    generator = np.random.default_rng(0)
    true = np.ones(300, int)
    covered = 0
    for _ in range(400):
        # Right by both 0.5, by the first alone 0.15, by the second alone 0.1, by none 0.25.
        cell = generator.choice(4, size=300, p=[0.5, 0.15, 0.1, 0.25])
        first, second = np.isin(cell, [0, 1]), np.isin(cell, [0, 2])
        paired = metrics.paired_difference(first.astype(int), second.astype(int), true=true)
        covered += paired.low <= 0.05 <= paired.high
    assert 0.92 < covered / 400 < 0.98


@pytest.mark.parametrize(
    "measure",
    [
        metrics.top1,
        lambda decided, true: metrics.confusion(decided, true, num_classes=3),
        lambda decided, true: metrics.errors_inside(decided, true, superclass_of_label=(0, 0, 1)),
        lambda decided, true: metrics.paired_difference(decided, true, true=true),
        lambda decided, true: metrics.top1_by_group(decided, true, groups=true, num_groups=3),
    ],
)
def test_decision_too_few_and_no_example_at_all_are_refused(measure):
    with pytest.raises(ValueError, match=r"shape \(5,\) and truths \(6,\)"):
        measure(DECIDED[:5], TRUE)
    with pytest.raises(ValueError, match="0 examples"):
        measure(EMPTY, EMPTY)


@pytest.mark.parametrize("bad", [-1, 3])
def test_class_out_of_range_is_refused(bad):
    with pytest.raises(ValueError, match=rf"Class {bad} is out of range, expected 0\.\.2"):
        metrics.confusion(np.array([0, bad]), np.array([0, 1]), num_classes=3)


def test_balanced_accuracy_is_that_of_scikit_learn_where_classes_are_missing():
    rng = np.random.default_rng(0)
    true = rng.choice([0, 1, 1, 1, 4], 200)
    decided = np.where(rng.random(200) < 0.6, true, rng.integers(0, 6, 200))
    with warnings.catch_warnings():
        # It tells that decisions have classes which truths have not.
        warnings.simplefilter("ignore", UserWarning)
        expected = balanced_accuracy_score(true, decided)
    found = metrics.balanced_top1(decided, true, num_classes=6)
    assert found == pytest.approx(expected)


def test_groups_are_counted_as_a_loop_would():
    decided, true = np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2])
    right, totals = metrics.counts_by_group(
        decided, true, groups=np.array([1, 1, 3, 3]), num_groups=4
    )
    assert right.tolist() == [0, 2, 0, 1]
    assert totals.tolist() == [0, 2, 0, 2]


def test_examples_that_one_system_alone_has_right_are_counted():
    first, second = np.array([1, 1, 0, 1]), np.array([1, 0, 1, 0])
    paired = metrics.paired_difference(first, second, true=np.ones(4, int))
    assert (paired.only_first, paired.only_second) == (2, 1)


def test_truth_counts_wherever_it_is_in_the_top():
    top = np.array([[3, 1, -1], [0, 2, 1], [4, -1, -1]])
    assert metrics.in_top(top, np.array([1, 3, 4])).tolist() == [True, False, True]
