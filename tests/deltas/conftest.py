"""Small integer networks for the tests of deltas."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest
import safetensors.numpy

from ss_tf.deltas import codecs
from ss_tf.models import heads, integer_network


@pytest.fixture(scope="session", params=sorted(set(codecs.CODECS) - {"7z"}))
def codec(request):
    """Returns the name of each codec that a bank may have, if it is installed."""
    if request.param == "range":
        pytest.importorskip("constriction")
    return request.param


@pytest.fixture(scope="session")
def refusals_of_flips():
    """Returns a function that damages each byte in turn: it is refused, or changes nothing."""

    def flip(encoded, *, decode, data):
        rng = np.random.default_rng(0)
        refusals = []
        for position in range(len(encoded)):
            damaged = bytearray(encoded)
            damaged[position] ^= int(rng.integers(1, 256))
            try:
                assert decode(bytes(damaged)) == data
            except ValueError as error:
                refusals.append(str(error))
        return refusals

    return flip


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


@pytest.fixture(scope="session")
def make_near():
    """Returns a function that draws a sub network whose weights are a few even steps off a base."""

    def make(base, seed, *, num_classes):
        rng = np.random.default_rng(seed)
        kernels = {}
        for name, kernel in base.kernels.items():
            steps = 4 * np.rint(rng.laplace(scale=0.4, size=kernel.shape))
            kernels[name] = np.clip(kernel + steps, -127, 127).astype(np.int8)
        network = dataclasses.replace(base, kernels=kernels, metadata={"subclasses": "[1, 2]"})
        return heads.resize_network(network, num_classes)

    return make


@pytest.fixture(scope="session")
def forge():
    """Returns a function that writes a bank file of any streams, with the digest they should have.

    Written from the description of the format, without the code that is tested.
    """

    def write(path, streams, **metadata):
        sha256 = hashlib.sha256()
        for name, stream in sorted(streams.items()):
            sha256.update(b"%s %d\n%s" % (name.encode(), len(stream), stream))
        fields = {"bank_format": "1", "digest": sha256.hexdigest()} | metadata
        tensors = {name: np.frombuffer(stream, np.uint8) for name, stream in streams.items()}
        path.write_bytes(safetensors.numpy.save(tensors, {"ss_tf": json.dumps(fields)}))

    return write
