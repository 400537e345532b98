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
# tfmot's counter in every layer; it stays at -1.
_STEP_COUNTER = "/optimizer_step"


def by_name(model: keras.Model) -> dict[str, tf.Variable]:
    """Returns name -> variable: `layer1.0.conv1/kernel`, `fc/kernel_max`, `image/output_min`."""
    variables = {}
    for variable in model.weights:
        name = variable.name.removesuffix(":0").removeprefix("quant_")
        name = _INPUT_RANGE.sub(r"image/output_\1", name)
        if name in variables:
            raise ValueError(f"Two variables are called {name!r}, expected unique names.")
        if not name.endswith(_STEP_COUNTER):
            variables[name] = variable
    return variables


def values_by_name(model: keras.Model) -> dict[str, np.ndarray]:
    """Returns name -> copy of the variable's value."""
    return {name: variable.numpy() for name, variable in by_name(model).items()}


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
