import numpy as np
import pytest
from sklearn.metrics import top_k_accuracy_score

from ss_tf.evaluation import label_tree, metrics, ranking


@pytest.fixture
def trees(superclass_map):
    return label_tree.trees(superclass_map)


@pytest.fixture
def groups(superclass_map):
    return np.array(superclass_map.superclass_of_label)


def test_labels_are_in_order_of_their_scores_and_the_smallest_first_of_equal_ones():
    scores = np.array([[1, 5, 5, 2, 9, 0], [3, 3, 3, 3, 3, 3]], np.float32)
    expected = [[4, 1, 2, 3, 0], [0, 1, 2, 3, 4]]
    np.testing.assert_array_equal(ranking.top_labels(scores), expected)


def test_behind_the_last_score_there_is_no_label():
    few = np.array([[1, 2, -np.inf]], np.float32)
    np.testing.assert_array_equal(ranking.top_labels(few), [[1, 0, -1, -1, -1]])
    np.testing.assert_array_equal(ranking.top_labels(few, first=np.array([0]))[0, :2], [0, 1])


@pytest.mark.parametrize("k", [1, 3, 5])
def test_shares_of_truths_in_the_top_are_those_of_scikit_learn(k):
    rng = np.random.default_rng(k)
    scores = rng.normal(0, 1, (300, 20)).astype(np.float32)
    true = rng.integers(0, 20, 300)
    found = metrics.in_top(ranking.top_labels(scores)[:, :k], true).mean()
    assert found == top_k_accuracy_score(true, scores, k=k, labels=np.arange(20))


def test_a_flat_network_is_as_sure_of_a_superclass_as_of_its_labels_together(trees, groups):
    # wren, owl and gull, the birds, have 0.45; canoe and ferry, the boats, 0.4.
    logits = np.log(np.array([[0.3, 0.35, 0.1, 0.15, 0.05, 0.05]], np.float32))
    found = ranking.of_logits(logits, trees, groups)
    assert found.top[0].tolist() == [1, 0, 3, 2, 4]
    np.testing.assert_allclose(found.probabilities, [[0.4, 0.35]], rtol=1e-6)
    # From the root down: a bird, then a wren.
    assert found.descended["two_level"].tolist() == [0]


def test_a_sub_network_ranks_the_labels_of_its_superclass(trees):
    logits = np.log(np.array([[0.2, 0.7, 0.1]], np.float32))
    found = ranking.of_sub_logits(
        logits, np.array([0, 2, 5]), trees, superclass_probability=np.array([0.5])
    )
    np.testing.assert_array_equal(found.top, [[2, 0, 5, -1, -1]])
    np.testing.assert_allclose(found.probabilities, [[0.5, 0.35]], rtol=1e-6)
    np.testing.assert_array_equal(found.descended["two_level"], [2])


def test_no_system_is_more_than_sure_where_sums_are_rounded(trees, groups):
    over = np.array([np.nextafter(1, 2)])
    found = ranking.of_sub_logits(
        np.zeros((1, 1), np.float32), np.array([0]), trees, superclass_probability=over
    )
    assert found.probabilities.tolist() == [[1, 1]]
    scores = np.where(np.arange(6) == 1, over, 0)[None]
    found = ranking.of_scores(scores, trees, groups, top=ranking.top_labels(scores))
    assert found.probabilities.tolist() == [[1, 1]]


def test_parts_are_put_where_they_belong(trees, groups):
    logits = np.random.default_rng(0).normal(0, 1, (5, 6)).astype(np.float32)
    whole = ranking.of_logits(logits, trees, groups)
    found = ranking.Ranking.empty(5, trees)
    for rows in (slice(0, 2), np.array([4, 2, 3])):
        found.put(rows, ranking.of_logits(logits[rows], trees, groups))
    np.testing.assert_array_equal(found.top, whole.top)
    np.testing.assert_array_equal(found.probabilities, whole.probabilities)
    np.testing.assert_array_equal(found.descended["two_level"], whole.descended["two_level"])
