import dataclasses
import json

import numpy as np
import pytest

from ss_tf.evaluation import provenance
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.training import metrics_log


def record(run, name, phase, *, epochs, images):
    """Adds epochs of 2 seconds; `images` counts from the start of the phase, as training does."""
    file = run.network_dir(name) / metrics_log.FILE_NAME
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lines:
        for epoch in range(epochs):
            values = {"phase": phase, "epoch": epoch, "images": (epoch + 1) * images, "seconds": 2}
            lines.write(json.dumps(values) + "\n")


def test_versions_name_what_decides_the_numbers():
    versions = provenance.versions()
    assert set(versions) >= {"python", "ss_tf", "tensorflow", "tf_keras", "numpy"}
    assert versions["numpy"] == np.__version__


def test_data_are_told_as_the_run_recorded_them(empty_run, dataset):
    assert provenance.data(empty_run, dataset) == {
        "dataset": "folder",
        "examples_by_split": {"train": 12, "minival": 6, "validation": 19},
        "unreadable": [["boat/ferry/torn.jpg", "the file is empty"]],
    }


def test_other_classes_are_refused(empty_run, dataset):
    other = SuperclassMap.from_groups({"bird": ["wren"]})
    with pytest.raises(ValueError, match=r"map\.json is not the superclass map of .*'folder'"):
        provenance.data(empty_run, dataclasses.replace(dataset, superclass_map=other))


def test_other_images_are_refused(empty_run, dataset):
    more = dataclasses.replace(dataset, validation=dataset.train)
    with pytest.raises(ValueError, match=r"'validation': 12.* trained with: .*'validation': 19"):
        provenance.data(empty_run, more)


def test_training_adds_up_the_last_record_of_each_network(empty_run, superclass_map):
    record(empty_run, "flat", "float", epochs=3, images=100)
    record(empty_run, "super", "float", epochs=2, images=100)
    record(empty_run, "super", "qat", epochs=1, images=100)
    record(empty_run, "sub/bird", "float", epochs=2, images=60)
    record(empty_run, "sub/boat", "float", epochs=2, images=30)
    assert provenance.training(empty_run, superclass_map) == {
        "flat": {"float": {"epochs": 3, "images": 300}},
        "flat_equal_compute": NOT_EVALUATED,
        "super": {"float": {"epochs": 2, "images": 200}, "qat": {"epochs": 1, "images": 100}},
        "sub": {"float": {"epochs": 4, "images": 180}},
    }
    assert provenance.training_seconds(empty_run, superclass_map) == {
        "flat": 6.0,
        "flat_equal_compute": 0.0,
        "super": 6.0,
        "sub": 8.0,
    }
