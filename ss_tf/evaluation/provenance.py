"""Where results come from: versions, data, and what networks started from."""

from __future__ import annotations

import platform
from importlib import metadata

import ss_tf
from ss_tf import files
from ss_tf.data.examples import Dataset
from ss_tf.evaluation.results import NOT_EVALUATED
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


def versions(*others: str) -> dict[str, str]:
    """Returns the versions of Python, this package, those that decide a number, and others."""
    return {
        "python": platform.python_version(),
        "ss_tf": ss_tf.__version__,
        **{package: metadata.version(package) for package in (*_PACKAGES, *others)},
    }


def data(run: run_dir.RunDir, dataset: Dataset) -> dict[str, object]:
    """Returns the entries `dataset`, `examples_by_split` and `unreadable` of results.json.

    Raises:
      ValueError: if the data are not those that the run was trained with.
    """
    run.check_data(dataset)
    facts = run.data_facts()
    return {
        "dataset": dataset.name,
        "examples_by_split": facts["num_examples"],
        "unreadable": facts["unreadable"],
    }


def starts(run: run_dir.RunDir) -> dict[str, str]:
    """Returns network -> "random weights", or the digest of pretrained ones, of whole networks.

    A network that is not there, or does not say, has "not evaluated".
    """
    found = {}
    for name in (run_dir.FLAT, run_dir.FLAT_EQUAL_COMPUTE, run_dir.SUPER):
        path = run.float_file(name)
        metadata = files.read_metadata(path) if path.is_file() else {}
        found[name] = metadata.get("origin", NOT_EVALUATED)
    return found
