"""Which networks a stage trains, and what each of them learns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from ss_tf.config import RunConfig
from ss_tf.data.examples import Examples
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.training.run_dir import FLAT, FLAT_EQUAL_COMPUTE, SUPER, RunDir, sub

_SUB_PREFIX = sub("")


def networks_of_stage(
    config: RunConfig,
    superclass_map: SuperclassMap,
    *,
    stage: str,
    superclasses: Sequence[str],
) -> tuple[str, ...]:
    """Returns the names of the networks a stage consists of, in the order of training.

    A superclass with a single subclass needs no sub network, so it has none.

    Args:
      config: tells whether there is a second flat network.
      superclass_map: the run's partition.
      stage: "flat", "super", "sub" or "all".
      superclasses: names of superclasses, or ("all",); "sub" looks at it alone.

    Raises:
      ValueError: if a superclass is unknown.
    """
    flat = (FLAT, FLAT_EQUAL_COMPUTE) if config.equal_compute_model else (FLAT,)
    wanted = superclass_map.superclass_names
    if stage == "sub" and tuple(superclasses) != ("all",):
        wanted = tuple(dict.fromkeys(superclasses))
    subs = tuple(
        sub(name)
        for name in wanted
        if len(superclass_map.labels_in(superclass_map.superclass_index(name))) > 1
    )
    return {"flat": flat, "super": (SUPER,), "sub": subs, "all": (*flat, SUPER, *subs)}[stage]


def check_base(config: RunConfig, run: RunDir, names: Sequence[str]) -> None:
    """Checks that the base of sub networks is trained already, or trained with them.

    Raises:
      ValueError: if it is not; the message says what to run first.
    """
    needs_base = config.base and any(map(superclass_of, names)) and config.base not in names
    if needs_base and not run.int8_file(config.base).is_file():
        raise ValueError(
            f"Sub networks start from the {config.base} network, and {run.path} has none: "
            f"{run.int8_file(config.base)} is missing. Run train.py --stage={config.base} first, "
            "or --stage=all."
        )


def superclass_of(network: str) -> str | None:
    """Returns the superclass of a sub network's name, None for other networks."""
    return network.removeprefix(_SUB_PREFIX) if network.startswith(_SUB_PREFIX) else None


def num_classes(network: str, superclass_map: SuperclassMap) -> int:
    """Returns how many classes a network tells apart."""
    if network == SUPER:
        return superclass_map.num_superclasses
    name = superclass_of(network)
    if name is None:
        return superclass_map.num_labels
    return len(superclass_map.labels_in(superclass_map.superclass_index(name)))


def widest_sub(superclass_map: SuperclassMap) -> int:
    """Returns the largest number of subclasses: the width of the sub networks' common head."""
    return max(np.bincount(superclass_map.superclass_of_label))


def examples_of(network: str, examples: Examples, superclass_map: SuperclassMap) -> Examples:
    """Returns the examples a network sees, with the classes it tells apart as labels."""
    name = superclass_of(network)
    if network == SUPER:
        class_of_label = superclass_map.superclass_of_label
    elif name is None:
        return examples
    else:
        labels = superclass_map.labels_in(superclass_map.superclass_index(name))
        examples = examples.of_labels(labels)
        class_of_label = superclass_map.subclass_of_label()
    classes = np.asarray(class_of_label, np.int64)[examples.labels]
    return dataclasses.replace(examples, labels=classes)
