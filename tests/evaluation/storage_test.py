import os

import numpy as np
import pytest

from ss_tf import files
from ss_tf.deltas import bank
from ss_tf.evaluation import storage
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.models import int8_grid


def write_bytes(path, count):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * count)


def measure(config, run, superclass_map, base=None):
    return storage.measure(config, run, superclass_map=superclass_map, base=base)


def test_run_without_networks_has_no_sizes(run_config, empty_run, superclass_map):
    sizes = measure(run_config(), empty_run, superclass_map)
    for form in ("fp32_network", "int8_network", "fp16_7z", "int8_delta", "int8_delta_entropy"):
        assert sizes[form] == NOT_EVALUATED
        assert sizes["per_superclass"]["bird"][form] == NOT_EVALUATED
    assert set(sizes["size_ratio"].values()) == {NOT_EVALUATED}
    for system in sizes["systems"].values():
        assert set(system.values()) == {NOT_EVALUATED}


def test_scratch_run_counts_float_files_and_no_deltas(run_config, empty_run, superclass_map):
    counts = {"flat": 50, "flat_equal_compute": 70, "super": 40, "sub/bird": 30, "sub/boat": 21}
    for name, count in counts.items():
        write_bytes(empty_run.float_file(name), count)
    sizes = measure(run_config(sub_init="scratch"), empty_run, superclass_map)
    assert sizes["per_superclass"]["bird"]["fp32_network"] == 30
    # Mean of 30 and 21; a superclass with one subclass has no network to count.
    assert list(sizes["per_superclass"]) == ["bird", "boat"]
    assert sizes["fp32_network"] == 26
    assert sizes["fp16_7z"] == sizes["int8_delta"] == NOT_EVALUATED
    systems = sizes["systems"]
    assert systems["flat"] == {"on_disk": 50, "at_once": 50}
    assert systems["flat_equal_compute"] == {"on_disk": 70, "at_once": 70}
    assert systems["stage1"] == {"on_disk": 40, "at_once": 40}
    assert systems["vanilla"] == {"on_disk": 91, "at_once": 91}
    assert systems["hard"] == {"on_disk": NOT_EVALUATED, "at_once": NOT_EVALUATED}


def test_one_missing_sub_network_leaves_the_mean_open(run_config, empty_run, superclass_map):
    write_bytes(empty_run.float_file("sub/bird"), 30)
    sizes = measure(run_config(sub_init="scratch"), empty_run, superclass_map)
    assert sizes["per_superclass"]["bird"]["fp32_network"] == 30
    assert sizes["fp32_network"] == NOT_EVALUATED


@pytest.mark.slow
def test_sizes_are_those_of_the_files(run_config, write_run, superclass_map, int8_networks):
    run = write_run("super")
    sizes = measure(run_config(), run, superclass_map, base=int8_networks["super"])
    size_of = {
        superclass: {
            "fp32_network": os.path.getsize(run.float_file(f"sub/{superclass}")),
            "int8_network": os.path.getsize(run.int8_file(f"sub/{superclass}")),
            "int8_delta": os.path.getsize(bank.entry_path(run.bank_dir, superclass)),
        }
        for superclass in ("bird", "boat")
    }
    for superclass, expected in size_of.items():
        got = sizes["per_superclass"][superclass]
        assert {form: got[form] for form in expected} == expected
        assert got["size_ratio"]["fp16_7z"] == got["fp16_7z"] / got["fp32_network"]
        assert got["size_ratio"]["int8_delta"] == got["int8_delta"] / got["int8_network"]
        # Random weights do not compress: fp16 is half of fp32, and int8 a quarter.
        assert 0.4 < got["size_ratio"]["fp16_7z"] < 0.6
        # Nearly uniform residuals: the coder of single values comes within its tables of the bound.
        assert 0.7 * got["int8_delta"] < got["int8_delta_entropy"] < got["int8_delta"]
    bird, boat = sizes["per_superclass"].values()
    mean_entropy = (bird["int8_delta_entropy"] + boat["int8_delta_entropy"]) / 2
    assert sizes["int8_delta_entropy"] == round(mean_entropy)
    mean_ratio = (bird["size_ratio"]["int8_delta"] + boat["size_ratio"]["int8_delta"]) / 2
    assert sizes["size_ratio"]["int8_delta"] == pytest.approx(mean_ratio)
    base_bytes = os.path.getsize(run.int8_file("super"))
    assert sizes["systems"]["stage1"]["on_disk"] == base_bytes
    assert sizes["systems"]["soft"] == sizes["systems"]["hard"]
    assert sizes["systems"]["hard"] == {
        "on_disk": base_bytes + sum(size["int8_delta"] for size in size_of.values()),
        # All deltas are held beside the base, and during a call the network that it restored.
        "at_once": base_bytes
        + sum(size["int8_delta"] for size in size_of.values())
        + max(size["int8_network"] for size in size_of.values()),
    }


@pytest.mark.slow
def test_paper_form_is_the_difference_to_the_base_that_training_started_from(
    run_config, write_run, superclass_map, int8_networks
):
    run = write_run("super")
    base = int8_networks["super"]
    unmoved = int8_grid.float_weights(base)
    unmoved["fc/kernel"], unmoved["fc/bias"] = np.zeros((32, 2), "f"), np.zeros(2, "f")
    files.write_tensors(run.float_file("sub/boat"), unmoved, metadata={})
    sizes = measure(run_config(), run, superclass_map, base=base)
    # All differences are zero: what is left is little more than the archive's frame.
    assert sizes["per_superclass"]["boat"]["fp16_7z"] < 400
