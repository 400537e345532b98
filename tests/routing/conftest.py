"""Integer networks of odd shapes for tests that need no model, and those of a small model."""

import numpy as np
import pytest

from ss_tf.config import ModelConfig
from ss_tf.models import heads, int8_grid, integer_network, quantization
from ss_tf.models.resnet import build_resnet, stage_of

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


# Classes of the base, and of each superclass's sub network; the middle one has none.
WIDTHS = {None: 3, 0: 5, 2: 2}
WIDEST = max(WIDTHS.values())


@pytest.fixture(scope="session")
def model():
    """The quantized model of all networks; tests change its weights."""
    config = ModelConfig(backbone="resnet18", base_width=4, resnet_blocks=None, stem="small")
    network = build_resnet(config, num_classes=WIDEST, image_size=16, channels=1)
    qat_model = quantization.quantize(network, freeze_kernel_ranges=True)
    images = np.random.default_rng(0).normal(size=(16, 16, 16, 1)).astype(np.float32)
    quantization.calibrate(qat_model, [images], input_range=(-4.0, 4.0))
    int8_grid.snap(qat_model)
    return qat_model


@pytest.fixture(scope="session")
def networks(model):
    """Superclass -> integer network; sub networks share the base's stages through layer1."""
    base = int8_grid.to_integer(model, {})
    drawn = {None: base}
    for seed in WIDTHS.keys() - {None}:
        rng = np.random.default_rng(seed)
        moved = {
            name: np.where(rng.random(kernel.shape) < 0.2, kernel // 2, kernel).astype(np.int8)
            for name, kernel in base.kernels.items()
        }
        floats = {
            name: (value + rng.uniform(0, 0.2, value.shape)).astype(np.float32)
            for name, value in base.floats.items()
        }
        for tensors, own in ((moved, base.kernels), (floats, base.floats)):
            for name in tensors:
                # Stem and layer1.
                if stage_of(name.split("/")[0]) <= 1:
                    tensors[name] = own[name]
        drawn[seed] = integer_network.IntegerNetwork(moved, base.scales, floats, {})
    return {
        superclass: heads.resize_network(drawn[superclass], width)
        for superclass, width in WIDTHS.items()
    }


@pytest.fixture(scope="session")
def images():
    return np.random.default_rng(1).normal(size=(6, 16, 16, 1)).astype(np.float32)


@pytest.fixture(scope="session")
def keras_logits(model):
    """Returns a function that runs a network over images, in the Keras model."""

    def run(network, images):
        int8_grid.assign_integer(heads.resize_network(network, WIDEST), model)
        return model.predict_on_batch(images)[:, : network.floats["fc/bias"].size]

    return run
