"""Ranking: labels in order of their scores, and how sure a system is of the first."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from ss_tf.evaluation.label_tree import LabelTree
from ss_tf.routing.probabilities import softmax

# Labels that are kept of each image.
TOP = 5


@dataclasses.dataclass(frozen=True)
class Ranking:
    """What a system says about `n` images.

    Attributes:
      top: int64 `[n, TOP]`, labels, that of the largest score first, of equal ones the smallest
        first; -1 behind the last one that has a score.
      probabilities: float64 `[n, 2]`: of the superclass of the first label, and of that label, in
        [0, 1]. The second is of superclass and label together.
      descended: name of a tree -> int64 `[n]`, labels decided from its root down.
    """

    top: np.ndarray
    probabilities: np.ndarray
    descended: Mapping[str, np.ndarray]

    @classmethod
    def empty(cls, num_images: int, trees: Mapping[str, LabelTree]) -> Ranking:
        """Returns one to `put` rows into."""
        return cls(
            top=np.full((num_images, TOP), -1),
            probabilities=np.zeros((num_images, 2)),
            descended={name: np.full(num_images, -1) for name in trees},
        )

    def put(self, rows: np.ndarray | slice, part: Ranking) -> None:
        """Takes over what another says about the images `rows`."""
        self.top[rows] = part.top
        self.probabilities[rows] = part.probabilities
        for name, labels in part.descended.items():
            self.descended[name][rows] = labels


def of_logits(logits: np.ndarray, trees: Mapping[str, LabelTree], groups: np.ndarray) -> Ranking:
    """Ranks all labels by the logits of a flat network.

    Args:
      logits: float32 `[n, num_labels]`.
      trees: name -> tree.
      groups: int `[num_labels]`, the superclass of each label.
    """
    return of_scores(softmax(logits), trees, groups, top=top_labels(logits))


def of_scores(
    scores: np.ndarray,
    trees: Mapping[str, LabelTree],
    groups: np.ndarray,
    *,
    top: np.ndarray,
) -> Ranking:
    """Ranks all labels whose order is known.

    Args:
      scores: float64 `[n, num_labels]`, probabilities.
      trees: name -> tree.
      groups: int `[num_labels]`, the superclass of each label.
      top: int64 `[n, TOP]`, as in Ranking.
    """
    first = top[:, 0]
    rows = np.arange(len(scores))
    of_superclass = np.einsum("ij,ij->i", scores, groups == groups[first][:, None])
    labels = np.arange(scores.shape[1])
    descended = {name: tree.descend(scores, labels) for name, tree in trees.items()}
    return Ranking(top, _pairs(of_superclass, scores[rows, first]), descended)


def of_sub_logits(
    logits: np.ndarray,
    members: np.ndarray,
    trees: Mapping[str, LabelTree],
    *,
    superclass_probability: np.ndarray,
) -> Ranking:
    """Ranks the labels of one superclass, which is decided.

    Args:
      logits: float32 `[n, num_subclasses]` of its sub network.
      members: int `[num_subclasses]`, its labels.
      trees: name -> tree.
      superclass_probability: float64 `[n]`, of the superclass.
    """
    within = softmax(logits)
    top = top_labels(logits)
    best = within[np.arange(len(within)), top[:, 0]]
    return Ranking(
        top=np.where(top < 0, -1, members[top]),
        probabilities=_pairs(superclass_probability, superclass_probability * best),
        descended={name: tree.descend(within, members) for name, tree in trees.items()},
    )


def top_labels(scores: np.ndarray, *, first: np.ndarray | None = None) -> np.ndarray:
    """Returns the columns of the largest scores.

    Args:
      scores: float `[n, m]`; -inf is no score.
      first: int `[n]`, columns to put first whatever their score, if any are.

    Returns:
      int64 `[n, TOP]`, in order of the score; -1 behind the last.
    """
    left = scores.copy()
    rows = np.arange(len(scores))
    if first is not None:
        left[rows, first] = np.inf
    top = np.full((len(scores), TOP), -1)
    # As often as an arg-max is needed: sorting rows would take longer.
    for place in range(min(TOP, scores.shape[1])):
        best = left.argmax(axis=1)
        top[:, place] = np.where(left[rows, best] == -np.inf, -1, best)
        left[rows, best] = -np.inf
    return top


def _pairs(of_superclass: np.ndarray, of_label: np.ndarray) -> np.ndarray:
    """Returns float64 `[n, 2]`; what rounding of sums put above 1 is 1."""
    return np.minimum(np.stack([of_superclass, of_label], axis=1), 1.0)
