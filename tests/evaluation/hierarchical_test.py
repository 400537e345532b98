import math

import numpy as np
import pytest

from ss_tf.evaluation import hierarchical
from ss_tf.evaluation.label_tree import LabelTree

# root -> A -> a1, a2; root -> B -> b1. Truth a1 three times; decided a1, a2, b1.
TREE = LabelTree([("A", "a1"), ("A", "a2"), ("B", "b1")])
TRUE = np.array([0, 0, 0])
DECIDED = np.array([0, 1, 2])


def test_hand_counted_example():
    assert np.mean(DECIDED != TRUE) == pytest.approx(2 / 3)
    # Below A, height 1; below the root, height 2.
    assert hierarchical.mistake_severity(TREE, DECIDED, TRUE) == 1.5
    assert hierarchical.distance_at(TREE, DECIDED[:, None], TRUE, k=1) == 1.0
    # {A, a1} with {A, a1}, {A, a2} and {B, b1}: 2 + 1 + 0 of 6 nodes.
    assert hierarchical.precision_recall_f(TREE, DECIDED, TRUE) == (0.5, 0.5, 0.5)


def test_distance_at_k_counts_the_labels_that_are_there():
    top = np.array([[0, 1, 2], [1, 0, -1], [2, -1, -1]])
    # (0 + 1 + 2) / 3, (1 + 0) / 2 and 2 / 1.
    assert hierarchical.distance_at(TREE, top, TRUE, k=3) == pytest.approx((1 + 0.5 + 2) / 3)
    assert hierarchical.distance_at(TREE, top, TRUE, k=2) == pytest.approx((0.5 + 0.5 + 2) / 3)


def test_precision_and_recall_differ_where_depths_do():
    tree = LabelTree([("x",), ("x", "y", "z"), ("v",)])
    # Decided {x} for {x, y, z}, and {v} for {x}: 1 node shared, of 2 decided and 4 true.
    found = hierarchical.precision_recall_f(tree, np.array([0, 2]), np.array([1, 0]))
    assert found == pytest.approx((1 / 2, 1 / 4, 2 * (1 / 2) * (1 / 4) / (3 / 4)))


def test_nothing_in_common_is_0_and_no_error():
    assert hierarchical.precision_recall_f(TREE, np.array([2]), np.array([0])) == (0, 0, 0)


def test_what_is_undefined_is_nan():
    assert math.isnan(hierarchical.mistake_severity(TREE, TRUE, TRUE))
    none = np.zeros(0, int)
    assert math.isnan(hierarchical.mistake_severity(TREE, none, none))
    assert math.isnan(hierarchical.distance_at(TREE, np.zeros((0, 1), int), none, k=1))
    assert all(math.isnan(x) for x in hierarchical.precision_recall_f(TREE, none, none))
    assert math.isnan(hierarchical.consistency(none, none))


def test_consistency_is_the_share_of_equal_labels():
    assert hierarchical.consistency(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2])) == 0.75


@pytest.mark.parametrize("k", [0, 2])
def test_more_labels_than_there_are_is_refused(k):
    with pytest.raises(ValueError, match=rf"k is {k} for labels of shape \(3, 1\)"):
        hierarchical.distance_at(TREE, DECIDED[:, None], TRUE, k=k)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"shape \(2,\) and truths \(3,\)"):
        hierarchical.mistake_severity(TREE, DECIDED[:2], TRUE)
