"""Where results come from: versions and data."""

from __future__ import annotations

import json
import platform
from importlib import metadata

import ss_tf
from ss_tf.data.examples import Dataset
from ss_tf.training import run_dir

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
