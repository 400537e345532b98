"""One small network in its float and its quantization-aware forms, built once per test run."""

import dataclasses

import numpy as np
import pytest

from ss_tf import config
from ss_tf.models import quantization, resnet, variables

SMALL = config.ModelConfig(
    backbone="resnet18", resnet_blocks=(1, 1, 1, 1), base_width=4, stem="small"
)
INPUT_RANGE = (-1.0, 1.0)


@pytest.fixture(scope="session")
def images():
    """Images `[6, 16, 16, 1]` in INPUT_RANGE."""
    return np.random.default_rng(0).uniform(-1, 1, (6, 16, 16, 1)).astype(np.float32)


@pytest.fixture(scope="session")
def build_small():
    """Builds the small network, with statistics and biases that no fresh network has."""

    def build(num_classes=5, seed=0, base_width=SMALL.base_width):
        shape = dataclasses.replace(SMALL, base_width=base_width)
        model = resnet.build_resnet(
            shape, num_classes=num_classes, image_size=16, channels=1, seed=seed
        )
        rng = np.random.default_rng(seed)
        for name, variable in variables.by_name(model).items():
            if name.endswith("moving_variance"):
                variable.assign(rng.uniform(0.5, 2, variable.shape))
            elif name.endswith("gamma"):
                # Of either sign: folded into a kernel, a negative one turns the integers' sign.
                variable.assign(
                    rng.uniform(0.5, 1.5, variable.shape) * rng.choice([-1, 1], variable.shape)
                )
            elif not name.endswith("kernel"):
                variable.assign(rng.normal(0, 0.3, variable.shape))
        return model

    return build


@pytest.fixture(scope="session")
def float_model(build_small):
    """Float form with 5 classes; tests leave it as it is."""
    return build_small()


@pytest.fixture(scope="session")
def _quantized(float_model, images):
    """Both QAT forms and the values they start from; quantizing takes seconds."""
    models = {
        frozen: quantization.quantize(float_model, freeze_kernel_ranges=frozen)
        for frozen in (False, True)
    }
    quantization.calibrate(models[False], [images], input_range=INPUT_RANGE)
    return models, variables.values_by_name(models[False])


@pytest.fixture
def qat_model(_quantized):
    """Calibrated QAT form of `float_model`, for the test to change."""
    models, values = _quantized
    variables.assign(models[False], values)
    return models[False]


@pytest.fixture
def frozen_qat_model(_quantized):
    """The same, with frozen kernel ranges."""
    models, values = _quantized
    variables.assign(models[True], values)
    return models[True]


@pytest.fixture(scope="session")
def other_head_qat_model(build_small):
    """QAT form with frozen ranges, other weights and 7 classes."""
    return quantization.quantize(build_small(num_classes=7, seed=1), freeze_kernel_ranges=True)
