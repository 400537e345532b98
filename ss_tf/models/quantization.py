"""Quantization-aware networks, by tensorflow-model-optimization (tfmot)."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf
import tf_keras as keras

from ss_tf.models import int8_grid, variables
from ss_tf.models.delta_grid import DeltaGrid
from ss_tf.models.tfmot import quantization as _tfmot

_INPUT = "image/output"
# AutoGraph would rewrite tfmot's wrapper of each layer as it is called, for nothing.
_without_autograph = tf.autograph.experimental.do_not_convert


@_without_autograph
def quantize(
    model: keras.Model,
    *,
    freeze_kernel_ranges: bool,
    delta_grid: DeltaGrid | None = None,
    frozen_layers: frozenset[str] = frozenset(),
) -> keras.Model:
    """Builds the quantization-aware form of a float model, by tfmot's default 8-bit scheme.

    Kernel ranges fit the kernels, so inference is right from the first step on once activation
    ranges are set, by `calibrate` or by copying them. Both forms have the same variables.

    Args:
      model: flat functional model; its weights are copied, and it stays as it is.
      freeze_kernel_ranges: whether training leaves the ranges of convolution kernels as they
        are, so that every kernel stays on the int8 grid it started on. The head's range always
        follows its kernel: heads of different networks have no common grid.
      delta_grid: with frozen ranges, the coarser grid of convolution kernels, if there is one.
      frozen_layers: with frozen ranges, layers that training leaves as they are: it sees them as
        inference does.
    """
    scheme = _default_scheme()
    if freeze_kernel_ranges:
        scheme = _FrozenKernelScheme(delta_grid, frozen_layers)
    qat_model = _tfmot.quantize_apply(_tfmot.quantize_annotate_model(model), scheme)
    int8_grid.fit_kernel_ranges(qat_model)
    for layer in qat_model.layers:
        layer.trainable = layer.name.removeprefix("quant_") not in frozen_layers
    return qat_model


def calibrate(
    qat_model: keras.Model, batches: Iterable[tf.Tensor], *, input_range: tuple[float, float]
) -> None:
    """Sets the range of every activation quantizer; changes nothing else.

    A range becomes the mean, over the batches, of the smallest and the largest value that the
    unquantized network has there. That is what the moving average of quantization-aware training
    tends to, so training goes on without a jump, and one odd image cannot stretch a range.

    Args:
      qat_model: model of `quantize`, with trained weights.
      batches: float32 images `[batch, height, width, channels]`, normalised as for training.
      input_range: smallest and largest value that an input can have.

    Raises:
      ValueError: if there is no batch.
    """
    by_name = variables.by_name(qat_model)
    ranges = [name.removesuffix("_max") for name in by_name if name.endswith("_max")]
    # `relu/output` is the range of an activation; `conv1/kernel` is a variable, with its range.
    observed = [name for name in ranges if name not in by_name and name != _INPUT]
    float_model = _without_quantizers(qat_model)
    outputs = [float_model.get_layer(name.rpartition("/")[0]).output for name in observed]
    extremes_of = _extremes_function(keras.Model(float_model.input, outputs))
    extremes = [extremes_of(images) for images in batches]
    if not extremes:
        raise ValueError("calibrate got no batch, expected at least one.")
    for name, low, high in zip(observed, *np.mean(extremes, axis=0), strict=True):
        _set_range(by_name, name, low=low, high=high)
    _set_range(by_name, _INPUT, low=input_range[0], high=input_range[1])


@_without_autograph
def replicate(model: keras.Model) -> keras.Model:
    """Builds a model anew under the present distribution strategy, with copies of its weights.

    The range of a quantized model's input stays as it is then: every replica would widen its own
    copy by the images it sees, and the networks would part.

    Args:
      model: float, or of `quantize` with the input's range set; it stays as it is.
    """

    def copy(layer):
        if isinstance(layer, _tfmot.QuantizeWrapper):
            inner = type(layer.layer).from_config(layer.layer.get_config())
            # Its configuration would come back as tfmot's default, without our quantizers.
            return type(layer)(inner, layer.quantize_config, name=layer.name)
        twin = type(layer).from_config(layer.get_config())
        if hasattr(layer, "quantizer"):
            twin.quantizer = _Still(_input_quantizer())
        return twin

    with _tfmot.quantize_scope():
        replica = keras.models.clone_model(model, clone_function=copy)
    variables.assign(replica, variables.values_by_name(model))
    return replica


def _set_range(by_name: Mapping[str, tf.Variable], name: str, *, low: float, high: float) -> None:
    """Sets an activation range, widened to contain zero, which TFLite's integers must express."""
    by_name[f"{name}_min"].assign(min(low, 0))
    by_name[f"{name}_max"].assign(max(high, 0))


def _default_scheme():
    return _tfmot.default_8bit.Default8BitQuantizeScheme()


class _FrozenKernelScheme(_tfmot.default_8bit.Default8BitQuantizeScheme):
    """The default scheme with convolution kernels on fixed ranges."""

    def __init__(self, delta_grid, frozen_layers):
        self._delta_grid, self._frozen_layers = delta_grid, frozen_layers

    def get_layout_transformer(self):
        return _FreezingTransform(super().get_layout_transformer(), self._frozen_layers)

    def get_quantize_registry(self):
        return _FrozenKernelRegistry(self._delta_grid, self._frozen_layers)


class _FreezingTransform(_tfmot.QuantizeLayoutTransform):
    """Gives frozen layers a `_FrozenOutputConfig` where another transform chose their own."""

    def __init__(self, transform, frozen_layers):
        self._transform, self._frozen_layers = transform, frozen_layers

    def apply(self, model, layer_quantize_map):
        model, chosen = self._transform.apply(model, layer_quantize_map)
        for name in self._frozen_layers & chosen.keys():
            if config := chosen[name].get("quantize_config"):
                chosen[name]["quantize_config"] = _FrozenOutputConfig(config)
        return model, chosen


class _FrozenKernelRegistry(_tfmot.default_8bit.Default8BitQuantizeRegistry):
    """Gives convolutions their default configuration with a range that stays."""

    def __init__(self, delta_grid, frozen_layers):
        super().__init__()
        self._delta_grid, self._frozen_layers = delta_grid, frozen_layers

    def get_quantize_config(self, layer):
        # tfmot has one configuration for all layers of a kind.
        config = copy.copy(super().get_quantize_config(layer))
        if isinstance(layer, keras.layers.Conv2D):
            config.weight_quantizer = _Still(_kernel_quantizer())
            if self._delta_grid:
                config.weight_quantizer = _DeltaQuantizer(self._delta_grid, f"{layer.name}/kernel")
        return _FrozenOutputConfig(config) if layer.name in self._frozen_layers else config


class _FrozenOutputConfig(_tfmot.QuantizeConfig):
    """A configuration whose output quantizer runs as in inference mode, always."""

    def __init__(self, config):
        self._config = config

    def get_weights_and_quantizers(self, layer):
        return self._config.get_weights_and_quantizers(layer)

    def get_activations_and_quantizers(self, layer):
        return [
            (activation, _Still(quantizer))
            for activation, quantizer in self._config.get_activations_and_quantizers(layer)
        ]

    def set_quantize_weights(self, layer, quantize_weights):
        self._config.set_quantize_weights(layer, quantize_weights)

    def set_quantize_activations(self, layer, quantize_activations):
        self._config.set_quantize_activations(layer, quantize_activations)

    def get_output_quantizers(self, layer):
        return [_Still(quantizer) for quantizer in self._config.get_output_quantizers(layer)]

    def get_config(self):
        return {}


class _Still(_tfmot.quantizers.Quantizer):
    """A quantizer in inference mode, always: its range stays."""

    def __init__(self, quantizer):
        self._quantizer = quantizer

    def build(self, tensor_shape, name, layer):
        return self._quantizer.build(tensor_shape, name, layer)

    def __call__(self, inputs, training, weights, **kwargs):
        return self._quantizer(inputs, False, weights, **kwargs)

    def get_config(self):
        return {}


class _DeltaQuantizer(_Still):
    """Quantizes a convolution kernel to the grid of small deltas."""

    def __init__(self, delta_grid, name):
        super().__init__(_kernel_quantizer())
        self._delta_grid, self._name = delta_grid, name

    def __call__(self, inputs, training, weights, **kwargs):
        return self._delta_grid.quantize(self._name, inputs)


def _kernel_quantizer():
    """Returns what quantizes convolution kernels in tfmot's default scheme."""
    return _tfmot.quantizers.LastValueQuantizer(
        num_bits=8, per_axis=True, symmetric=True, narrow_range=True
    )


def _input_quantizer():
    """Returns what quantizes a network's input in tfmot's default scheme."""
    return _tfmot.quantizers.AllValuesQuantizer(
        num_bits=8, per_axis=False, symmetric=False, narrow_range=False
    )


@_without_autograph
def _without_quantizers(qat_model: keras.Model) -> keras.Model:
    """Builds the float model of a quantized one, with a copy of its weights."""

    def unwrap(layer):
        if isinstance(layer, _tfmot.QuantizeWrapper):
            return type(layer.layer).from_config(layer.layer.get_config())
        # The only other layer is the input's quantizer.
        return keras.layers.Activation("linear", name=layer.name)

    with _tfmot.quantize_scope():
        float_model = keras.models.clone_model(qat_model, clone_function=unwrap)
    values = variables.values_by_name(qat_model)
    variables.assign(float_model, {name: values[name] for name in variables.by_name(float_model)})
    return float_model


def _extremes_function(model: keras.Model):
    """Returns images -> float32 `[2, outputs]`, smallest and largest value of each output."""

    def extremes(images):
        outputs = model(images, training=False)
        return tf.stack([[reduce(x) for x in outputs] for reduce in (tf.reduce_min, tf.reduce_max)])

    return tf.function(extremes, autograph=False)
