"""SubLogits: stored logits of sub networks, found by superclass and example."""

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


def rows_of(
    superclass: int,
    examples: np.ndarray,
    sub_logits: Mapping[int, SubLogits],
    superclass_map: SuperclassMap,
) -> np.ndarray:
    """Looks the logits of examples up.

    Args:
      superclass: whose sub network; one with more than one label.
      examples: int `[m]`, in any order, at least one.
      sub_logits: superclass -> logits of its sub network; rows of other examples are ignored.
      superclass_map: the partition the networks were trained with.

    Returns:
      float32 `[m, num_subclasses]`, in the order of `examples`.

    Raises:
      ValueError: if logits are missing, or have another number of columns than subclasses.
    """
    name = superclass_map.superclass_names[superclass]
    if superclass not in sub_logits:
        raise ValueError(f"Sub network {name!r} gave no logits, expected {examples.size} rows.")
    sub = sub_logits[superclass]
    missing = np.setdiff1d(examples, sub.indices)
    if missing.size:
        raise ValueError(
            f"Sub network {name!r} gave no logits for {missing.size} of {examples.size} routed "
            f"examples, first {missing[0]}; expected logits for all of them."
        )
    order = np.argsort(sub.indices)
    rows = sub.logits[order[np.searchsorted(sub.indices, examples, sorter=order)]]
    num_subclasses = len(superclass_map.labels_in(superclass))
    if rows.shape[1] != num_subclasses:
        raise ValueError(
            f"Sub network {name!r} logits have shape {rows.shape}, expected (n, {num_subclasses})."
        )
    return rows
