"""The accuracy part of results.json, from one decision per example and system."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping

import numpy as np

from ss_tf.evaluation import intervals, metrics, verdict
from ss_tf.evaluation.results import NOT_EVALUATED, UNDEFINED
from ss_tf.hierarchy.superclass_map import SuperclassMap

# Ways to decide a label. What each one is: docstring of Decisions.
SYSTEMS = (
    "flat",
    "flat_int8",
    "flat_equal_compute",
    "oracle",
    "oracle_vanilla",
    "vanilla",
    "hard",
    "soft",
)
# Form of stage 1 -> its name among the systems.
_STAGE1 = {"int8": "super", "float": "super_float"}


@dataclasses.dataclass(frozen=True)
class Decisions:
    """What each system decided about the same `n` examples.

    Attributes:
      true: int64 `[n]`, true labels.
      stage1: "int8" and "float" -> int64 `[n]` superclasses decided by the base network in that
        form; only the forms that exist.
      labels: system -> int64 `[n]` labels; only the systems that ran. "flat" and
        "flat_equal_compute" are float networks, "flat_int8" is the flat network as int8 base.
        "vanilla" is two-stage with float networks; "hard" is two-stage with the int8 base and
        sub networks restored from the bank; "soft" is the same networks with a fitted policy of
        routing. "oracle" and "oracle_vanilla" are the sub networks of "hard" and "vanilla", chosen
        by the true superclass.
      opened: "hard", "soft" and "vanilla", where they ran -> bool `[n, num_superclasses]`, whose
        sub networks were asked. A superclass with a single label counts, though it has none.
      probabilities: system -> float64 `[n, 2]`, how sure it is of the superclass of its label, and
        of superclass and label together. An oracle is sure of the superclass, which it was told.
      top: system -> int64 `[n, ranking.TOP]`, its labels, the most probable first, -1 behind the
        last. Two stages give only labels of the superclasses that were opened.
      descended: system -> tree -> int64 `[n]`, its labels if it decided from the root of that tree
        down (`LabelTree.descend`).
    """

    true: np.ndarray
    stage1: Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray]
    opened: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    probabilities: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    top: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    descended: Mapping[str, Mapping[str, np.ndarray]] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        known = (self.labels, self.opened, self.probabilities, self.top, self.descended)
        for name in itertools.chain(*known):
            if name not in SYSTEMS:
                raise ValueError(f"Unknown system {name!r}, expected one of {', '.join(SYSTEMS)}.")
        for name in self.stage1:
            if name not in ("int8", "float"):
                raise ValueError(f"Unknown form {name!r} of stage 1, expected int8 or float.")


def summarize(decisions: Decisions, superclass_map: SuperclassMap) -> dict[str, object]:
    """Computes every accuracy of results.json.

    Returns:
      The entries `num_examples`, `top1`, `super_top1`, `super_top1_float`, `intervals`, `top5`,
      `top5_intervals`, `balanced_top1`, `balanced_top1_intervals`, `per_superclass`, `confusion`,
      `flat_errors`, `relative_gain_percent` and `comparisons`. Accuracies are in [0, 1]; what no
      system decided is "not evaluated", what would be divided by 0 "undefined".

    Raises:
      ValueError: if decisions and truths do not pair up.
    """
    true_superclass = np.asarray(superclass_map.superclass_of_label)[decisions.true]
    top1 = {name: NOT_EVALUATED for name in SYSTEMS}
    for name, labels in decisions.labels.items():
        top1[name] = metrics.top1(labels, decisions.true)
    return {
        "num_examples": len(decisions.true),
        "top1": top1,
        "super_top1": _stage1_top1(decisions, "int8", true_superclass),
        "super_top1_float": _stage1_top1(decisions, "float", true_superclass),
        **_intervals(decisions, true_superclass),
        **_top5(decisions),
        **_balanced(decisions, superclass_map),
        "per_superclass": _per_superclass(decisions, superclass_map, true_superclass),
        "confusion": _confusion(decisions, superclass_map, true_superclass),
        "flat_errors": _flat_errors(decisions, superclass_map),
        "relative_gain_percent": {
            name: _relative_gain(top1[name], top1["flat"]) for name in SYSTEMS if name != "flat"
        },
        "comparisons": verdict.compare(decisions.labels, true=decisions.true),
    }


def _stage1_top1(decisions: Decisions, form: str, true_superclass: np.ndarray) -> float | str:
    """Returns the share of right superclasses of stage 1 in a form."""
    if form not in decisions.stage1:
        return NOT_EVALUATED
    return metrics.top1(decisions.stage1[form], true_superclass)


def _intervals(decisions: Decisions, true_superclass: np.ndarray) -> dict[str, object]:
    """Returns the entry `intervals`, of top-1 and of stage 1."""
    found = {name: NOT_EVALUATED for name in (*SYSTEMS, *_STAGE1.values())}
    for name, (decided, true) in _decided(decisions, true_superclass).items():
        found[name] = list(intervals.wilson(int(np.sum(decided == true)), len(true)))
    return {"intervals": found}


def _top5(decisions: Decisions) -> dict[str, object]:
    """Returns the entries on the truth being among the five most probable labels."""
    shares, bounds = ({name: NOT_EVALUATED for name in SYSTEMS} for _ in range(2))
    for name, top in decisions.top.items():
        is_in = metrics.in_top(top, decisions.true)
        shares[name] = float(is_in.mean())
        bounds[name] = list(intervals.wilson(int(is_in.sum()), len(is_in)))
    return {"top5": shares, "top5_intervals": bounds}


def _balanced(decisions: Decisions, superclass_map: SuperclassMap) -> dict[str, object]:
    """Returns the entries on accuracy where each label counts the same."""
    true, num_labels = decisions.true, superclass_map.num_labels
    shares, bounds = ({name: NOT_EVALUATED for name in SYSTEMS} for _ in range(2))
    for name, labels in decisions.labels.items():
        shares[name] = metrics.balanced_top1(labels, true, num_classes=num_labels)
        counts = metrics.counts_by_group(labels, true, groups=true, num_groups=num_labels)
        bounds[name] = list(intervals.of_mean_share(*counts))
    return {"balanced_top1": shares, "balanced_top1_intervals": bounds}


def _decided(
    decisions: Decisions, true_superclass: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns each system and form of stage 1 -> what it decided, and the truth."""
    pairs = {name: (labels, decisions.true) for name, labels in decisions.labels.items()}
    for form, name in _STAGE1.items():
        if form in decisions.stage1:
            pairs[name] = (decisions.stage1[form], true_superclass)
    return pairs


def _per_superclass(
    decisions: Decisions,
    superclass_map: SuperclassMap,
    true_superclass: np.ndarray,
) -> dict[str, dict[str, object]]:
    """Returns superclass name -> sizes, and accuracies of all systems on its examples."""
    names = superclass_map.superclass_names
    columns, bounds = (
        {name: [NOT_EVALUATED] * len(names) for name in (*SYSTEMS, *_STAGE1.values())}
        for _ in range(2)
    )
    for name, (decided, true) in _decided(decisions, true_superclass).items():
        counts = metrics.counts_by_group(
            decided, true, groups=true_superclass, num_groups=len(names)
        )
        for index, (right, total) in enumerate(zip(*counts, strict=True)):
            if total:
                columns[name][index] = right.item() / total.item()
                bounds[name][index] = list(intervals.wilson(right.item(), total.item()))
    num_examples = np.bincount(true_superclass, minlength=len(names))
    return {
        name: {
            "num_subclasses": len(superclass_map.labels_in(index)),
            "num_examples": int(num_examples[index]),
            "intervals": {column: values[index] for column, values in bounds.items()},
            **{column: values[index] for column, values in columns.items()},
        }
        for index, name in enumerate(names)
    }


def _confusion(
    decisions: Decisions,
    superclass_map: SuperclassMap,
    true_superclass: np.ndarray,
) -> dict[str, object] | str:
    """Returns the confusion of stage 1: int8 where there is one, else float."""
    for form in ("int8", "float"):
        if form in decisions.stage1:
            counts = metrics.confusion(
                decisions.stage1[form],
                true_superclass,
                num_classes=superclass_map.num_superclasses,
            )
            return {
                "stage1": form,
                "superclasses": list(superclass_map.superclass_names),
                "counts_by_true_then_decided": counts.tolist(),
            }
    return NOT_EVALUATED


def _flat_errors(decisions: Decisions, superclass_map: SuperclassMap) -> dict[str, object] | str:
    """Returns how many errors of the flat network stay inside the true superclass."""
    if "flat" not in decisions.labels:
        return NOT_EVALUATED
    errors, inside = metrics.errors_inside(
        decisions.labels["flat"],
        decisions.true,
        superclass_of_label=superclass_map.superclass_of_label,
    )
    share = inside / errors if errors else UNDEFINED
    return {"errors": errors, "inside_superclass": inside, "share_inside_superclass": share}


def _relative_gain(accuracy: float | str, reference: float | str) -> float | str:
    """Returns the gain in percent of the reference, where both are numbers."""
    if NOT_EVALUATED in (accuracy, reference):
        return NOT_EVALUATED
    gain = metrics.relative_gain_percent(accuracy, reference)
    return UNDEFINED if gain is None else gain
