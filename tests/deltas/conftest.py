"""Small integer networks for the tests of deltas."""

import numpy as np
import pytest

from ss_tf.models import integer_network


@pytest.fixture(scope="session")
def make_network():
    """Returns a function that draws a network with two convolutions and a head of any width."""

    def make(seed, *, num_classes, scale=0.5, metadata=None):
        rng = np.random.default_rng(seed)
        shapes = {
            "conv1/kernel": (3, 3, 1, 4),
            "layer1.0.conv1/kernel": (3, 3, 4, 8),
            "fc/kernel": (8, num_classes),
        }
        return integer_network.IntegerNetwork(
            kernels={
                name: rng.integers(-127, 128, shape, np.int8) for name, shape in shapes.items()
            },
            scales={
                "conv1/kernel": np.full(4, scale, np.float32),
                "layer1.0.conv1/kernel": np.full(8, 2 * scale, np.float32),
                "fc/kernel": np.array(rng.uniform(0.5, 1), np.float32),
            },
            floats={
                "bn1/gamma": rng.normal(size=4).astype(np.float32),
                "fc/bias": rng.normal(size=num_classes).astype(np.float32),
                "fc/output_max": np.array(rng.uniform(1, 2), np.float32),
            },
            metadata=metadata or {"subclasses": "ねこ"},
        )

    return make


@pytest.fixture(scope="session")
def assert_same_network():
    """Returns a function that compares two networks bit for bit, metadata included."""

    def check(one, other):
        for group in ("kernels", "scales", "floats"):
            ones, others = getattr(one, group), getattr(other, group)
            assert ones.keys() == others.keys()
            for name in ones:
                # As bytes, so that nan equals itself and 0 differs from -0.
                np.testing.assert_array_equal(
                    np.frombuffer(ones[name].tobytes(), np.uint8),
                    np.frombuffer(others[name].tobytes(), np.uint8),
                )
                assert ones[name].shape == others[name].shape
                assert ones[name].dtype == others[name].dtype
        assert one.metadata == other.metadata

    return check
