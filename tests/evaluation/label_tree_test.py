import itertools

import numpy as np
import pytest

from ss_tf.evaluation import label_tree
from ss_tf.evaluation.label_tree import LabelTree
from ss_tf.hierarchy import groupings, imagenet_classes
from ss_tf.hierarchy.superclass_map import SuperclassMap

# root -> A -> a1, a2; root -> B -> b1.
SMALL = LabelTree([("A", "a1"), ("A", "a2"), ("B", "b1")])
# Label 0 is a node above label 1; labels 2 and 3 lie at other depths.
UNEVEN = LabelTree([("x",), ("x", "y", "z"), ("x", "w"), ("v",)])


def every_pair(tree, function):
    labels = range(len(tree.depth))
    pairs = np.array(list(itertools.product(labels, labels)))
    return function(pairs[:, 0], pairs[:, 1]).reshape(len(labels), -1).tolist()


def test_distances_of_the_small_tree_are_those_of_its_drawing():
    assert every_pair(SMALL, SMALL.distance) == [[0, 1, 2], [1, 0, 2], [2, 2, 0]]
    assert every_pair(SMALL, SMALL.common_depth) == [[2, 1, 0], [1, 2, 0], [0, 0, 2]]
    assert SMALL.depth.tolist() == [2, 2, 2]


def test_labels_may_lie_above_others_and_at_any_depth():
    assert UNEVEN.depth.tolist() == [1, 3, 2, 1]
    # x has height 2, the root 3; a label is 0 from itself even if others are below it.
    expected = [[0, 2, 2, 3], [2, 0, 2, 3], [2, 2, 0, 3], [3, 3, 3, 0]]
    assert every_pair(UNEVEN, UNEVEN.distance) == expected
    expected = [[1, 1, 1, 0], [1, 3, 1, 0], [1, 1, 2, 0], [0, 0, 0, 1]]
    assert every_pair(UNEVEN, UNEVEN.common_depth) == expected


def test_nodes_of_one_name_below_others_are_others():
    tree = LabelTree([("A", "same"), ("B", "same")])
    assert tree.distance(np.array([0]), np.array([1])).tolist() == [2]


def test_descending_takes_the_child_with_the_largest_sum_each_time():
    # b1 is the most probable label, but A is the more probable superclass.
    scores = np.array([[0.35, 0.25, 0.4], [0.1, 0.2, 0.7]])
    assert SMALL.descend(scores, np.arange(3)).tolist() == [0, 2]
    # A label above others is a child of its own node.
    scores = np.array([[0.3, 0.2, 0.1, 0.4], [0.1, 0.2, 0.3, 0.4], [0.0, 0.1, 0.0, 0.9]])
    assert UNEVEN.descend(scores, np.arange(4)).tolist() == [0, 2, 3]


def test_descending_looks_at_the_labels_given_alone():
    scores = np.array([[0.2, 0.8], [0.8, 0.2]])
    assert SMALL.descend(scores, np.array([2, 1])).tolist() == [1, 2]
    assert SMALL.descend(np.ones((2, 1)), np.array([1])).tolist() == [1, 1]


def test_of_equal_labels_the_smallest_is_taken():
    # 0.1 + 0.2 rounds: differences of running sums would not be equal.
    tree = LabelTree([("A", str(label)) for label in range(6)])
    scores = np.array([[0.1, 0.2, 0.1, 0.3, 0.3, 0.0]])
    assert tree.descend(scores, np.arange(6)).tolist() == [3]


def descend_slowly(paths, scores):
    """Deciding from the root down, by adding up one node after another."""
    prefix = ()
    while True:
        below = {}
        for label, path in enumerate(paths):
            if path[: len(prefix)] == prefix:
                child = path[: len(prefix) + 1]
                below[child] = below.get(child, 0) + scores[label]
        best = max(below, key=below.get)
        if [path for path in paths if path[: len(best)] == best] == [best]:
            return paths.index(best)
        prefix = best


def test_descending_wordnet_is_what_adding_up_node_by_node_gives():
    wnids = [wnid for wnid, _ in imagenet_classes.classes()][::25]
    tree = label_tree.wordnet(SuperclassMap(("all",), tuple(wnids), (0,) * len(wnids)))
    paths = []
    for wnid in wnids:
        path = [wnid]
        while above := imagenet_classes.parents().get(path[0]):
            path.insert(0, above[-1])
        paths.append(tuple(path))
    scores = np.random.default_rng(0).dirichlet(np.full(len(wnids), 0.3), 20)
    expected = [descend_slowly(paths, row) for row in scores]
    assert tree.descend(scores, np.arange(len(wnids))).tolist() == expected


def test_two_levels_are_those_of_the_map(superclass_map):
    tree = label_tree.two_level(superclass_map)
    groups = superclass_map.superclass_of_label
    for one, other in itertools.product(range(6), repeat=2):
        expected = 0 if one == other else 1 if groups[one] == groups[other] else 2
        assert tree.distance(np.array(one), np.array(other)) == expected


def test_classes_of_imagenet_lie_in_wordnet():
    paper = groupings.by_name("superclassing").superclass_map()
    tree = label_tree.trees(paper)["wordnet"]
    labels = {name: np.array(label) for label, name in enumerate(paper.label_names)}
    # Siberian husky, malamute, and pickup.
    husky, malamute, pickup = labels["n02110185"], labels["n02110063"], labels["n03930630"]
    near, far = tree.distance(husky, malamute), tree.distance(husky, pickup)
    assert 1 <= near < far
    # The dogs' synset is above all dogs and nothing else, as the grouping has it.
    dogs = np.flatnonzero(np.array(paper.superclass_of_label) == paper.superclass_index("dog"))
    within = tree.distance(np.broadcast_to(husky, dogs.shape), dogs).max()
    others = np.setdiff1d(np.arange(253), dogs)
    assert within < tree.distance(np.broadcast_to(husky, others.shape), others).min()


def test_the_root_is_the_lowest_synset_above_all():
    # Both below sled dog: 1 apart, and nothing above them is counted.
    tree = label_tree.wordnet(SuperclassMap(("dog",), ("dog/n02110185", "dog/n02110063"), (0, 0)))
    assert tree is not None
    assert tree.depth.min() == 1


@pytest.mark.parametrize("names", [("husky", "n02110063"), ("a/n02110063", "b/n02110063")])
def test_other_labels_have_no_wordnet(names):
    labels_map = SuperclassMap(("dog",), names, (0, 0))
    assert label_tree.wordnet(labels_map) is None
    assert set(label_tree.trees(labels_map)) == {"two_level"}


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([], "There are 0 labels"),
        ([("a",), ()], "There are 2 labels, expected 1 or more with paths"),
        ([("a", "b"), ("a", "b")], "Two labels have the same path"),
    ],
)
def test_paths_that_make_no_tree_are_refused(paths, message):
    with pytest.raises(ValueError, match=message):
        LabelTree(paths)
