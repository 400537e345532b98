import numpy as np

from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing import probabilities

# Labels of bird: 0, 2, 5; of boat: 1; of cat: 3, 4.
MAP = SuperclassMap(
    superclass_names=("bird", "boat", "cat"),
    label_names=("owl", "tug", "hen", "tabby", "lion", "jay"),
    superclass_of_label=(0, 1, 0, 2, 2, 0),
)


def test_superclass_probabilities_of_a_super_base_are_its_softmax():
    logits = np.log([[1, 2, 7], [5, 3, 2]])
    found = probabilities.superclass_probabilities(logits, MAP, base_kind="super")
    np.testing.assert_allclose(found, [[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]])


def test_superclass_probabilities_of_a_flat_base_are_sums_over_labels():
    logits = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
    found = probabilities.superclass_probabilities(logits, MAP, base_kind="flat")
    labels = np.exp(logits.astype(np.float64))
    labels /= labels.sum(axis=1, keepdims=True)
    expected = [labels[:, [0, 2, 5]].sum(1), labels[:, 1], labels[:, [3, 4]].sum(1)]
    np.testing.assert_allclose(found, np.stack(expected, axis=1))


def test_softmax_stays_finite_for_large_logits():
    logits = np.array([[1e4, 0, -1e4], [-1e4, -1e4, -1e4]], np.float32)
    np.testing.assert_allclose(probabilities.softmax(logits), [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])


def test_sums_by_superclass_by_hand():
    sums = probabilities.sums_by_superclass(np.array([[1.0, 2, 4, 8, 16, 32]]), MAP)
    np.testing.assert_array_equal(sums, [[37.0, 2, 24]], strict=True)
