import pytest

from ss_tf.evaluation import accuracy, passes
from ss_tf.evaluation.results import NOT_EVALUATED


def images(**by_phase):
    return {phase: {"images": count, "passes": count / 100} for phase, count in by_phase.items()}


def measure(**changes):
    """Of 100 training images, 90 have a sub network, trained for 5 and for 10 epochs."""
    return {
        "training": {
            "flat": images(float=300, qat=400),
            "flat_equal_compute": NOT_EVALUATED,
            "super": images(float=200, qat=100),
            "sub": images(float=450, qat=900),
        },
        "stage1": "super",
        "top1": dict.fromkeys(accuracy.SYSTEMS, 0.5),
        "super_top1": 0.5,
        "super_top1_float": 0.5,
        "examples_by_split": {"train": 100},
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "stage1", "vanilla"),
    [
        # Sub networks started from the quantized base: its 1 or 4 passes are behind vanilla too.
        ({}, 2 + 1, 2 + 1 + 4.5),
        ({"stage1": "flat"}, 3 + 4, 3 + 4 + 4.5),
        # On their own, only the float networks are.
        ({"super_top1": NOT_EVALUATED}, 2, 2 + 4.5),
    ],
)
def test_passes_are_those_of_all_networks_behind_a_decision(changes, stage1, vanilla):
    assert passes.by_system(measure(**changes)) == {
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


def test_system_that_was_not_evaluated_has_no_passes():
    found = passes.by_system(measure(top1=dict.fromkeys(accuracy.SYSTEMS, NOT_EVALUATED)))
    assert found.pop("stage1") == 3
    assert set(found.values()) == {NOT_EVALUATED}


def test_skipped_phase_counts_nothing():
    training = {**measure()["training"], "super": images(float=200)}
    assert passes.by_system(measure(training=training))["stage1"] == 2
