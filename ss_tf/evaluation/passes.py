"""How often the training images were shown on the way to what a system decides."""

from __future__ import annotations

from collections.abc import Mapping

from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.training.run_dir import FLAT, FLAT_EQUAL_COMPUTE

# The kind of all sub networks together.
SUB = "sub"


def by_system(measured: Mapping[str, object]) -> dict[str, float | str]:
    """Returns how often the training images were shown on the way to a system's decisions.

    Two-stage decisions rest on stage 1 and on the sub networks. Those started from the quantized
    base, if there is one; so even vanilla has the base's quantization-aware epochs behind it.

    Args:
      measured: `training`, `stage1`, `top1`, `super_top1`, `super_top1_float` and
        `examples_by_split` of results.json.

    Returns:
      system -> passes over the training images; "not evaluated" where the system is.
    """
    stage1 = measured["stage1"]
    in_int8 = measured["super_top1"] != NOT_EVALUATED
    start = [(stage1, "float"), (stage1, "qat")] if in_int8 else [(stage1, "float")]
    from_bank = [*start, (SUB, "float"), (SUB, "qat")]
    phases = {
        "stage1": start,
        "flat": [(FLAT, "float")],
        "flat_int8": [(FLAT, "float"), (FLAT, "qat")],
        "flat_equal_compute": [(FLAT_EQUAL_COMPUTE, "float")],
        "vanilla": [*start, (SUB, "float")],
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


def _images(training: Mapping[str, object], kind: str, phase: str) -> int:
    """Returns the images shown to a kind of network in a phase: 0 if it was skipped."""
    phases = training[kind]
    return 0 if phases == NOT_EVALUATED or phase not in phases else phases[phase]["images"]
