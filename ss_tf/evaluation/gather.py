"""Runs the networks of a run over its images, and keeps what they say."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ss_tf.config import RunConfig
from ss_tf.evaluation import systems
from ss_tf.evaluation.stored_predictions import (
    FORMS,
    NETWORKS,
    StoredPredictions,
    superclasses_with_sub,
)
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing.policy import RoutingPolicy
from ss_tf.routing.sub_logits import SubLogits
from ss_tf.training.run_dir import FLAT, FLAT_EQUAL_COMPUTE, SUPER, sub

if TYPE_CHECKING:  # Networks bring TensorFlow with them.
    from ss_tf.data.examples import Dataset, Examples
    from ss_tf.evaluation.networks import Networks


def stage1_network(config: RunConfig) -> str:
    """Returns the name of the network that decides the superclass."""
    return config.base or SUPER


def predictions(
    config: RunConfig,
    dataset: Dataset,
    *,
    networks: Networks,
    policy: RoutingPolicy | None,
    facts: Mapping[str, object],
) -> StoredPredictions:
    """Runs the networks that are on disk over the validation images.

    A sub network is run over the images of its superclass and those that stage 1, in either form,
    sends to it; in int8 also over those that soft routing opens it for.

    Args:
      config: the run's settings.
      dataset: its data.
      networks: its networks.
      policy: of soft routing, fitted to the int8 base and sub networks; None leaves it out.
      facts: kept with the predictions.

    Raises:
      ValueError: naming the file, if a network is damaged or does not belong to the run.
    """
    superclass_map, examples = dataset.superclass_map, dataset.validation
    base_kind = stage1_network(config)
    logits = {}
    for key in _wanted(base_kind):
        found = networks.logits(*key, examples=examples)
        if found is not None:
            logits[key] = found
    without_subs = StoredPredictions(
        superclass_map=superclass_map,
        base_kind=base_kind,
        labels=examples.labels.astype(np.int64),
        keys=tuple(str(key) for key in examples.keys),
        logits=logits,
        subs={},
        policy=policy,
        facts=facts,
    )
    subs = {}
    for form in FORMS:
        found = sub_logits(
            form,
            examples,
            superclass_map=superclass_map,
            networks=networks,
            reached=systems.reached(without_subs, form),
        )
        if found is not None:
            subs[form] = found
    return dataclasses.replace(without_subs, subs=subs)


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


def _wanted(base_kind: str) -> list[tuple[str, str]]:
    """Returns the networks over all images that some system needs, with their forms."""
    flat = [(FLAT, "float"), (FLAT_EQUAL_COMPUTE, "float")]
    base = [(base_kind, form) for form in NETWORKS[base_kind]]
    # A flat base is the flat network.
    return list(dict.fromkeys([*flat, *base]))
