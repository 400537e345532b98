"""Which images systems get wrong."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def largest_cells_first(labels: Mapping[str, np.ndarray], true: np.ndarray) -> np.ndarray:
    """Returns the images that a system gets wrong, those of the largest cells first.

    A cell of a confusion matrix is a true and a decided label, and as large as the number of
    images that share both. An image that several systems get wrong goes by its largest cell; of
    equals, the first comes first.

    Args:
      labels: system -> int64 `[n]`, decided labels.
      true: int64 `[n]`.

    Returns:
      int64 `[m]`: positions in `true`, each once.
    """
    largest = np.zeros(len(true), np.int64)
    for decided in labels.values():
        wrong = np.flatnonzero(decided != true)
        pairs = np.stack([true[wrong], decided[wrong]], axis=1)
        _, cells, sizes = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
        largest[wrong] = np.maximum(largest[wrong], sizes[cells.reshape(-1)])
    order = np.argsort(-largest, kind="stable")
    return order[: np.count_nonzero(largest)]
