"""Deterministic splits: which images of each label are held out, chosen by their keys."""

from __future__ import annotations

import hashlib
import math

import numpy as np


def hold_out(keys: np.ndarray, labels: np.ndarray, *, fraction: float, at_least: int) -> np.ndarray:
    """Chooses which examples to hold out, the same share of every label.

    Of the n examples of a label, `floor(n * fraction)` are held out, but at least `at_least`, and
    at most n - 1: one always stays. They are those whose keys have the smallest SHA-256. So the
    choice depends neither on the order of the examples nor on other labels, and adding an image
    to a label moves at most one other image across.

    Args:
      keys: str `[n]`, unique.
      labels: int `[n]`.
      fraction: in [0, 1).
      at_least: held out of a label that can spare them, however small `fraction` is.

    Returns:
      bool `[n]`, true where the example is held out.
    """
    # For n * fraction that is a whole number in decimals: 100 * 0.29 is 28.999999999999996.
    tolerance = 1e-6
    held_out = np.zeros(len(keys), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = max(at_least, math.floor(len(members) * fraction + tolerance))
        ranked = sorted(members, key=lambda index: _digest(keys[index]))
        held_out[ranked[: min(count, len(members) - 1)]] = True
    return held_out


def _digest(key: str) -> bytes:
    """Returns the SHA-256 of a key: unlike `hash()`, equal in every process and on every system."""
    return hashlib.sha256(str(key).encode("utf-8")).digest()
