"""Calibration: whether decisions of 80 % probability are right in 80 % of the cases."""

from __future__ import annotations

import numpy as np

# As in "On calibration of modern neural networks" (Guo et al., arXiv 1706.04599).
NUM_BINS = 15


def reliability(confidence: np.ndarray, is_right: np.ndarray) -> dict[str, object]:
    """Compares how sure decisions are with how often they are right.

    Decisions are put into 15 bins of equal width by their confidence, the upper edge belonging to
    the bin. The expected calibration error is the mean over all decisions of the distance between
    mean confidence and share of right ones in their bin.

    Args:
      confidence: float `[n]` in [0, 1], the probability of each decision.
      is_right: bool `[n]`.

    Returns:
      `ece` in [0, 1], nan without decisions, and `bins`: lists, one entry for each bin that is not
      empty, of `low` and `high` (its edges), `confidence` and `accuracy` (means in it) and `count`.

    Raises:
      ValueError: if shapes differ, or a confidence is not in [0, 1].
    """
    if confidence.shape != is_right.shape or confidence.ndim != 1:
        raise ValueError(
            f"Confidences have shape {confidence.shape} for decisions of shape {is_right.shape}, "
            "expected one per decision."
        )
    bad = confidence[~((confidence >= 0) & (confidence <= 1))]
    if bad.size:
        raise ValueError(f"A confidence is {bad[0]}, expected 0 to 1.")
    edges = np.arange(NUM_BINS + 1) / NUM_BINS
    # A confidence of 0 is in the first bin.
    places = np.maximum(np.searchsorted(edges, confidence, side="left") - 1, 0)
    counts = np.bincount(places, minlength=NUM_BINS)
    used = np.flatnonzero(counts)
    counts = counts[used]
    sure = np.bincount(places, weights=confidence, minlength=NUM_BINS)[used] / counts
    right = np.bincount(places, weights=is_right, minlength=NUM_BINS)[used] / counts
    total = len(confidence)
    return {
        "ece": float(counts @ np.abs(sure - right) / total) if total else float("nan"),
        "bins": {
            "low": edges[used].tolist(),
            "high": edges[used + 1].tolist(),
            "confidence": sure.tolist(),
            "accuracy": right.tolist(),
            "count": counts.tolist(),
        },
    }
