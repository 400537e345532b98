"""Integer networks of odd shapes, for tests that need no model; and what a small model gives."""

import numpy as np
import pytest

from ss_tf.models import heads, int8_grid, integer_network
from ss_tf.routing import flat_part

# No kernel but one has a multiple of 64 values.
KERNELS = {
    "conv1/kernel": (3, 3, 1, 5),
    "layer1.0.conv1/kernel": (1, 1, 8, 8),
    "layer1.0.conv2/kernel": (3, 3, 5, 7),
    "layer2.0.conv1/kernel": (1, 1, 1, 1),
}
FLOATS = {"image/output_max": (), "bn1/gamma": (5,), "layer1.0.bn1/beta": (7,)}
NUM_FEATURES = 6


@pytest.fixture(scope="session")
def draw_network():
    """Returns a function that draws an integer network with a head of any width."""

    def draw(seed, *, num_classes=3):
        rng = np.random.default_rng(seed)
        shapes = KERNELS | {"fc/kernel": (NUM_FEATURES, num_classes)}
        float_shapes = FLOATS | {"fc/bias": (num_classes,)}
        return integer_network.IntegerNetwork(
            kernels={
                name: rng.integers(-127, 128, shape, np.int8) for name, shape in shapes.items()
            },
            scales={
                name: np.array(rng.uniform(0.5, 1, shape[-1:] if len(shape) == 4 else ()))
                .astype(np.float16)
                .astype(np.float32)
                for name, shape in shapes.items()
            },
            floats={
                name: np.array(rng.normal(size=shape), np.float32)
                for name, shape in float_shapes.items()
            },
            metadata={},
        )

    return draw


@pytest.fixture(scope="session")
def weight_names():
    """Names of all weights of a drawn network that a model needs."""
    return [*KERNELS, "fc/kernel", *FLOATS, "fc/bias"]


@pytest.fixture(scope="session")
def part(draw_network, weight_names):
    """All weights of drawn networks as a part."""
    return flat_part.FlatPart(weight_names, draw_network(0))


@pytest.fixture(scope="session")
def model(small_int8_model):
    """The quantized model of all networks; tests change its weights."""
    return small_int8_model


@pytest.fixture(scope="session")
def networks(small_int8_networks):
    """Superclass -> integer network; sub networks share the base's stages through layer1."""
    return small_int8_networks


@pytest.fixture(scope="session")
def images():
    return np.random.default_rng(1).normal(size=(6, 16, 16, 1)).astype(np.float32)


@pytest.fixture(scope="session")
def keras_logits(model):
    """Returns a function that runs a network over images, in the Keras model."""

    def run(network, images):
        widest = model.output_shape[-1]
        int8_grid.assign_integer(heads.resize_network(network, widest), model)
        return model.predict_on_batch(images)[:, : network.floats["fc/bias"].size]

    return run
