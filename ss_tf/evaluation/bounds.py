"""Label decisions, from the lower bound (flat) to the upper bound (oracle)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from ss_tf.hierarchy.superclass_map import SuperclassMap


@dataclasses.dataclass(frozen=True)
class SubLogits:
    """Logits of one sub network, for the examples that may reach it.

    Attributes:
      indices: int64 `[m]`, which examples; each at most once.
      logits: float32 `[m, num_subclasses]`, one row per entry of `indices`.
    """

    indices: np.ndarray
    logits: np.ndarray

    def __post_init__(self):
        if self.logits.ndim != 2 or self.indices.shape != self.logits.shape[:1]:
            raise ValueError(
                f"Sub logits have shape {self.logits.shape} for indices of shape "
                f"{self.indices.shape}, expected one row per index."
            )
        if len(np.unique(self.indices)) != len(self.indices):
            raise ValueError("Sub logits hold an example twice, expected each at most once.")


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
    _check_columns("Flat", logits, superclass_map.num_labels)
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
    for superclass, name in enumerate(superclass_map.superclass_names):
        routed = np.flatnonzero(superclasses == superclass)
        members = np.asarray(superclass_map.labels_in(superclass))
        if len(members) == 1 or not routed.size:
            labels[routed] = members[0]
            continue
        if superclass not in sub_logits:
            raise ValueError(f"Sub network {name!r} gave no logits, expected {routed.size} rows.")
        rows = _rows(sub_logits[superclass], routed, name=name)
        _check_columns(f"Sub network {name!r}", rows, len(members))
        labels[routed] = members[np.argmax(rows, axis=1)]
    if np.any(labels < 0):
        bad = int(superclasses[np.flatnonzero(labels < 0)[0]])
        raise ValueError(
            f"Superclass {bad} decided, expected 0..{superclass_map.num_superclasses - 1}."
        )
    return labels


def _rows(sub: SubLogits, examples: np.ndarray, *, name: str) -> np.ndarray:
    """Returns the logits of `examples`, in their order."""
    order = np.argsort(sub.indices)
    missing = np.setdiff1d(examples, sub.indices)
    if missing.size:
        raise ValueError(
            f"Sub network {name!r} gave no logits for {missing.size} of {examples.size} routed "
            f"examples, first {missing[0]}; expected logits for all of them."
        )
    return sub.logits[order[np.searchsorted(sub.indices, examples, sorter=order)]]


def _check_columns(subject: str, logits: np.ndarray, expected: int) -> None:
    """Raises ValueError unless `logits` is `[n, expected]`."""
    if logits.ndim != 2 or logits.shape[1] != expected:
        raise ValueError(f"{subject} logits have shape {logits.shape}, expected (n, {expected}).")
