import numpy as np
import pytest

from ss_tf.evaluation import bounds
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing.sub_logits import SubLogits

# Labels are interleaved on purpose: bird 0, 2, 5; boat 1, 4; car 3.
MAP = SuperclassMap(
    superclass_names=("bird", "boat", "car"),
    label_names=("wren", "canoe", "owl", "taxi", "ferry", "gull"),
    superclass_of_label=(0, 1, 0, 2, 1, 0),
)


def sub_logits(indices, rows):
    return SubLogits(np.array(indices), np.array(rows, np.float32))


BIRD = sub_logits([4, 0, 1], [[0, 0, 9], [9, 0, 0], [0, 9, 0]])  # gull, wren, owl
BOAT = sub_logits([1, 2], [[9, 0], [0, 9]])  # canoe, ferry


def test_flat_takes_the_largest_logit():
    logits = np.array([[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]], np.float32)
    np.testing.assert_array_equal(bounds.flat_labels(logits, MAP), [5, 0])


def test_two_stage_looks_each_example_up_by_its_index():
    # Example 3 goes to car, which has a single label and no sub network.
    decided = bounds.two_stage_labels(np.array([0, 0, 1, 2, 0]), {0: BIRD, 1: BOAT}, MAP)
    np.testing.assert_array_equal(decided, [0, 2, 4, 3, 5])


def test_two_stage_decides_the_same_example_by_the_superclass_it_is_sent_to():
    as_boat = bounds.two_stage_labels(np.array([0, 1, 1, 2, 0]), {0: BIRD, 1: BOAT}, MAP)
    assert as_boat[1] == 1  # canoe, where the bird network says owl


def test_two_stage_needs_no_logits_of_a_superclass_that_nothing_is_sent_to():
    np.testing.assert_array_equal(bounds.two_stage_labels(np.array([0, 0]), {0: BIRD}, MAP), [0, 2])


def test_missing_sub_network_is_refused():
    with pytest.raises(ValueError, match=r"'boat' gave no logits, expected 1 rows"):
        bounds.two_stage_labels(np.array([0, 1]), {0: BIRD}, MAP)


def test_missing_example_is_refused():
    with pytest.raises(ValueError, match=r"'boat' gave no logits for 1 of 2 .* first 3;"):
        bounds.two_stage_labels(np.array([0, 0, 1, 1, 0]), {0: BIRD, 1: BOAT}, MAP)


def test_empty_sub_logits_are_refused_when_an_example_is_sent_there():
    empty = sub_logits(np.zeros(0, int), np.zeros((0, 3)))
    with pytest.raises(ValueError, match=r"'bird' gave no logits for 1 of 1"):
        bounds.two_stage_labels(np.array([0]), {0: empty}, MAP)


def test_sub_network_of_another_superclass_is_refused():
    with pytest.raises(ValueError, match=r"'bird' logits have shape \(1, 2\), expected \(n, 3\)"):
        bounds.two_stage_labels(np.array([1, 0]), {0: BOAT, 1: BOAT}, MAP)


def test_superclass_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"Superclass 3 decided, expected 0\.\.2"):
        bounds.two_stage_labels(np.array([2, 3]), {}, MAP)


def test_wrong_number_of_columns_is_refused():
    with pytest.raises(ValueError, match=r"Flat logits have shape \(2, 5\), expected \(n, 6\)"):
        bounds.flat_labels(np.zeros((2, 5), np.float32), MAP)
