"""Variables of a network by name, the same names in its float and its quantized form."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
import tf_keras as keras

# tfmot calls the layer behind the input quantize_layer, quantize_layer_1, ...: the number counts
# the networks built so far, so it is no name.
_INPUT_RANGE = re.compile(r"quantize_layer(?:_\d+)?/quantize_layer(?:_\d+)?_(min|max)")
# A mirrored variable's copies on the second device and later ones.
_REPLICA = re.compile(r"/replica_\d+$")
# tfmot's counter in every layer; it stays at -1.
_STEP_COUNTER = "/optimizer_step"


def by_name(model: keras.Model) -> dict[str, tf.Variable]:
    """Returns name -> variable: `layer1.0.conv1/kernel`, `fc/kernel_max`, `image/output_min`."""
    variables = {}
    for variable in model.weights:
        name = name_of(variable)
        if name in variables:
            raise ValueError(f"Two variables are called {name!r}, expected unique names.")
        if not name.endswith(_STEP_COUNTER):
            variables[name] = variable
    return variables


def name_of(variable: tf.Variable) -> str:
    """Returns a variable's name, the same in the float and the quantized form of a network."""
    name = _REPLICA.sub("", variable.name.removesuffix(":0")).removeprefix("quant_")
    return _INPUT_RANGE.sub(r"image/output_\1", name)


def values_by_name(model: keras.Model) -> dict[str, np.ndarray]:
    """Returns name -> copy of the variable's value."""
    return {name: variable.numpy() for name, variable in by_name(model).items()}


def trainable(model: keras.Model) -> list[tf.Variable]:
    """Returns what training may change: a wrapper of tfmot's lists its frozen kernel, too."""
    learning = [layer for layer in model.layers if layer.trainable]
    wanted = {id(variable) for layer in learning for variable in layer.trainable_weights}
    return [variable for variable in model.trainable_variables if id(variable) in wanted]


def assign(model: keras.Model, values: Mapping[str, np.ndarray]) -> None:
    """Sets every variable of a model.

    Raises:
      ValueError: naming the first tensor that is missing, left over or of another shape; the
        model is then unchanged.
    """
    variables = by_name(model)
    for name in sorted(set(variables) | set(values)):
        if name not in values:
            raise ValueError(f"{name} is missing, expected shape {tuple(variables[name].shape)}.")
        if name not in variables:
            raise ValueError(f"{name} of shape {values[name].shape} is no variable of the model.")
        got, expected = values[name].shape, tuple(variables[name].shape)
        if got != expected:
            raise ValueError(f"{name} has shape {got}, expected {expected}.")
    for name, variable in variables.items():
        variable.assign(values[name])
