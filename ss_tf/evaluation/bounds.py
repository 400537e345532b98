"""Label decisions, from the lower bound (flat) to the upper bound (oracle)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing.sub_logits import SubLogits, rows_of


def flat_labels(logits: np.ndarray, superclass_map: SuperclassMap) -> np.ndarray:
    """Decides the label of each example by the largest logit.

    Args:
      logits: float `[n, num_labels]`, of a flat network.
      superclass_map: the partition the network was trained with.

    Returns:
      int64 `[n]`, labels.

    Raises:
      ValueError: if there is not one column per label.
    """
    if logits.ndim != 2 or logits.shape[1] != superclass_map.num_labels:
        raise ValueError(
            f"Flat logits have shape {logits.shape}, expected (n, {superclass_map.num_labels})."
        )
    return np.argmax(logits, axis=1)


def two_stage_labels(
    superclasses: np.ndarray,
    sub_logits: Mapping[int, SubLogits],
    superclass_map: SuperclassMap,
) -> np.ndarray:
    """Decides labels inside superclasses that are already decided.

    With the decisions of stage 1 these are the labels of hard two-stage routing; with the true
    superclasses, those of the oracle.

    Args:
      superclasses: int `[n]`, one superclass per example.
      sub_logits: superclass -> logits of its sub network. They must cover every example that
        `superclasses` sends there; other rows are ignored. A superclass with one label needs none.
      superclass_map: the partition the networks were trained with.

    Returns:
      int64 `[n]`, labels.

    Raises:
      ValueError: if logits are missing, or have another number of columns than subclasses.
    """
    labels = np.full(superclasses.shape, -1, np.int64)
    for superclass in range(superclass_map.num_superclasses):
        routed = np.flatnonzero(superclasses == superclass)
        members = np.asarray(superclass_map.labels_in(superclass))
        if len(members) == 1 or not routed.size:
            labels[routed] = members[0]
            continue
        rows = rows_of(superclass, routed, sub_logits, superclass_map)
        labels[routed] = members[np.argmax(rows, axis=1)]
    if np.any(labels < 0):
        bad = int(superclasses[np.flatnonzero(labels < 0)[0]])
        raise ValueError(
            f"Superclass {bad} decided, expected 0..{superclass_map.num_superclasses - 1}."
        )
    return labels
