"""Where results come from: versions, data, and what networks started from."""

from __future__ import annotations

import platform
from importlib import metadata

import numpy as np

import ss_tf
from ss_tf import files
from ss_tf.data.examples import Dataset, Examples
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.hierarchy.superclass_map import SuperclassMap
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
    """Returns the entries of results.json on the data.

    They are `dataset`, `examples_by_split`, `examples_by_superclass`, `unreadable` and
    `validation_digest`.

    Raises:
      ValueError: if the data are not those that the run was trained with.
    """
    run.check_data(dataset)
    facts = run.data_facts()
    return {
        "dataset": dataset.name,
        "examples_by_split": facts["num_examples"],
        "examples_by_superclass": {
            split: _by_superclass(getattr(dataset, split), dataset.superclass_map)
            for split in facts["num_examples"]
        },
        "unreadable": facts["unreadable"],
        "validation_digest": facts["digests"]["validation"],
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


def _by_superclass(examples: Examples, superclass_map: SuperclassMap) -> dict[str, int]:
    """Returns superclass name -> number of its examples."""
    superclasses = np.asarray(superclass_map.superclass_of_label)[examples.labels]
    counts = np.bincount(superclasses, minlength=superclass_map.num_superclasses)
    return dict(zip(superclass_map.superclass_names, counts.tolist(), strict=True))
