"""Decisions of every system that a run has the networks for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ss_tf.config import RunConfig
from ss_tf.data.examples import Dataset
from ss_tf.evaluation import bounds
from ss_tf.evaluation.accuracy import Decisions
from ss_tf.evaluation.networks import Networks
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing.probabilities import superclass_probabilities
from ss_tf.training.run_dir import FLAT, FLAT_EQUAL_COMPUTE, SUPER, sub

# System that is one network over all labels -> its name and form.
_FLAT_SYSTEMS = {
    "flat": (FLAT, "float"),
    "flat_equal_compute": (FLAT_EQUAL_COMPUTE, "float"),
    "flat_int8": (FLAT, "int8"),
}
# Form of the sub networks -> system that picks them by the true superclass, and by stage 1.
_SUB_SYSTEMS = {"float": ("oracle_vanilla", "vanilla"), "int8": ("oracle", "hard")}


def stage1_network(config: RunConfig) -> str:
    """Returns the name of the network that decides the superclass."""
    return config.base or SUPER


def superclasses_with_sub(superclass_map: SuperclassMap) -> dict[int, str]:
    """Returns index -> name of the superclasses with more than one label."""
    return {
        superclass: name
        for superclass, name in enumerate(superclass_map.superclass_names)
        if len(superclass_map.labels_in(superclass)) > 1
    }


def decide(config: RunConfig, dataset: Dataset, *, networks: Networks) -> Decisions:
    """Runs the networks that are on disk over the validation images.

    A sub network is run over the images of its superclass and those that stage 1, in either form,
    sends to it. A system that lacks a network is left out.

    Raises:
      ValueError: naming the file, if a network is damaged or does not belong to the run.
    """
    superclass_map, examples = dataset.superclass_map, dataset.validation
    base_kind = stage1_network(config)
    wanted = dict.fromkeys([*_FLAT_SYSTEMS.values(), (base_kind, "float"), (base_kind, "int8")])
    found = {key: networks.logits(*key, examples=examples) for key in wanted}
    logits = {key: value for key, value in found.items() if value is not None}
    labels = {
        system: bounds.flat_labels(logits[key], superclass_map)
        for system, key in _FLAT_SYSTEMS.items()
        if key in logits
    }
    stage1 = {
        form: superclass_probabilities(
            logits[base_kind, form], superclass_map, base_kind=base_kind
        ).argmax(axis=1)
        for form in _SUB_SYSTEMS
        if (base_kind, form) in logits
    }
    true_superclass = np.asarray(superclass_map.superclass_of_label)[examples.labels]
    reached = [true_superclass, *stage1.values()]
    for form, (oracle, two_stage) in _SUB_SYSTEMS.items():
        subs = _sub_logits(form, dataset, networks=networks, reached=reached)
        if len(subs) < len(superclasses_with_sub(superclass_map)):
            continue
        labels[oracle] = bounds.two_stage_labels(true_superclass, subs, superclass_map)
        if form in stage1:
            labels[two_stage] = bounds.two_stage_labels(stage1[form], subs, superclass_map)
    return Decisions(true=examples.labels, stage1=stage1, labels=labels)


def _sub_logits(
    form: str, dataset: Dataset, *, networks: Networks, reached: Sequence[np.ndarray]
) -> dict[int, bounds.SubLogits]:
    """Runs the sub networks there are, each over the images that reach it."""
    subs = {}
    for superclass, name in superclasses_with_sub(dataset.superclass_map).items():
        indices = np.flatnonzero(np.any([s == superclass for s in reached], axis=0))
        logits = networks.logits(sub(name), form, examples=dataset.validation.select(indices))
        if logits is not None:
            subs[superclass] = bounds.SubLogits(indices, logits)
    return subs
