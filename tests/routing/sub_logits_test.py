import numpy as np
import pytest

from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing.sub_logits import SubLogits, rows_of

MAP = SuperclassMap.from_groups({"bird": ["owl", "hen"], "boat": ["tug", "ferry"]})


def sub_logits(indices, rows):
    return SubLogits(np.array(indices), np.array(rows, np.float32))


BIRD = sub_logits([7, 2, 4], [[7, 0], [2, 0], [4, 0]])


def test_rows_come_in_the_order_asked_for():
    rows = rows_of(0, np.array([4, 7, 4]), {0: BIRD}, MAP)
    np.testing.assert_array_equal(rows, np.array([[4, 0], [7, 0], [4, 0]], np.float32), strict=True)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({1: BIRD}, "'bird' gave no logits, expected 2 rows"),
        ({0: sub_logits([4, 6], [[1, 2], [3, 4]])}, "no logits for 1 of 2 .* first 7;"),
        ({0: sub_logits([4, 7], [[1], [3]])}, r"shape \(2, 1\), expected \(n, 2\)"),
    ],
)
def test_logits_that_are_missing_or_too_narrow_are_refused(found, message):
    with pytest.raises(ValueError, match=message):
        rows_of(0, np.array([4, 7]), found, MAP)


def test_sub_logits_with_a_row_too_few_are_refused():
    with pytest.raises(ValueError, match=r"shape \(1, 2\) for indices of shape \(2,\)"):
        sub_logits([0, 1], [[1, 2]])


def test_sub_logits_with_an_example_twice_are_refused():
    with pytest.raises(ValueError, match="an example twice"):
        sub_logits([1, 1], [[1, 2], [3, 4]])
