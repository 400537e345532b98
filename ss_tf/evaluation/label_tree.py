"""LabelTree: labels as the leaves of a tree, of two levels or WordNet's."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ss_tf.hierarchy import imagenet_classes
from ss_tf.hierarchy.superclass_map import SuperclassMap


class LabelTree:
    """A tree with labels as leaves. A label may have others below it, as WordNet's synsets may.

    Attributes:
      depth: int64 `[num_labels]`, nodes from below the root to the label, the label included.
    """

    def __init__(self, paths: Sequence[Sequence[str]]):
        """Takes the path of each label: names of nodes from below the root to the label.

        A node is its whole path, so two nodes below different ones may have one name.

        Raises:
          ValueError: if there is no label, a path is empty, or two labels have the same.
        """
        if not paths or not all(paths):
            raise ValueError(f"There are {len(paths)} labels, expected 1 or more with paths.")
        if len({tuple(path) for path in paths}) != len(paths):
            raise ValueError("Two labels have the same path, expected a path for each.")
        self.depth = np.array([len(path) for path in paths])
        self._most = int(self.depth.max())
        self._parents_of: dict[bytes, tuple] = {}
        numbers: dict[tuple[str, ...], int] = {}
        # [num_labels, deepest], numbers of nodes; -1 behind the label.
        self._nodes = np.full((len(paths), self._most), -1)
        for label, path in enumerate(paths):
            for depth in range(len(path)):
                node = tuple(path[: depth + 1])
                self._nodes[label, depth] = numbers.setdefault(node, len(numbers))
        below = self.depth[:, None] - 1 - np.arange(self._most)
        self._height = np.zeros(len(numbers), np.int64)
        np.maximum.at(self._height, self._nodes[self._nodes >= 0], below[self._nodes >= 0])

    def common_depth(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Returns how many nodes below the root two paths share.

        Args:
          first, second: int `[...]`, labels.

        Returns:
          int64 `[...]`, the depth of the lowest common ancestor: 0 where that is the root.
        """
        one, other = self._nodes[first], self._nodes[second]
        return np.logical_and.accumulate((one == other) & (one >= 0), axis=-1).sum(axis=-1)

    def distance(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Returns the height of the lowest common ancestor of labels.

        The height of a node is the number of edges on the longest way down to a label; so siblings
        that are leaves have 1, and a label has 0 with itself.

        Args:
          first, second: int `[...]`, labels.

        Returns:
          int64 `[...]`.
        """
        shared = self.common_depth(first, second)
        lowest = np.take_along_axis(
            self._nodes[first], np.maximum(shared - 1, 0)[..., None], axis=-1
        )[..., 0]
        height = np.where(shared > 0, self._height[lowest], self._most)
        return np.where(first == second, 0, height)

    def descend(self, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Decides from the root down: at each node the child whose labels have the largest sum.

        Of equal children it takes that of the smallest label.

        Args:
          scores: float64 `[n, m]`, probabilities, of `labels`.
          labels: int `[m]`, different ones, m at least 1; the others have probability 0.

        Returns:
          int64 `[n]`, labels.
        """
        order, parents = self._parents(labels)
        ordered = scores[:, order]
        running = np.zeros((len(scores), len(labels) + 1))
        np.cumsum(ordered, axis=1, out=running[:, 1:])
        # Labels before those of the node that each image has come to.
        begin = np.zeros(len(scores), np.int64)
        for starts, ends in parents:
            rows = np.flatnonzero(begin == starts[0])
            if not rows.size:
                continue
            sums = running[rows[:, None], ends] - running[rows[:, None], starts]
            # Differences are rounded, which would order labels of equal scores: int8 networks give
            # many.
            single = np.flatnonzero(ends - starts == 1)
            sums[:, single] = ordered[rows[:, None], starts[single]]
            begin[rows] = starts[sums.argmax(axis=1)]
        return labels[order[begin]]

    def _parents(self, labels: np.ndarray) -> tuple[np.ndarray, list[tuple[np.ndarray, ...]]]:
        """Sorts labels so that those of each node are neighbours.

        Returns:
          int64 `[m]`, the order, and for each node of more than one child, from the root down,
          where the labels of its children begin and end in that order. An image that is sent to a
          child stands at the child's first label, which no other node to come begins with.
        """
        key = labels.tobytes()
        if key not in self._parents_of:
            order = np.lexsort(self._nodes[labels].T[::-1])
            parents, edges = [], np.array([0, len(labels)])
            begins = np.arange(len(labels)) == 0
            for column in self._nodes[labels][order].T:
                # Those of a level are those of the next: behind a label's end, all have -1.
                begins = begins | (np.diff(column, prepend=-2) != 0)
                children = np.append(np.flatnonzero(begins), len(labels))
                for low, high in itertools.pairwise(np.searchsorted(children, edges)):
                    if high - low > 1:
                        parents.append((children[low:high], children[low + 1 : high + 1]))
                edges = children
            self._parents_of[key] = order, parents
        return self._parents_of[key]


def trees(superclass_map: SuperclassMap) -> dict[str, LabelTree]:
    """Returns "two_level", and "wordnet" where the labels are classes of ImageNet."""
    found = {"two_level": two_level(superclass_map)}
    in_wordnet = wordnet(superclass_map)
    return found if in_wordnet is None else {**found, "wordnet": in_wordnet}


def two_level(superclass_map: SuperclassMap) -> LabelTree:
    """Returns the tree root -> superclasses -> labels."""
    names = superclass_map.superclass_names
    pairs = zip(superclass_map.superclass_of_label, superclass_map.label_names, strict=True)
    return LabelTree([(names[superclass], label) for superclass, label in pairs])


def wordnet(superclass_map: SuperclassMap) -> LabelTree | None:
    """Returns the part of WordNet above the labels, where each synset keeps its last parent.

    That is the tree which the paper's superclasses come from. Its root is the lowest synset above
    all labels.

    Returns:
      None unless each label is another wnid of ILSVRC2012, or of a synset above its classes. What
      stands before a label's last slash does not count, as a folder has "bird/n01530575".
    """
    wnids = [name.rpartition("/")[2] for name in superclass_map.label_names]
    if len(set(wnids)) < len(wnids) or not set(wnids) <= set(imagenet_classes.synset_names()):
        return None
    paths = [_from_the_top(wnid) for wnid in wnids]
    shared = 0
    while all(len(path) > shared + 1 for path in paths) and len({p[shared] for p in paths}) == 1:
        shared += 1
    return LabelTree([path[shared:] for path in paths])


def _from_the_top(wnid: str) -> list[str]:
    """Returns the synsets from the topmost down to one."""
    path = [wnid]
    while above := imagenet_classes.parents().get(path[0]):
        path.insert(0, above[-1])
    return path
