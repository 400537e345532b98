import json

import pytest

from ss_tf.evaluation import effort
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
