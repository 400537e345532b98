"""The int8 grid of each kernel: choosing it, snapping kernels to it, reading the integers off.

Kernel quantizers round a kernel to whole steps of `scale = range_max / 127`. Here every scale has
at most 16 significant bits. That widens a range by at most one part in 32,768, and makes exact in
float32 what would otherwise round: `127 * scale`, `range_max / 127`, and every multiple of a scale
that fake quantization computes on its way. So a snapped kernel passes its quantizer unchanged, and
is the same number in numpy, Keras and TFLite.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras as keras

from ss_tf.models import integer_network, variables
from ss_tf.models.integer_network import IntegerNetwork

LARGEST = 127
_SCALE_BITS = 16
# Weights far below it round to zero. Such a channel's output is nothing beside the epsilon of the
# batch norm that follows, and a scale of zero would have no grid.
_SMALLEST_SCALE = 2.0**-40


def scale_of_range(range_max: np.ndarray) -> np.ndarray:
    """Returns the smallest 16-bit scale whose 127 steps reach `range_max`; float32, its shape."""
    scale = np.maximum(np.asarray(range_max, np.float64) / LARGEST, _SMALLEST_SCALE)
    mantissa, exponent = np.frexp(scale)
    steps = np.ceil(np.ldexp(mantissa, _SCALE_BITS))
    return np.asarray(np.ldexp(steps, exponent - _SCALE_BITS), np.float32)


def fit_kernel_ranges(qat_model: keras.Model) -> None:
    """Sets the range of every kernel quantizer so that it holds the whole kernel."""
    for kernel in _kernels(qat_model):
        kernel.fit_range()


def snap(qat_model: keras.Model) -> None:
    """Replaces every kernel by its fake-quantized value, whole steps of its scale.

    Ranges that are not 127 steps of a 16-bit scale are widened to the next that is. But for that
    widening, the model's outputs in inference mode stay the same. Snapping twice is snapping once.
    """
    for kernel in _kernels(qat_model):
        scale = scale_of_range(kernel.range_max.numpy())
        kernel.set_range(scale)
        kernel.variable.assign(_fake_quantize(kernel.variable, LARGEST * scale))


def clipped_share(qat_model: keras.Model) -> float:
    """Returns the fraction of convolution weights that lie beyond their quantizer's range."""
    clipped = total = 0
    for kernel in _kernels(qat_model):
        if not integer_network.is_head(kernel.name):
            beyond = np.abs(kernel.variable.numpy()) > kernel.range_max.numpy()
            clipped += np.count_nonzero(beyond)
            total += beyond.size
    return clipped / total


def to_integer(qat_model: keras.Model, metadata: Mapping[str, str]) -> IntegerNetwork:
    """Reads a snapped model as integers.

    Raises:
      ValueError: naming the kernel, if one is not on its grid.
    """
    floats = variables.values_by_name(qat_model)
    kernels, scales = {}, {}
    for kernel in _kernels(qat_model):
        scale = scale_of_range(kernel.range_max.numpy())
        steps = np.clip(np.rint(kernel.variable.numpy() / scale), -LARGEST, LARGEST)
        snapped = (steps * scale, -LARGEST * scale, LARGEST * scale)
        for variable, value in zip(kernel[1:], snapped, strict=True):
            if not np.array_equal(variable.numpy(), value):
                raise ValueError(f"{kernel.name} is not on an int8 grid, expected a snapped model.")
        for suffix in ("", "_min", "_max"):
            del floats[f"{kernel.name}{suffix}"]
        kernels[kernel.name], scales[kernel.name] = steps.astype(np.int8), scale
    return IntegerNetwork(kernels, scales, floats, dict(metadata))


def assign_integer(network: IntegerNetwork, qat_model: keras.Model) -> None:
    """Sets every variable of a model, which then computes exactly what the network's source did.

    Raises:
      ValueError: naming the first tensor that is missing, left over or of another shape; the
        model is then unchanged.
    """
    variables.assign(qat_model, all_values(network))


def float_weights(network: IntegerNetwork) -> dict[str, np.ndarray]:
    """Returns the value of every variable of the float model: all but the quantizers' ranges."""
    return {name: value for name, value in all_values(network).items() if not _is_range(name)}


def start_from(
    qat_model: keras.Model, *, base: IntegerNetwork, weights: Mapping[str, np.ndarray]
) -> None:
    """Sets a model to float weights on the base's int8 grids.

    All ranges are the base's, except that of the head's kernel, which fits the new head.

    Args:
      qat_model: model to set.
      base: network whose ranges are taken over.
      weights: value of every variable of the float model, by name; the head may have another
        number of classes than the base's.

    Raises:
      ValueError: naming the first tensor that is missing, left over or of another shape; the
        model is then unchanged.
    """
    ranges = {name: value for name, value in all_values(base).items() if _is_range(name)}
    variables.assign(qat_model, {**ranges, **weights})
    for kernel in _kernels(qat_model):
        if integer_network.is_head(kernel.name):
            kernel.fit_range()


class _Kernel(NamedTuple):
    """A kernel and the range of its quantizer."""

    name: str
    variable: tf.Variable
    range_min: tf.Variable
    range_max: tf.Variable

    def set_range(self, scale: np.ndarray) -> None:
        self.range_min.assign(-LARGEST * scale)
        self.range_max.assign(LARGEST * scale)

    def fit_range(self) -> None:
        # A dense kernel has one range, a convolution one per channel, its last axis.
        axes = tuple(range(self.variable.shape.rank - self.range_max.shape.rank))
        self.set_range(scale_of_range(np.abs(self.variable.numpy()).max(axes)))


def _kernels(qat_model: keras.Model) -> Iterator[_Kernel]:
    """Yields every kernel that has a quantizer."""
    by_name = variables.by_name(qat_model)
    for name, variable in by_name.items():
        if f"{name}_max" in by_name:
            yield _Kernel(name, variable, by_name[f"{name}_min"], by_name[f"{name}_max"])


def all_values(network: IntegerNetwork) -> dict[str, np.ndarray]:
    """Returns the value of every variable of the quantized model, by name."""
    values = {**network.floats, **integer_network.dequantized(network)}
    for name, scale in network.scales.items():
        values[f"{name}_min"], values[f"{name}_max"] = -LARGEST * scale, LARGEST * scale
    return values


def _is_range(name: str) -> bool:
    return name.endswith(("_min", "_max"))


def _fake_quantize(kernel: tf.Variable, range_max: np.ndarray) -> tf.Tensor:
    """Applies the operation of the kernel quantizers, so that ties round as in training."""
    if range_max.ndim == 0:
        operation = tf.quantization.fake_quant_with_min_max_vars
    else:
        operation = tf.quantization.fake_quant_with_min_max_vars_per_channel
    return operation(kernel, -range_max, range_max, num_bits=8, narrow_range=True)
