"""Hierarchical metrics: how far wrong decisions are from the truth in a tree of labels."""

from __future__ import annotations

import math

import numpy as np

from ss_tf.evaluation.label_tree import LabelTree


def mistake_severity(tree: LabelTree, decided: np.ndarray, true: np.ndarray) -> float:
    """Returns the mean height of the lowest common ancestor of truth and decision, of wrong ones.

    As in "Making better mistakes" (Bertinetto et al., arXiv 1912.09393). Heights are those of
    `LabelTree.distance`; in a tree of two levels a mistake has 1 inside the superclass, else 2. It
    says nothing of how many mistakes there are: `distance_at` has that in it.

    Args:
      tree: over the labels.
      decided: int `[n]`, labels.
      true: int `[n]`, labels.

    Returns:
      At least 1; nan without mistakes.

    Raises:
      ValueError: if shapes differ.
    """
    _check(decided, true)
    wrong = decided != true
    if not wrong.any():
        return math.nan
    return float(tree.distance(decided[wrong], true[wrong]).mean())


def distance_at(tree: LabelTree, top: np.ndarray, true: np.ndarray, *, k: int) -> float:
    """Returns the mean height of the lowest common ancestor of truth and the k best labels.

    Hierarchical distance of a top k (arXiv 1912.09393): averaged over the k labels of each image,
    right ones with 0 included, then over images. Where an image has fewer than k labels, as two
    stages give only those of one superclass, it is averaged over these.

    Args:
      tree: over the labels.
      top: int `[n, at least k]`, labels, the best first, -1 behind the last; each image has one.
      true: int `[n]`, labels.
      k: how many labels count, 1 or more.

    Returns:
      0 or more; nan without images.

    Raises:
      ValueError: if shapes differ, or there are fewer than k columns.
    """
    if top.ndim != 2 or not 1 <= k <= top.shape[1]:
        raise ValueError(f"k is {k} for labels of shape {top.shape}, expected 1 to its columns.")
    _check(top[:, 0], true)
    if not len(true):
        return math.nan
    first = top[:, :k]
    is_there = first >= 0
    heights = tree.distance(np.maximum(first, 0), np.broadcast_to(true[:, None], first.shape))
    return float(((heights * is_there).sum(axis=1) / is_there.sum(axis=1)).mean())


def precision_recall_f(
    tree: LabelTree, decided: np.ndarray, true: np.ndarray
) -> tuple[float, float, float]:
    """Returns hierarchical precision, recall and F (Kiritchenko et al., Canadian AI 2006).

    A label counts with all nodes above it but the root, which is above everything. Precision is the
    number of nodes that decisions and truths share, over those of the decisions; recall, over those
    of the truths, each summed over all images; F is their harmonic mean.

    Args:
      tree: over the labels.
      decided: int `[n]`, labels.
      true: int `[n]`, labels.

    Returns:
      Three numbers in [0, 1]; nan without images.

    Raises:
      ValueError: if shapes differ.
    """
    _check(decided, true)
    if not len(true):
        return math.nan, math.nan, math.nan
    shared = float(tree.common_depth(decided, true).sum())
    of_decided, of_true = float(tree.depth[decided].sum()), float(tree.depth[true].sum())
    # 2PR / (P + R), which would divide by 0 where nothing is shared.
    return shared / of_decided, shared / of_true, 2 * shared / (of_decided + of_true)


def consistency(decided: np.ndarray, descended: np.ndarray) -> float:
    """Returns the share of images for which all levels of a tree say the same.

    That is, whose label is also what deciding from the root down gives (`LabelTree.descend`). In a
    tree of two levels: the share whose label lies in the superclass that is most probable, by the
    sum of the probabilities in it. Two stages that route hard decide so, and have 1 there.

    Args:
      decided: int `[n]`, labels.
      descended: int `[n]`, labels.

    Returns:
      In [0, 1]; nan without images.

    Raises:
      ValueError: if shapes differ.
    """
    _check(decided, descended)
    return float(np.mean(decided == descended)) if len(decided) else math.nan


def _check(decided: np.ndarray, true: np.ndarray) -> None:
    """Raises ValueError unless both are `[n]`."""
    if decided.shape != true.shape or true.ndim != 1:
        raise ValueError(
            f"Decisions have shape {decided.shape} and truths {true.shape}, "
            "expected one decision per image."
        )
