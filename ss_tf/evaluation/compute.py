"""Multiply-accumulates of each system for one image."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ss_tf.config import ModelConfig, RunConfig
from ss_tf.data.examples import Dataset
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.evaluation.systems import stage1_network, superclasses_with_sub
from ss_tf.models.integer_network import HEAD
from ss_tf.models.resnet import build_resnet, count_macs
from ss_tf.training import plan


def macs_per_image(
    config: RunConfig, dataset: Dataset, *, opened: Mapping[str, np.ndarray] | None = None
) -> dict[str, float | str]:
    """Counts the multiply-accumulates of each system for one image.

    Args:
      config: the run's settings.
      dataset: its data.
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
    superclass_map = dataset.superclass_map
    count = _counter(config.model, config, dataset=dataset)
    stage1 = count(plan.num_classes(stage1_network(config), superclass_map))
    second_stage = np.zeros(superclass_map.num_superclasses)
    for superclass in superclasses_with_sub(superclass_map):
        second_stage[superclass] = count(len(superclass_map.labels_in(superclass)))
    true_superclass = np.asarray(superclass_map.superclass_of_label)[dataset.validation.labels]

    def two_stage_cost(is_open: np.ndarray) -> int:
        return stage1 + round(float((is_open @ second_stage).mean()))

    opened = opened or {}
    by_truth = np.eye(superclass_map.num_superclasses)[true_superclass]
    two_stage = two_stage_cost(opened.get("hard", opened.get("vanilla", by_truth)))
    soft = two_stage_cost(opened["soft"]) if "soft" in opened else NOT_EVALUATED
    equal_compute = ratio = NOT_EVALUATED
    if config.equal_compute_model is not None:
        count_second = _counter(config.equal_compute_model, config, dataset=dataset)
        equal_compute = count_second(superclass_map.num_labels)
        ratio = equal_compute / two_stage
    return {
        "stage1": stage1,
        "flat": count(superclass_map.num_labels),
        "flat_equal_compute": equal_compute,
        "flat_equal_compute_ratio": ratio,
        "two_stage": two_stage,
        "two_stage_soft": soft,
    }


def _counter(shape: ModelConfig, config: RunConfig, *, dataset: Dataset) -> Callable[[int], int]:
    """Returns number of classes -> multiply-accumulates of a network of that shape.

    Only the head depends on the number of classes, so one network is built for all.
    """
    model = build_resnet(
        shape,
        num_classes=1,
        image_size=config.data.image_size,
        channels=dataset.channels,
    )
    with_one_class = count_macs(model)
    features = model.get_layer(HEAD).input_shape[-1]
    return lambda num_classes: with_one_class + (num_classes - 1) * features
