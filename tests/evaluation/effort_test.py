import dataclasses
import json

import pytest

from ss_tf.evaluation import accuracy, effort
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.training import metrics_log


def record(run, name, phase, *, epochs, images):
    """Adds epochs of 2 seconds; `images` counts from the start of the phase, as training does."""
    file = run.network_dir(name) / metrics_log.FILE_NAME
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lines:
        for epoch in range(epochs):
            values = {"phase": phase, "epoch": epoch, "images": (epoch + 1) * images, "seconds": 2}
            lines.write(json.dumps(values) + "\n")


@pytest.fixture
def trained_run(empty_run):
    """A run whose data set has 100 training images: 60 of birds, 30 of boats, 10 of cars."""
    record(empty_run, "flat", "float", epochs=3, images=100)
    record(empty_run, "flat", "qat", epochs=4, images=100)
    record(empty_run, "super", "float", epochs=2, images=100)
    record(empty_run, "super", "qat", epochs=1, images=100)
    for phase, epochs in (("float", 5), ("qat", 10)):
        record(empty_run, "sub/bird", phase, epochs=epochs, images=60)
        record(empty_run, "sub/boat", phase, epochs=epochs, images=30)
    return empty_run


def measure(run, superclass_map, **changes):
    return {
        "training": effort.by_kind(run, superclass_map, num_train=100),
        "top1": dict.fromkeys(accuracy.SYSTEMS, 0.5),
        "super_top1": 0.5,
        "super_top1_float": 0.5,
        "examples_by_split": {"train": 100},
        **changes,
    }


def test_last_record_of_each_network_has_its_images(trained_run, superclass_map):
    assert effort.by_kind(trained_run, superclass_map, num_train=100) == {
        "flat": {
            "float": {"images": 300, "passes": 3.0},
            "qat": {"images": 400, "passes": 4.0},
        },
        "flat_equal_compute": NOT_EVALUATED,
        "super": {
            "float": {"images": 200, "passes": 2.0},
            "qat": {"images": 100, "passes": 1.0},
        },
        # Five epochs of 90 of the 100 images: car has no sub network.
        "sub": {
            "float": {"images": 450, "passes": 4.5},
            "qat": {"images": 900, "passes": 9.0},
        },
    }


def test_seconds_of_all_epochs_add_up(trained_run, superclass_map):
    assert effort.seconds_by_kind(trained_run, superclass_map) == {
        "flat": 14.0,
        "flat_equal_compute": 0.0,
        "super": 6.0,
        "sub": 60.0,
    }


@pytest.mark.parametrize(
    ("sub_init", "stage1", "vanilla"),
    [
        # Sub networks started from the quantized base: its 1 or 4 passes are behind vanilla too.
        ("super", 2 + 1, 2 + 1 + 4.5),
        ("flat", 3 + 4, 3 + 4 + 4.5),
        # On their own, only the float networks are.
        ("scratch", 2, 2 + 4.5),
    ],
)
def test_passes_are_those_of_all_networks_behind_a_decision(
    run_config, trained_run, superclass_map, sub_init, stage1, vanilla
):
    measured = measure(trained_run, superclass_map)
    passes = effort.passes_by_system(run_config(sub_init=sub_init), measured)
    assert passes == {
        "stage1": stage1,
        "flat": 3,
        "flat_int8": 7,
        # Copied or not trained at all: nothing was shown in this run.
        "flat_equal_compute": 0,
        "vanilla": vanilla,
        "hard": vanilla + 9,
        # The same networks: a policy is chosen without training.
        "soft": vanilla + 9,
    }


def test_float_stage_1_has_no_quantization_aware_passes(run_config, trained_run, superclass_map):
    measured = measure(trained_run, superclass_map, super_top1=NOT_EVALUATED)
    assert effort.passes_by_system(run_config(), measured)["stage1"] == 2


def test_system_that_was_not_evaluated_has_no_passes(run_config, trained_run, superclass_map):
    top1 = dict.fromkeys(accuracy.SYSTEMS, NOT_EVALUATED)
    measured = measure(trained_run, superclass_map, top1=top1)
    passes = effort.passes_by_system(run_config(), measured)
    assert passes.pop("stage1") == 3
    assert set(passes.values()) == {NOT_EVALUATED}


def test_skipped_phase_counts_nothing(run_config, empty_run, superclass_map, fit_config):
    record(empty_run, "super", "float", epochs=2, images=100)
    config = dataclasses.replace(run_config(), base_qat_fit=fit_config(epochs=0))
    measured = measure(empty_run, superclass_map)
    assert effort.passes_by_system(config, measured)["stage1"] == 2
