import numpy as np
import pytest
import tensorflow as tf

from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing import label_tables, probabilities
from ss_tf.routing.label_tables import LabelTables
from ss_tf.routing.policy import RoutingPolicy

# Labels of bird: 0, 2, 5; of boat: 1; of cat: 3, 4.
MAP = SuperclassMap(
    superclass_names=("bird", "boat", "cat"),
    label_names=("owl", "tug", "hen", "tabby", "lion", "jay"),
    superclass_of_label=(0, 1, 0, 2, 2, 0),
)


@pytest.fixture
def tables():
    return LabelTables(MAP, RoutingPolicy(temperatures={"cat": 0.1}))


def test_tables_are_those_of_the_map_and_the_policy(tables):
    assert tables.num_superclasses == 3
    np.testing.assert_array_equal(tables.has_sub, [True, False, True])
    np.testing.assert_array_equal(tables.membership, np.eye(3)[[0, 1, 0, 2, 2, 0]])
    # Not as float32 has it.
    assert tables.temperatures.numpy().tolist() == [1, 1, 0.1]
    for superclass in range(3):
        found = tables.labels_in(tf.constant(superclass, tf.int64))
        np.testing.assert_array_equal(found, MAP.labels_in(superclass))


def test_values_of_some_labels_are_spread_over_all(tables):
    values = tf.constant([[1.0, 2, 3], [4, 5, 6]], tf.float64)
    found = tables.spread(values, tf.constant([0, 2, 5], tf.int64))
    np.testing.assert_array_equal(found, [[1, 0, 2, 0, 0, 3], [4, 0, 5, 0, 0, 6]])
    found = tables.spread(values[:0], tf.constant([0, 2, 5], tf.int64))
    assert found.shape == (0, 6)
    with pytest.raises(tf.errors.InvalidArgumentError):
        tables.spread(values, tf.constant([3, 4], tf.int64))


def test_labels_are_told_apart_within_a_superclass_that_was_asked(tables):
    best = tf.constant([[5, -1, 4], [5, -1, -1], [-1, -1, 4]], tf.int64)
    found = tables.told_apart(tf.constant([0, 3, 1], tf.int64), best)
    np.testing.assert_array_equal(found, [5, 3, 1])


def test_answers_by_hand(tables):
    scores = tf.constant([[0.25, 0, 0.5, 0, 0, 0], [0.25, 0, 0.5, 0, 0, 0]], tf.float64)
    answers = tables.answers(
        tf.constant([2, 2], tf.int64),
        tf.constant([0, 0], tf.int64),
        scores,
        abstains=tf.constant([False, True]),
        is_open=tf.constant([[True, False, False]] * 2),
    )
    np.testing.assert_array_equal(answers["label"], [2, -1])
    np.testing.assert_array_equal(answers["subclass"], [1, -1])
    np.testing.assert_array_equal(answers["superclass_probability"], [0.75, 0.75])
    np.testing.assert_array_equal(answers["subclass_probability"], np.float32([2 / 3, 0]))


def test_softmax_is_that_of_the_reference():
    logits = np.float32([[1e30, -1e30, 0], [1, np.nextafter(np.float32(1), 2), 1], [0, 20, 40]])
    found = label_tables.softmax(tf.constant(logits))
    np.testing.assert_allclose(found, probabilities.softmax(logits), rtol=1e-15)
    found = label_tables.softmax(tf.constant(logits), temperature=label_tables.exactly(0.1))
    expected = probabilities.softmax(logits.astype(np.float64) / 0.1)
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert label_tables.softmax(tf.zeros([0, 3])).shape == (0, 3)
