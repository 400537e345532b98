"""Whether two-stage beats flat, as numbers with an interval and as one sentence."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ss_tf.evaluation import metrics
from ss_tf.evaluation.results import NOT_EVALUATED

TWO_STAGE = ("hard", "vanilla")
# What two-stage has to beat, and how the sentence calls it.
_REFERENCES = {"flat": "flat", "flat_equal_compute": "flat at equal compute"}


def compare(
    labels: Mapping[str, np.ndarray], *, true: np.ndarray
) -> dict[str, dict[str, dict[str, object] | str]]:
    """Compares each two-stage system with each flat network, on the same examples.

    Args:
      labels: system -> int64 `[n]` labels, of the systems that ran.
      true: int64 `[n]`.

    Returns:
      two-stage system -> flat network -> `difference`, `low` and `high` in percentage points
      (low and high bound the interval of 95 %), and `outcome`; or "not evaluated".
    """
    return {
        system: {name: _comparison(labels, system, name, true=true) for name in _REFERENCES}
        for system in TWO_STAGE
    }


def sentence(
    top1: Mapping[str, float | str],
    comparisons: Mapping[str, Mapping[str, Mapping[str, object] | str]],
) -> str:
    """Says in one sentence whether two-stage pays here.

    Args:
      top1: system -> accuracy in [0, 1] or "not evaluated".
      comparisons: what `compare` returned.
    """
    evaluated = [system for system in TWO_STAGE if top1[system] != NOT_EVALUATED]
    if not evaluated:
        return f"Two-stage: {NOT_EVALUATED}."
    system = evaluated[0]
    clauses = [
        _clause(comparisons[system][name], called, top1[name])
        for name, called in _REFERENCES.items()
    ]
    return f"Two-stage ({system}, {100 * top1[system]:.2f} %) {', and '.join(clauses)}."


def _comparison(
    labels: Mapping[str, np.ndarray], system: str, reference: str, *, true: np.ndarray
) -> dict[str, object] | str:
    """Returns the paired difference of two systems in percentage points."""
    if system not in labels or reference not in labels:
        return NOT_EVALUATED
    paired = metrics.paired_difference(labels[system], labels[reference], true=true)
    return {
        "difference": 100 * paired.difference,
        "low": 100 * paired.low,
        "high": 100 * paired.high,
        "outcome": paired.outcome,
    }


def _clause(comparison: Mapping[str, object] | str, called: str, accuracy: float | str) -> str:
    """Returns the part of the sentence about one flat network."""
    if comparison == NOT_EVALUATED:
        return f"was not compared with {called} ({NOT_EVALUATED})"
    difference = comparison["difference"]
    verb = {
        "better": f"beats {called} by {difference:.2f}",
        "worse": f"loses to {called} by {-difference:.2f}",
        "no clear difference": f"shows no clear difference from {called}: {difference:+.2f}",
    }[comparison["outcome"]]
    interval = f"95 % interval {comparison['low']:+.2f} to {comparison['high']:+.2f}"
    return f"{verb} points (it has {100 * accuracy:.2f} %; {interval})"
