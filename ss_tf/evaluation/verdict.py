"""Whether two-stage beats flat, as numbers with an interval and as one sentence."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ss_tf.evaluation import metrics
from ss_tf.evaluation.results import NOT_EVALUATED

# The sentence is about the first that was evaluated.
TWO_STAGE = ("hard", "soft", "vanilla")
# What two-stage has to beat.
REFERENCES = ("flat", "flat_equal_compute")
# The compute of a second flat network, over that of two stages, that may still be called equal.
_LEAST_EQUAL, _MOST_EQUAL = 0.85, 1.15


def compare(
    labels: Mapping[str, np.ndarray], *, true: np.ndarray
) -> dict[str, dict[str, dict[str, object] | str]]:
    """Compares each two-stage system with each flat network, on the same examples.

    Args:
      labels: system -> int64 `[n]` labels, of the systems that ran.
      true: int64 `[n]`.

    Returns:
      two-stage system -> flat network -> `difference`, `low` and `high` in percentage points
      (low and high bound the interval of 95 %), `outcome`, and `p_value` of McNemar's exact test;
      or "not evaluated".
    """
    return {
        system: {name: _comparison(labels, system, name, true=true) for name in REFERENCES}
        for system in TWO_STAGE
    }


def is_equal_compute(ratio: float | str) -> bool:
    """Says whether a second flat network of that compute, over two-stage's, may be called equal."""
    return ratio == NOT_EVALUATED or _LEAST_EQUAL <= ratio <= _MOST_EQUAL


def reference_name(reference: str, results: Mapping[str, object]) -> str:
    """Returns what to call one of REFERENCES in a sentence."""
    ratio = results["macs_per_image"]["flat_equal_compute_ratio"]
    if reference == "flat":
        return "flat"
    if ratio == NOT_EVALUATED:
        return "flat at equal compute"
    if is_equal_compute(ratio):
        return f"flat at equal compute ({ratio:.2f}x that of two stages)"
    return f"the second flat network ({ratio:.2f}x the compute of two stages)"


def sentence(results: Mapping[str, object]) -> str:
    """Says in one sentence whether two-stage pays here.

    Args:
      results: `top1`, `comparisons`, `macs_per_image`, `starts_from` and `training_passes` of
        results.json.
    """
    top1 = results["top1"]
    evaluated = [system for system in TWO_STAGE if top1[system] != NOT_EVALUATED]
    if not evaluated:
        return f"Two-stage: {NOT_EVALUATED}."
    system = evaluated[0]
    clauses = [
        _clause(results["comparisons"][system][name], reference_name(name, results), top1[name])
        for name in REFERENCES
    ]
    subject = f"Two-stage ({system}, {100 * top1[system]:.2f} %)"
    told = f"{subject}{_head_start(system, results)} {', and '.join(clauses)}."
    return told + _unlike_starts(results["starts_from"])


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
        "p_value": paired.p_value,
    }


def _head_start(system: str, results: Mapping[str, object]) -> str:
    """Tells if two-stage was trained for more passes than flat; else returns nothing."""
    passes, of_flat = (results["training_passes"][name] for name in (system, "flat"))
    if NOT_EVALUATED in (passes, of_flat) or passes <= of_flat:
        return ""
    return f", after {passes:.1f} passes over the training images against {of_flat:.1f},"


def _unlike_starts(starts: Mapping[str, str]) -> str:
    """Tells if some networks had pretrained weights and others had not; else returns nothing."""
    random = [name for name, start in starts.items() if start == "random weights"]
    others = [name for name in starts if name not in random and starts[name] != NOT_EVALUATED]
    if not random or not others:
        return ""
    return (
        f" This is no fair comparison: {' and '.join(random)} started from random weights, "
        f"{' and '.join(others)} from pretrained ones."
    )


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
