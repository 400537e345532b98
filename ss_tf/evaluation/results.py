"""results.json: every number of a report, and nothing missing."""

from __future__ import annotations

import json
import math
import pathlib
from collections.abc import Mapping

from ss_tf import files

# Raise it when a key changes its place or its meaning. Keys that are added leave it: readers of the
# others see no difference.
SCHEMA_VERSION = 1

# Stands for every measurement that was not made.
NOT_EVALUATED = "not evaluated"

# Stands for a ratio to zero, such as the mean over no image.
UNDEFINED = "undefined"

# Dots go down one level. A report without one of these is refused.
REQUIRED = (
    "balanced_top1",
    "calibration",
    "command",
    "comparisons",
    "confusion",
    "dataset",
    "error_budget",
    "examples_by_split",
    "examples_by_superclass",
    "flags",
    "flat_errors",
    "hierarchical",
    "intervals",
    "macs_per_image.flat_equal_compute_ratio",
    "mcnemar",
    "num_examples",
    "per_superclass",
    "relative_gain_percent.hard",
    "relative_gain_percent.soft",
    "relative_gain_percent.vanilla",
    "routing.hard.early_exits",
    "routing.hard.sub_networks_per_image",
    "routing.minival",
    "routing.policy",
    "routing.soft.early_exits",
    "routing.soft.sub_networks_per_image",
    "routing.soft_minus_hard_p_value",
    "routing.soft_minus_hard_points",
    "routing.soft_minus_hard_standard_error",
    "schema_version",
    "seconds",
    "seed",
    "sizes.fp32_network",
    "sizes.int8_network",
    "sizes.fp16_7z",
    "sizes.int8_delta",
    "sizes.int8_delta_entropy",
    "sizes.size_ratio",
    "sizes.per_superclass",
    "sizes.systems",
    "stage1",
    "starts_from",
    "super_top1",
    "super_top1_float",
    "top1.flat",
    "top1.flat_equal_compute",
    "top1.hard",
    "top1.oracle",
    "top1.soft",
    "top1.vanilla",
    "top5",
    "training",
    "training_passes",
    "unreadable",
    "validation_digest",
    "verdict",
    "versions",
    "worst_pairs",
)


def number(value: float) -> float | str:
    """Returns a number for JSON, which has no nan: "undefined" instead."""
    return UNDEFINED if math.isnan(value) else float(value)


def check(results: Mapping[str, object]) -> None:
    """Refuses results with a gap.

    Raises:
      ValueError: if a required measurement is neither there nor "not evaluated"; it names it.
    """
    for path in REQUIRED:
        level = results
        for key in path.split("."):
            if not isinstance(level, Mapping) or level.get(key) is None:
                raise ValueError(
                    f"The results lack {path!r}, expected a value or {NOT_EVALUATED!r}."
                )
            level = level[key]


def write(results: Mapping[str, object], path: pathlib.Path) -> None:
    """Writes results as JSON with sorted keys; an older file is replaced whole.

    Raises:
      ValueError: if a required measurement is missing, or a number is not finite.
    """
    check(results)
    text = json.dumps(results, allow_nan=False, ensure_ascii=False, indent=1, sort_keys=True)
    files.write_atomically(path, (text + "\n").encode())


def read(path: pathlib.Path) -> dict[str, object]:
    """Reads what `write` wrote.

    Raises:
      ValueError: if the file is no results.json, of another version, or lacks a measurement.
      OSError: if it cannot be opened.
    """
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        version = results["schema_version"]
        check(results)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is no results.json that eval.py wrote: {error}") from error
    if version != SCHEMA_VERSION:
        raise ValueError(f"{path} has schema_version {version}, expected {SCHEMA_VERSION}.")
    return results
