"""The integers of an IntegerNetwork are those that TFLite computes with, weight for weight."""

import re

import numpy as np
import pytest
import tensorflow as tf

from ss_tf import config
from ss_tf.models import int8_grid, quantization, resnet, variables

_RESNET_18 = config.ModelConfig(
    backbone="resnet18", resnet_blocks=None, base_width=64, stem="imagenet"
)
# The least that five halvings leave a pixel of; kernels do not depend on it.
_IMAGE_SIZE = 32


def _draw_batch_norm(model):
    """Draws what training would have changed; gammas of either sign."""
    rng = np.random.default_rng(0)
    for name, variable in variables.by_name(model).items():
        if name.endswith("moving_variance"):
            variable.assign(rng.uniform(0.5, 2, variable.shape))
        elif name.endswith("gamma"):
            signs = rng.choice([-1, 1], variable.shape)
            variable.assign(signs * rng.uniform(0.5, 1.5, variable.shape))
        elif not name.endswith("kernel"):
            variable.assign(rng.normal(0, 0.3, variable.shape))


def _batch_norm_of(conv):
    """Returns the name of the batch norm behind a convolution."""
    if conv.endswith("downsample.0"):
        return f"{conv.removesuffix('0')}1"
    return re.sub(r"conv(\d)$", r"bn\1", conv)


def _kernels_of(tflite_model):
    """Returns layer -> int8 kernel, in Keras's order of axes, and the scales of its channels."""
    interpreter = tf.lite.Interpreter(model_content=tflite_model)
    kernels = {}
    for tensor in interpreter.get_tensor_details():
        found = re.match(r"resnet/quant_([\w.]+)/(Conv2D|MatMul);", tensor["name"])
        # Outputs of these layers are int8, too, but called after what follows them.
        if found and tensor["dtype"] == np.int8 and "FakeQuant" in tensor["name"]:
            kernel = np.moveaxis(interpreter.get_tensor(tensor["index"]), 0, -1)
            kernels[found[1]] = kernel, tensor["quantization_parameters"]["scales"]
    return kernels


@pytest.mark.slow
def test_every_kernel_of_resnet18_is_tflites_but_for_the_sign_of_gamma():
    model = resnet.build_resnet(_RESNET_18, num_classes=10, image_size=_IMAGE_SIZE, channels=3)
    _draw_batch_norm(model)
    qat = quantization.quantize(model, freeze_kernel_ranges=True)
    images = np.random.default_rng(1).uniform(-1, 1, (2, _IMAGE_SIZE, _IMAGE_SIZE, 3))
    quantization.calibrate(qat, [images.astype(np.float32)], input_range=(-1, 1))
    int8_grid.snap(qat)
    network = int8_grid.to_integer(qat, {})

    converter = tf.lite.TFLiteConverter.from_keras_model(qat)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    kernels = _kernels_of(converter.convert())

    assert {f"{layer}/kernel" for layer in kernels} == network.kernels.keys()
    compared = 0
    for layer, (kernel, scales) in kernels.items():
        integers, scale = network.kernels[f"{layer}/kernel"], network.scales[f"{layer}/kernel"]
        if layer != "fc":
            bn = _batch_norm_of(layer)
            gamma = network.floats[f"{bn}/gamma"]
            integers = integers * np.sign(gamma).astype(np.int8)
            scale = scale * np.abs(gamma) / np.sqrt(network.floats[f"{bn}/moving_variance"] + 1e-5)
        assert np.count_nonzero(kernel != integers) == 0, layer
        np.testing.assert_allclose(scales, np.broadcast_to(scale, scales.shape), rtol=1e-5)
        compared += kernel.size
    # Torchvision's count for the body, and a head of 10 classes.
    assert compared == 11_166_912 + 512 * 10
