"""How much training lies behind the networks of a run, and behind what its systems decide."""

from __future__ import annotations

import collections
from collections.abc import Mapping

from ss_tf.config import RunConfig
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.evaluation.systems import stage1_network
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.training import metrics_log
from ss_tf.training.run_dir import FLAT, FLAT_EQUAL_COMPUTE, SUPER, RunDir, sub

# The kind of all sub networks together.
_SUB = "sub"


def by_kind(
    run: RunDir, superclass_map: SuperclassMap, *, num_train: int
) -> dict[str, dict[str, dict[str, float]] | str]:
    """Returns how much each kind of network was trained, from the records of its epochs.

    Args:
      run: the run's folder.
      superclass_map: its partition.
      num_train: number of training images.

    Returns:
      kind ("flat", "flat_equal_compute", "super", "sub") -> phase -> `images` shown, and `passes`:
      images / num_train. An epoch of every sub network is one pass together, or less where a
      superclass has none. "not evaluated" for a kind without records.
    """
    return {
        kind: {
            phase: {"images": images, "passes": images / num_train}
            for phase, images in _images_by_phase(run, names).items()
        }
        or NOT_EVALUATED
        for kind, names in _names_by_kind(superclass_map).items()
    }


def seconds_by_kind(run: RunDir, superclass_map: SuperclassMap) -> dict[str, float]:
    """Returns kind -> seconds spent in its recorded epochs."""
    return {
        kind: sum(record["seconds"] for name in names for record in _records(run, name))
        for kind, names in _names_by_kind(superclass_map).items()
    }


def passes_by_system(config: RunConfig, measured: Mapping[str, object]) -> dict[str, float | str]:
    """Returns how often the training images were shown on the way to a system's decisions.

    Two-stage decisions rest on stage 1 and on the sub networks. Those started from the quantized
    base, if there is one; so even vanilla has the base's quantization-aware epochs behind it.

    Args:
      config: tells what sub networks started from.
      measured: `training` (as `by_kind` returns it), `top1`, `super_top1`, `super_top1_float` and
        `examples_by_split` of results.json.

    Returns:
      system -> passes over the training images; "not evaluated" where the system is.
    """
    stage1 = stage1_network(config)
    start = [(stage1, "float"), (stage1, "qat")] if config.base else [(stage1, "float")]
    from_bank = [*start, (_SUB, "float"), (_SUB, "qat")]
    in_int8 = measured["super_top1"] != NOT_EVALUATED
    phases = {
        "stage1": start if in_int8 else start[:1],
        "flat": [(FLAT, "float")],
        "flat_int8": [(FLAT, "float"), (FLAT, "qat")],
        "flat_equal_compute": [(FLAT_EQUAL_COMPUTE, "float")],
        "vanilla": [*start, (_SUB, "float")],
        "hard": from_bank,
        "soft": from_bank,
    }
    top1 = {**measured["top1"], "stage1": measured["super_top1" if in_int8 else "super_top1_float"]}
    num_train = measured["examples_by_split"]["train"]
    passes = {}
    for system, networks in phases.items():
        images = sum(_images(measured["training"], *network) for network in networks)
        passes[system] = NOT_EVALUATED if top1[system] == NOT_EVALUATED else images / num_train
    return passes


def _names_by_kind(superclass_map: SuperclassMap) -> dict[str, list[str]]:
    """Returns the network names of each kind."""
    return {
        **{name: [name] for name in (FLAT, FLAT_EQUAL_COMPUTE, SUPER)},
        _SUB: [sub(name) for name in superclass_map.superclass_names],
    }


def _records(run: RunDir, name: str) -> list[dict[str, object]]:
    return metrics_log.read(run.network_dir(name))


def _images_by_phase(run: RunDir, names: list[str]) -> dict[str, int]:
    """Returns phase -> images shown to some networks together."""
    images: collections.Counter[str] = collections.Counter()
    for name in names:
        # `images` counts from the start of the phase, so a network's last record has its total.
        images.update({record["phase"]: record["images"] for record in _records(run, name)})
    return dict(images)


def _images(training: Mapping[str, object], kind: str, phase: str) -> int:
    """Returns the images shown to a kind of network in a phase: 0 if it was skipped."""
    phases = training[kind]
    return 0 if phases == NOT_EVALUATED or phase not in phases else phases[phase]["images"]
