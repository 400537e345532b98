import dataclasses

import numpy as np
import pytest

from ss_tf import files
from ss_tf.evaluation import provenance
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.hierarchy.superclass_map import SuperclassMap


def test_versions_name_what_decides_the_numbers():
    versions = provenance.versions()
    for name in ("python", "ss_tf", "tensorflow", "tf_keras", "numpy", "py7zr", "pillow"):
        assert versions[name]
    assert versions["numpy"] == np.__version__


def test_data_are_told_as_the_run_recorded_them(empty_run, dataset):
    assert provenance.data(empty_run, dataset) == {
        "dataset": "folder",
        "examples_by_split": {"train": 12, "minival": 6, "validation": 19},
        # Labels repeat 0 to 5; bird has 0, 2 and 5, boat 1 and 4, car 3.
        "examples_by_superclass": {
            "train": {"bird": 6, "boat": 4, "car": 2},
            "minival": {"bird": 3, "boat": 2, "car": 1},
            "validation": {"bird": 10, "boat": 6, "car": 3},
        },
        "unreadable": [["boat/ferry/torn.jpg", "the file is empty"]],
        "validation_digest": empty_run.data_facts()["digests"]["validation"],
    }


def test_other_classes_are_refused(empty_run, dataset):
    other = SuperclassMap.from_groups({"bird": ["wren"]})
    with pytest.raises(ValueError, match=r"trained on other classes than folder has now"):
        provenance.data(empty_run, dataclasses.replace(dataset, superclass_map=other))


def test_other_images_are_refused(empty_run, dataset):
    more = dataclasses.replace(dataset, validation=dataset.train)
    with pytest.raises(ValueError, match=r"other validation images than folder.*19 then, 12 now"):
        provenance.data(empty_run, more)


def test_a_network_that_does_not_say_what_it_started_from_is_no_error(empty_run):
    files.write_tensors(empty_run.float_file("flat"), {}, metadata={"network": "flat"})
    assert provenance.starts(empty_run)["flat"] == NOT_EVALUATED


def test_starts_are_those_that_the_networks_keep(empty_run):
    for name, start in (("flat", "weights 12ab"), ("super", "random weights")):
        files.write_tensors(empty_run.float_file(name), {}, metadata={"origin": start})
    assert provenance.starts(empty_run) == {
        "flat": "weights 12ab",
        "flat_equal_compute": NOT_EVALUATED,
        "super": "random weights",
    }
