"""Calibration of a network's probabilities by one temperature."""

from __future__ import annotations

import math

import numpy as np

_COLDEST, _WARMEST = 0.25, 4.0
_GOLDEN = (math.sqrt(5) - 1) / 2
_STEPS_OF_SEARCH = 30


def best_temperature(logits: np.ndarray, subclasses: np.ndarray) -> float:
    """Minimises the negative log likelihood of softmax(logits / temperature).

    Args:
      logits: float `[m, num_subclasses]`.
      subclasses: int `[m]`, the true ones.

    Returns:
      The temperature, from 0.25 to 4; 1 if no other is better.
    """
    logits = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    own = np.take_along_axis(logits, subclasses[:, None], axis=1)[:, 0]

    def loss(log_temperature: float) -> float:
        scale = math.exp(-log_temperature)
        return float(np.mean(np.log(np.exp(logits * scale).sum(axis=1)) - own * scale))

    # Golden section: the loss is convex in 1/T, so it has one valley in log T too.
    low, high = math.log(_COLDEST), math.log(_WARMEST)
    for _ in range(_STEPS_OF_SEARCH):
        step = _GOLDEN * (high - low)
        if loss(high - step) <= loss(low + step):
            high = low + step
        else:
            low = high - step
    found = (low + high) / 2
    return math.exp(found) if loss(found) < loss(0.0) else 1.0
