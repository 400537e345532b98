"""Decisions of every system that a run has the networks for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from ss_tf.config import RunConfig
from ss_tf.data.examples import Dataset, Examples
from ss_tf.evaluation import bounds
from ss_tf.evaluation.accuracy import Decisions
from ss_tf.evaluation.networks import Networks
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing import decisions as routing
from ss_tf.routing.policy import RoutingPolicy
from ss_tf.routing.probabilities import softmax, superclass_probabilities
from ss_tf.routing.sub_logits import SubLogits
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


def decide(
    config: RunConfig,
    dataset: Dataset,
    *,
    networks: Networks,
    policy: RoutingPolicy | None = None,
) -> Decisions:
    """Runs the networks that are on disk over the validation images.

    A sub network is run over the images of its superclass and those that stage 1, in either form,
    sends to it; in int8 also over those that soft routing opens it for. A system that lacks a
    network is left out.

    Args:
      config: the run's settings.
      dataset: its data.
      networks: its networks.
      policy: of soft routing, fitted to the int8 base and sub networks; None leaves it out.

    Raises:
      ValueError: naming the file, if a network is damaged or does not belong to the run.
    """
    superclass_map, examples = dataset.superclass_map, dataset.validation
    base_kind = stage1_network(config)
    wanted = dict.fromkeys([*_FLAT_SYSTEMS.values(), (base_kind, "float"), (base_kind, "int8")])
    found = {key: networks.logits(*key, examples=examples) for key in wanted}
    logits = {key: value for key, value in found.items() if value is not None}
    stage1 = {
        form: superclass_probabilities(
            logits[base_kind, form], superclass_map, base_kind=base_kind
        ).argmax(axis=1)
        for form in _SUB_SYSTEMS
        if (base_kind, form) in logits
    }
    labels = {
        system: bounds.flat_labels(logits[key], superclass_map)
        for system, key in _FLAT_SYSTEMS.items()
        if key in logits
    }
    decisions = Decisions(true=examples.labels, stage1=stage1, labels=labels, opened={})
    base = logits.get((base_kind, "int8"))
    soft = None
    if base is not None and policy is not None:
        soft = _Soft(base, superclass_map, base_kind=base_kind, policy=policy)
    return _with_two_stages(decisions, dataset, networks=networks, soft=soft)


def reached_by(labels: np.ndarray, superclass_map: SuperclassMap) -> np.ndarray:
    """Returns bool `[n, num_superclasses]`, true at the superclass of each of the labels `[n]`."""
    superclasses = np.asarray(superclass_map.superclass_of_label)[labels]
    return _one_hot(superclasses, superclass_map)


def sub_logits(
    form: str,
    examples: Examples,
    *,
    superclass_map: SuperclassMap,
    networks: Networks,
    reached: np.ndarray,
) -> dict[int, SubLogits] | None:
    """Runs all sub networks, each over the images that reach it.

    Args:
      form: "float" or "int8".
      examples: the images.
      superclass_map: the run's partition.
      networks: its networks.
      reached: bool `[n, num_superclasses]`, which images reach which; a column of a superclass
        without a sub network is ignored.

    Returns:
      superclass -> logits of its sub network; None if one is missing.

    Raises:
      ValueError: naming the file, if a network is damaged or does not belong to the run.
    """
    subs = {}
    for superclass, name in superclasses_with_sub(superclass_map).items():
        indices = np.flatnonzero(reached[:, superclass])
        logits = networks.logits(sub(name), form, examples=examples.select(indices))
        if logits is None:
            return None
        subs[superclass] = SubLogits(indices, logits)
    return subs


class _Soft:
    """A policy at the logits of an int8 base: what it opens, and then what it decides."""

    def __init__(
        self,
        base_logits: np.ndarray,
        superclass_map: SuperclassMap,
        *,
        base_kind: str,
        policy: RoutingPolicy,
    ):
        self._base, self._map, self._policy = base_logits, superclass_map, policy
        self._kind = base_kind

    def opened(self) -> np.ndarray:
        """Returns bool `[n, num_superclasses]`."""
        probabilities = superclass_probabilities(self._base, self._map, base_kind=self._kind)
        of_labels = softmax(self._base) if self._kind == FLAT else None
        return routing.opened(probabilities, self._policy, base_label_probabilities=of_labels)

    def labels(self, subs: Mapping[int, SubLogits]) -> np.ndarray:
        """Returns int64 `[n]`."""
        routed = routing.decide(
            self._base, subs, self._map, base_kind=self._kind, policy=self._policy
        )
        return routed.label


def _with_two_stages(
    decisions: Decisions, dataset: Dataset, *, networks: Networks, soft: _Soft | None
) -> Decisions:
    """Returns the decisions and beside them those of the systems of two stages."""
    superclass_map, stage1 = dataset.superclass_map, decisions.stage1
    true_superclass = np.asarray(superclass_map.superclass_of_label)[decisions.true]
    labels, opened = dict(decisions.labels), {}
    deciding = (true_superclass, *stage1.values())
    reached = np.any([_one_hot(s, superclass_map) for s in deciding], axis=0)
    for form, (oracle, two_stage) in _SUB_SYSTEMS.items():
        is_soft = form == "int8" and soft is not None
        subs = sub_logits(
            form,
            dataset.validation,
            superclass_map=superclass_map,
            networks=networks,
            reached=reached | soft.opened() if is_soft else reached,
        )
        if subs is None:
            continue
        labels[oracle] = bounds.two_stage_labels(true_superclass, subs, superclass_map)
        if form in stage1:
            labels[two_stage] = bounds.two_stage_labels(stage1[form], subs, superclass_map)
            opened[two_stage] = _one_hot(stage1[form], superclass_map)
        if is_soft:
            labels["soft"], opened["soft"] = soft.labels(subs), soft.opened()
    return dataclasses.replace(decisions, labels=labels, opened=opened)


def _one_hot(superclasses: np.ndarray, superclass_map: SuperclassMap) -> np.ndarray:
    return np.eye(superclass_map.num_superclasses, dtype=bool)[superclasses]
