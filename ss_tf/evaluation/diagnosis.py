"""Where errors come from: the part of results.json on stages, pairs of systems and the tree."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from ss_tf.evaluation import calibration, hierarchical, label_tree, metrics, results
from ss_tf.evaluation.accuracy import SYSTEMS, Decisions
from ss_tf.evaluation.label_tree import LabelTree
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.hierarchy.superclass_map import SuperclassMap

# Two-stage system -> the oracle of the same sub networks.
_ORACLES = {"hard": "oracle", "soft": "oracle", "vanilla": "oracle_vanilla"}
_TREES = ("two_level", "wordnet")
_DISTANCES_AT = (1, 5)
_WORST_PAIRS = 20


def diagnose(decisions: Decisions, superclass_map: SuperclassMap) -> dict[str, object]:
    """Returns the entries that tell how the systems err.

    Returns:
      The entries `error_budget`, `calibration`, `mcnemar`, `hierarchical` and `worst_pairs` of
      results.json. What no system decided is "not evaluated", what would be divided by 0
      "undefined".
    """
    trees = label_tree.trees(superclass_map)
    groups = np.asarray(superclass_map.superclass_of_label)
    budgets = {
        system: _error_budget(decisions, system, oracle, groups)
        for system, oracle in _ORACLES.items()
    }
    return {
        "error_budget": budgets,
        "calibration": {system: _calibration(decisions, system, groups) for system in SYSTEMS},
        "mcnemar": _mcnemar(decisions),
        "hierarchical": {
            system: {tree: _hierarchical(decisions, system, tree, trees) for tree in _TREES}
            for system in SYSTEMS
        },
        "worst_pairs": {
            system: _worst_pairs(decisions, system, superclass_map) for system in SYSTEMS
        },
    }


def _error_budget(
    decisions: Decisions, system: str, oracle: str, groups: np.ndarray
) -> dict[str, int] | str:
    """Returns the images of a two-stage system by what went wrong; the first four sum to all."""
    if system not in decisions.labels or oracle not in decisions.labels:
        return NOT_EVALUATED
    labels, true = decisions.labels[system], decisions.true
    is_right, is_routed = labels == true, groups[labels] == groups[true]
    oracle_is_right = decisions.labels[oracle] == true
    counts = {
        "right": is_right,
        "routing_only": ~is_routed & oracle_is_right,
        "sub_only": is_routed & ~is_right,
        "both": ~is_routed & ~oracle_is_right,
        "recoverable_by_oracle": ~is_right & oracle_is_right,
    }
    return {name: int(images.sum()) for name, images in counts.items()}


def _calibration(
    decisions: Decisions, system: str, groups: np.ndarray
) -> dict[str, dict[str, object]] | str:
    """Returns level -> reliability of a system."""
    if system not in decisions.probabilities:
        return NOT_EVALUATED
    labels, true = decisions.labels[system], decisions.true
    of_superclass, of_label = decisions.probabilities[system].T
    found = {
        "superclass": calibration.reliability(of_superclass, groups[labels] == groups[true]),
        "subclass": calibration.reliability(of_label, labels == true),
    }
    return {level: {**of, "ece": results.number(of["ece"])} for level, of in found.items()}


def _mcnemar(decisions: Decisions) -> list[dict[str, object]]:
    """Returns one row for each pair of systems that ran, first minus second."""
    rows = []
    ran = [system for system in SYSTEMS if system in decisions.labels]
    for first, second in itertools.combinations(ran, 2):
        paired = metrics.paired_difference(
            decisions.labels[first], decisions.labels[second], true=decisions.true
        )
        rows.append(
            {
                "first": first,
                "second": second,
                "only_first": paired.only_first,
                "only_second": paired.only_second,
                "difference": 100 * paired.difference,
                "low": 100 * paired.low,
                "high": 100 * paired.high,
                "p_value": paired.p_value,
            }
        )
    return rows


def _hierarchical(
    decisions: Decisions, system: str, name: str, trees: Mapping[str, LabelTree]
) -> dict[str, object] | str:
    """Returns the hierarchical metrics of a system in a tree."""
    if system not in decisions.top or name not in trees:
        return NOT_EVALUATED
    tree, true = trees[name], decisions.true
    labels, top = decisions.labels[system], decisions.top[system]
    precision, recall, f = hierarchical.precision_recall_f(tree, labels, true)
    descended = decisions.descended[system][name]
    return {
        "mistake_severity": results.number(hierarchical.mistake_severity(tree, labels, true)),
        "distance_at_k": {
            str(k): results.number(hierarchical.distance_at(tree, top, true, k=k))
            for k in _DISTANCES_AT
        },
        "precision": results.number(precision),
        "recall": results.number(recall),
        "f": results.number(f),
        "consistency": results.number(hierarchical.consistency(labels, descended)),
    }


def _worst_pairs(
    decisions: Decisions, system: str, superclass_map: SuperclassMap
) -> list[dict[str, object]] | str:
    """Returns the pairs of true and decided label with the most images."""
    if system not in decisions.labels:
        return NOT_EVALUATED
    labels, true = decisions.labels[system], decisions.true
    names, groups = superclass_map.label_names, superclass_map.superclass_of_label
    wrong = labels != true
    pairs, counts = np.unique(
        true[wrong] * superclass_map.num_labels + labels[wrong], return_counts=True
    )
    of_label = np.bincount(true, minlength=superclass_map.num_labels)
    found = []
    for place in np.argsort(-counts, kind="stable")[:_WORST_PAIRS]:
        truth, decided = divmod(pairs[place].item(), superclass_map.num_labels)
        found.append(
            {
                "true": names[truth],
                "decided": names[decided],
                "count": counts[place].item(),
                "of": of_label[truth].item(),
                "inside_superclass": groups[truth] == groups[decided],
            }
        )
    return found
