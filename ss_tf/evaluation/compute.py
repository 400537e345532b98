"""Multiply-accumulates of each system for one image, from those of its networks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.evaluation.stored_predictions import superclasses_with_sub
from ss_tf.hierarchy.superclass_map import SuperclassMap


def macs_per_image(
    networks: Mapping[str, object],
    superclass_map: SuperclassMap,
    *,
    true: np.ndarray,
    opened: Mapping[str, np.ndarray],
) -> dict[str, float | str]:
    """Adds up the multiply-accumulates of each system for one image.

    Args:
      networks: as `network_macs.count` returns it.
      superclass_map: the run's partition.
      true: int `[n]`, true labels of the validation images.
      opened: "hard", "vanilla" and "soft", where they were evaluated -> bool
        `[n, num_superclasses]`, whose sub networks are asked about each validation image.

    Returns:
      "stage1", "flat", "flat_equal_compute", "two_stage" and "two_stage_soft" ->
      multiply-accumulates, or "not evaluated" for what the run does not have. "two_stage" is stage
      1 and the sub networks that hard routing opened (else vanilla's; of a run without either, that
      of the true superclass), "two_stage_soft" stage 1 and those that soft routing opened, both
      mean over the validation images; a superclass with one subclass costs no second stage.
      "flat_equal_compute_ratio" is the second flat network's number over that of "two_stage".
    """
    second_stage = np.zeros(superclass_map.num_superclasses)
    for superclass, name in superclasses_with_sub(superclass_map).items():
        second_stage[superclass] = networks["subs"][name]

    def two_stage_cost(is_open: np.ndarray) -> int:
        return networks["stage1"] + round(float((is_open @ second_stage).mean()))

    true_superclass = np.asarray(superclass_map.superclass_of_label)[true]
    by_truth = np.eye(superclass_map.num_superclasses)[true_superclass]
    two_stage = two_stage_cost(opened.get("hard", opened.get("vanilla", by_truth)))
    equal_compute = networks["flat_equal_compute"]
    return {
        "stage1": networks["stage1"],
        "flat": networks["flat"],
        "flat_equal_compute": equal_compute,
        "flat_equal_compute_ratio": NOT_EVALUATED
        if equal_compute == NOT_EVALUATED
        else equal_compute / two_stage,
        "two_stage": two_stage,
        "two_stage_soft": two_stage_cost(opened["soft"]) if "soft" in opened else NOT_EVALUATED,
    }
