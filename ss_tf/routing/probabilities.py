"""Probabilities of labels and of superclasses from the logits of a base."""

from __future__ import annotations

import numpy as np

from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.training.run_dir import FLAT, SUPER


def softmax(logits: np.ndarray) -> np.ndarray:
    """Returns the probabilities of logits `[batch, classes]`, as float64 of the same shape."""
    # float64, so that a sum over a hundred classes keeps close superclasses apart.
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def superclass_probabilities(
    base_logits: np.ndarray, superclass_map: SuperclassMap, *, base_kind: str
) -> np.ndarray:
    """Turns the logits of a base into probabilities of superclasses.

    Args:
      base_logits: float `[batch, num_superclasses]` of a super network, or `[batch, num_labels]`
        of a flat one.
      superclass_map: the partition that the base was trained with.
      base_kind: "super" or "flat". For a flat base the probability of a superclass is the sum of
        those of its labels.

    Returns:
      float64 `[batch, num_superclasses]`; rows sum to 1.

    Raises:
      ValueError: if there is no such kind, or the logits have another width.
    """
    widths = {SUPER: superclass_map.num_superclasses, FLAT: superclass_map.num_labels}
    if base_kind not in widths:
        raise ValueError(f"base_kind is {base_kind!r}, expected {' or '.join(widths)}.")
    if base_logits.shape[1:] != (widths[base_kind],):
        raise ValueError(
            f"Logits of the {base_kind} base have shape {base_logits.shape}, "
            f"expected {('batch', widths[base_kind])}."
        )
    probabilities = softmax(base_logits)
    if base_kind == SUPER:
        return probabilities
    return sums_by_superclass(probabilities, superclass_map)


def sums_by_superclass(values: np.ndarray, superclass_map: SuperclassMap) -> np.ndarray:
    """Adds up values `[n, num_labels]` to `[n, num_superclasses]`."""
    # [labels, superclasses], 1 where the label is of the superclass.
    membership = np.eye(superclass_map.num_superclasses)[list(superclass_map.superclass_of_label)]
    return values @ membership
