"""Multiply-accumulates of each network of a run for one image."""

from __future__ import annotations

from collections.abc import Callable

from ss_tf.config import ModelConfig, RunConfig
from ss_tf.data.examples import Dataset
from ss_tf.evaluation.gather import stage1_network
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.evaluation.stored_predictions import superclasses_with_sub
from ss_tf.models.integer_network import HEAD
from ss_tf.models.resnet import build_resnet, count_macs
from ss_tf.training import plan


def count(config: RunConfig, dataset: Dataset) -> dict[str, object]:
    """Counts the multiply-accumulates of each network for one image.

    Returns:
      "stage1", "flat", "flat_equal_compute" ("not evaluated" if the run has none), and "subs":
      superclass name -> multiply-accumulates, without superclasses of one label.
    """
    superclass_map = dataset.superclass_map
    of = _counter(config.model, config, dataset=dataset)
    equal_compute = NOT_EVALUATED
    if config.equal_compute_model is not None:
        of_second = _counter(config.equal_compute_model, config, dataset=dataset)
        equal_compute = of_second(superclass_map.num_labels)
    return {
        "stage1": of(plan.num_classes(stage1_network(config), superclass_map)),
        "flat": of(superclass_map.num_labels),
        "flat_equal_compute": equal_compute,
        "subs": {
            name: of(len(superclass_map.labels_in(superclass)))
            for superclass, name in superclasses_with_sub(superclass_map).items()
        },
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
