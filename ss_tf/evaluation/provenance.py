"""Where results come from: data, versions, and how much each kind of network was trained."""

from __future__ import annotations

import collections
import json
import platform
from collections.abc import Mapping
from importlib import metadata

import ss_tf
from ss_tf.config import RunConfig
from ss_tf.data.examples import Dataset
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.evaluation.systems import stage1_network
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.training import metrics_log, run_dir

_PACKAGES = (
    "keras-cv",
    "numpy",
    "pillow",
    "py7zr",
    "safetensors",
    "tensorflow",
    "tensorflow-datasets",
    "tensorflow-model-optimization",
    "tf_keras",
)
# The kind of all sub networks together.
_SUB = "sub"


def versions() -> dict[str, str]:
    """Returns the versions of Python, this package and those that decide a number."""
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
    run: run_dir.RunDir, superclass_map: SuperclassMap, *, num_train: int
) -> dict[str, Mapping[str, Mapping[str, float]] | str]:
    """Returns how much each kind of network was trained, from the records of its epochs.

    Args:
      run: the run's folder.
      superclass_map: its partition.
      num_train: number of training images.

    Returns:
      kind ("flat", "flat_equal_compute", "super", "sub") -> phase -> `images` shown, and `passes`:
      images / num_train. "sub" is all sub networks together: an epoch of each is one pass, or less
      where a superclass has no sub network. "not evaluated" for a kind without records.
    """
    amounts = {}
    for kind, names in _names_by_kind(superclass_map).items():
        images = _images_by_phase(run, names)
        amounts[kind] = (
            NOT_EVALUATED
            if not images
            else {
                phase: {"images": count, "passes": count / num_train}
                for phase, count in images.items()
            }
        )
    return amounts


def training_passes(config: RunConfig, measured: Mapping[str, object]) -> dict[str, float | str]:
    """Returns how often the training images were shown on the way to a system's decisions.

    A two-stage decision rests on stage 1 and on the sub networks, which started from the base: from
    its quantized form, so vanilla's passes include the base's quantization-aware ones.

    Args:
      config: tells what sub networks started from.
      measured: `training`, `top1`, `super_top1`, `super_top1_float` and `examples_by_split` of
        results.json.

    Returns:
      system -> passes over the training images; "not evaluated" where the system is.
    """
    stage1 = stage1_network(config)
    start = [(stage1, "float"), (stage1, "qat")] if config.base else [(stage1, "float")]
    in_int8 = measured["super_top1"] != NOT_EVALUATED
    networks = {
        "stage1": start if in_int8 else start[:1],
        "flat": [(run_dir.FLAT, "float")],
        "flat_int8": [(run_dir.FLAT, "float"), (run_dir.FLAT, "qat")],
        "flat_equal_compute": [(run_dir.FLAT_EQUAL_COMPUTE, "float")],
        "vanilla": [*start, (_SUB, "float")],
        "hard": [*start, (_SUB, "float"), (_SUB, "qat")],
    }
    top1 = {**measured["top1"], "stage1": measured["super_top1" if in_int8 else "super_top1_float"]}
    num_train = measured["examples_by_split"]["train"]
    return {
        system: NOT_EVALUATED
        if top1[system] == NOT_EVALUATED
        else sum(_images(measured["training"], *phase) for phase in phases) / num_train
        for system, phases in networks.items()
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
        _SUB: [run_dir.sub(name) for name in superclass_map.superclass_names],
    }


def _records(run: run_dir.RunDir, name: str) -> list[dict[str, object]]:
    return metrics_log.read(run.network_dir(name))


def _images_by_phase(run: run_dir.RunDir, names: list[str]) -> dict[str, int]:
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
