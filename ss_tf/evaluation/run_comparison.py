"""Two evaluated runs side by side, on the validation images that both have."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from ss_tf.evaluation import calibration, intervals, measure, metrics
from ss_tf.evaluation.accuracy import SYSTEMS
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.evaluation.stored_predictions import StoredPredictions

# Entries of results.json that are no accuracies: compared without a test of significance.
_COSTS = (
    *(f"macs_per_image.{name}" for name in ("flat", "flat_equal_compute", "two_stage")),
    "macs_per_image.two_stage_soft",
    *(f"sizes.systems.{name}.on_disk" for name in ("flat", "flat_equal_compute", "vanilla")),
    "sizes.systems.hard.on_disk",
    "sizes.systems.hard.at_once",
    "sizes.size_ratio.int8_delta",
    *(f"training_passes.{name}" for name in ("flat", "vanilla", "hard")),
)
_TESTED = ("low", "high", "p_value")


@dataclasses.dataclass(frozen=True)
class _Run:
    """A run at the images in common, in one order.

    Attributes:
      measured: its results.json, of all its images.
      labels: int64 `[n]`, the true ones.
      right: name of an accuracy, as in results.json -> bool `[n]`, which images are right.
      sure: the same -> float64 `[n]`, the probability of what was decided.
    """

    measured: Mapping[str, object]
    labels: np.ndarray
    right: Mapping[str, np.ndarray]
    sure: Mapping[str, np.ndarray]


def compare(a: StoredPredictions, b: StoredPredictions) -> dict[str, object]:
    """Compares two runs: accuracies on the images in common, and what the runs cost.

    Returns:
      `num_images` in common, `only_a` and `only_b`: images that one run alone has, and `rows`:
      `metric` (the path of an entry of results.json), `a`, `b`, `difference` (b minus a), `low` and
      `high` (its interval of 95 %) and `p_value`. Accuracies are in [0, 1], paired by image:
      interval and test are those of `metrics.PairedDifference`, but for balanced accuracy, whose
      interval is a bootstrap's. What a run lacks, and the significance of calibration errors and of
      costs, is "not evaluated".

    Raises:
      ValueError: if the runs have other labels, no image in common, or one with two labels.
    """
    names_a, names_b = set(a.superclass_map.label_names), set(b.superclass_map.label_names)
    if names_a != names_b:
        raise ValueError(
            f"The runs have other labels: {len(names_a - names_b)} are in the first alone, "
            f"{len(names_b - names_a)} in the second, expected the same."
        )
    rows_a, rows_b = _in_common(a, b)
    first, second = _run(a, rows_a), _run(b, rows_b)
    return {
        "num_images": len(rows_a),
        "only_a": len(a.keys) - len(rows_a),
        "only_b": len(b.keys) - len(rows_b),
        "rows": [*_accuracies(first, second), *_calibration_errors(first, second)]
        + [_row(path, _at(first.measured, path), _at(second.measured, path)) for path in _COSTS],
    }


def _in_common(a: StoredPredictions, b: StoredPredictions) -> tuple[np.ndarray, np.ndarray]:
    """Returns where the images that both have are in each, in the order of the first."""
    place = {key: row for row, key in enumerate(b.keys)}
    rows_a = [row for row, key in enumerate(a.keys) if key in place]
    if not rows_a:
        raise ValueError(
            f"The runs have no image in common, such as {a.keys[0]!r} and {b.keys[0]!r}, expected "
            "runs on the same data."
        )
    rows_b = [place[a.keys[row]] for row in rows_a]
    names = a.superclass_map.label_names, b.superclass_map.label_names
    for row_a, row_b in zip(rows_a, rows_b, strict=True):
        one, other = names[0][a.labels[row_a]], names[1][b.labels[row_b]]
        if one != other:
            raise ValueError(
                f"Image {a.keys[row_a]!r} is {one!r} in the first run and {other!r} in the second, "
                "expected the same label."
            )
    return np.array(rows_a), np.array(rows_b)


def _run(predictions: StoredPredictions, rows: np.ndarray) -> _Run:
    """Measures a run, and what it decides at some of its images."""
    measured, decisions = measure.measure(predictions)
    groups = np.asarray(predictions.superclass_map.superclass_of_label)
    true = decisions.true[rows]
    right, sure = {}, {}
    for form, name in (("int8", "super_top1"), ("float", "super_top1_float")):
        if form in decisions.stage1:
            right[name] = decisions.stage1[form][rows] == groups[true]
    for system, labels in decisions.labels.items():
        right[f"top1.{system}"] = labels[rows] == true
        right[f"top5.{system}"] = metrics.in_top(decisions.top[system][rows], true)
        sure[f"top1.{system}"] = decisions.probabilities[system][rows, 1]
    return _Run(measured, true, right, sure)


def _accuracies(first: _Run, second: _Run) -> Iterator[dict[str, object]]:
    """Yields a row for each accuracy that some run has."""
    names = ["super_top1", "super_top1_float"]
    names += [f"{kind}.{system}" for kind in ("top1", "top5") for system in SYSTEMS]
    for name in names:
        a, b = first.right.get(name), second.right.get(name)
        tested = {}
        if a is not None and b is not None:
            paired = metrics.paired_difference(b, a, true=np.ones(len(a), bool))
            tested = {key: getattr(paired, key) for key in _TESTED}
        yield _row(name, _mean(a), _mean(b), **tested)
    for system in SYSTEMS:
        a, b = (run.right.get(f"top1.{system}") for run in (first, second))
        tested = {}
        if a is not None and b is not None:
            low, high = intervals.of_mean_difference(b, a, first.labels)
            tested = {"low": low, "high": high}
        one, other = (_balanced(run, f"top1.{system}") for run in (first, second))
        yield _row(f"balanced_top1.{system}", one, other, **tested)


def _calibration_errors(first: _Run, second: _Run) -> Iterator[dict[str, object]]:
    """Yields a row for the calibration of each system."""
    for system in SYSTEMS:
        name = f"top1.{system}"
        errors = [
            calibration.reliability(run.sure[name], run.right[name])["ece"]
            if name in run.sure
            else NOT_EVALUATED
            for run in (first, second)
        ]
        yield _row(f"calibration.{system}.subclass.ece", *errors)


def _balanced(run: _Run, name: str) -> float | str:
    if name not in run.right:
        return NOT_EVALUATED
    totals = np.bincount(run.labels)
    right = np.bincount(run.labels[run.right[name]], minlength=len(totals))
    return float(np.mean(right[totals > 0] / totals[totals > 0]))


def _mean(right: np.ndarray | None) -> float | str:
    return NOT_EVALUATED if right is None else float(right.mean())


def _at(measured: Mapping[str, object], path: str) -> float | str:
    """Returns the entry of results.json at a path with dots."""
    for key in path.split("."):
        measured = measured[key]
    return measured


def _row(metric: str, a: float | str, b: float | str, **tested: float) -> dict[str, object]:
    """Returns a row; without a value on one side there is no difference."""
    known = not isinstance(a, str) and not isinstance(b, str)
    return {
        "metric": metric,
        "a": a,
        "b": b,
        "difference": b - a if known else NOT_EVALUATED,
        **{key: tested.get(key, NOT_EVALUATED) for key in _TESTED},
    }
