"""Where results come from: command, versions, and how long each kind of network was trained."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib import metadata

import ss_tf
from ss_tf.data.examples import Dataset
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.training import metrics_log, run_dir

_PACKAGES = ("numpy", "tensorflow", "tensorflow-model-optimization", "tf_keras")


def versions() -> dict[str, str]:
    """Returns the versions of Python, this package and those that decide what networks compute."""
    return {
        "python": platform.python_version(),
        "ss_tf": ss_tf.__version__,
        **{package: metadata.version(package) for package in _PACKAGES},
    }


def data(run: run_dir.RunDir, dataset: Dataset) -> dict[str, object]:
    """Returns the entries `dataset`, `examples_by_split` and `unreadable` of results.json.

    Raises:
      ValueError: if the data are not those that the run was trained with.
    """
    if dataset.superclass_map != run.superclass_map():
        raise ValueError(
            f"{run.map_file} is not the superclass map of data set {dataset.name!r}, "
            "expected the data that the run was trained with."
        )
    counts = {
        "train": len(dataset.train),
        "minival": len(dataset.minival),
        "validation": len(dataset.validation),
    }
    trained_with = json.loads(run.data_file.read_text(encoding="utf-8"))
    if trained_with["num_examples"] != counts:
        raise ValueError(
            f"Data set {dataset.name!r} has {counts} examples, expected those that the run was "
            f"trained with: {trained_with['num_examples']} ({run.data_file})."
        )
    return {
        "dataset": dataset.name,
        "examples_by_split": counts,
        "unreadable": trained_with["unreadable"],
    }


def training(
    run: run_dir.RunDir, superclass_map: SuperclassMap
) -> dict[str, Mapping[str, Mapping[str, int]] | str]:
    """Returns how much each kind of network was trained, from the records of its epochs.

    Returns:
      kind ("flat", "flat_equal_compute", "super", "sub") -> phase -> `epochs` and `images` shown;
      for "sub", those of all sub networks together. "not evaluated" for a kind without records.
    """
    return {
        kind: _amounts(run, names) or NOT_EVALUATED
        for kind, names in _names_by_kind(superclass_map).items()
    }


def training_seconds(run: run_dir.RunDir, superclass_map: SuperclassMap) -> dict[str, float]:
    """Returns kind -> seconds spent in its recorded epochs."""
    return {
        kind: sum(record["seconds"] for name in names for record in _records(run, name))
        for kind, names in _names_by_kind(superclass_map).items()
    }


def _names_by_kind(superclass_map: SuperclassMap) -> dict[str, list[str]]:
    """Returns the network names of each kind."""
    return {
        run_dir.FLAT: [run_dir.FLAT],
        run_dir.FLAT_EQUAL_COMPUTE: [run_dir.FLAT_EQUAL_COMPUTE],
        run_dir.SUPER: [run_dir.SUPER],
        "sub": [run_dir.sub(name) for name in superclass_map.superclass_names],
    }


def _records(run: run_dir.RunDir, name: str) -> list[dict[str, object]]:
    return metrics_log.read(run.network_dir(name))


def _amounts(run: run_dir.RunDir, names: list[str]) -> dict[str, dict[str, int]]:
    """Returns phase -> epochs and images of some networks together."""
    amounts: dict[str, dict[str, int]] = {}
    for name in names:
        # `images` counts from the start of the phase, so a network's last record has its total.
        last = {record["phase"]: record for record in _records(run, name)}
        for phase, record in last.items():
            amount = amounts.setdefault(phase, {"epochs": 0, "images": 0})
            amount["epochs"] += record["epoch"] + 1
            amount["images"] += record["images"]
    return amounts
