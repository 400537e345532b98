"""Pretrained weights of other libraries, loaded into our networks by name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
import tf_keras as keras

from ss_tf.models import state_dict_names, tensor_file, variables
from ss_tf.models.integer_network import HEAD

# What PyTorch calls a layer's variables.
_TORCH_NAMES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
# Where PyTorch's axes lie in a Keras variable, by their number: `[out, in, height, width]` in
# `[height, width, in, out]`, `[out, in]` in `[in, out]`.
_TORCH_AXES = {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}
_NAMES_IN_A_MESSAGE = 3


def load(path: str | os.PathLike, *, into: keras.Model) -> tuple[str, ...]:
    """Sets a float network's variables from a PyTorch state dict of the same ResNet.

    Names may be torchvision's, timm's or Hugging Face's. The head is set if the file has one for
    as many classes, and stays as it is if the file has one for other classes, or none.

    Args:
      path: a .safetensors or .npz file, see docs/PRETRAINED.md.
      into: the network; changed in place.

    Returns:
      Names of the variables that stay as they are: the head's, or none.

    Raises:
      ValueError: if the file is damaged, holds a value that is not finite, or does not have each of
        the other variables exactly once, in its shape. The network is then unchanged.
      OSError: if the file cannot be opened.
    """
    targets = _by_torch_name(into)
    expected = {name: _torch_shape(variable) for name, (_, variable) in targets.items()}
    with tensor_file.open_tensors(path) as file:
        origins = state_dict_names.to_torchvision(file.shapes)
        got = {name: file.shapes[origin] for name, origin in origins.items()}
        if _has_other_head(got, expected):
            expected, got = _without_head(expected), _without_head(got)
        _check_fit(path, got=got, expected=expected, origins=origins)
        values = variables.values_by_name(into)
        for name in expected:
            tensor = file.read(origins[name])
            values[targets[name][0]] = tensor.transpose(np.argsort(_TORCH_AXES[tensor.ndim]))
    variables.assign(into, values)
    return tuple(sorted(targets[name][0] for name in targets if name not in expected))


def _by_torch_name(model: keras.Model) -> dict[str, tuple[str, tf.Variable]]:
    """Returns torchvision's name -> our name, and the variable."""
    found = {}
    for name, variable in variables.by_name(model).items():
        layer, _, kind = name.rpartition("/")
        if kind not in _TORCH_NAMES:
            raise ValueError(f"{name} has no counterpart in PyTorch, expected a float network.")
        found[f"{layer}.{_TORCH_NAMES[kind]}"] = (name, variable)
    return found


def _torch_shape(variable: tf.Variable) -> tuple[int, ...]:
    return tuple(variable.shape[axis] for axis in _TORCH_AXES[variable.shape.rank])


def _has_other_head(got: Mapping[str, tuple], expected: Mapping[str, tuple]) -> bool:
    """Tells whether a file has no head, or one for another number of classes."""
    kernel, bias = f"{HEAD}.weight", f"{HEAD}.bias"
    if kernel not in got:
        return bias not in got
    return got[kernel][1:] == expected[kernel][1:] and got[kernel] != expected[kernel]


def _without_head(shapes: Mapping[str, tuple]) -> dict[str, tuple]:
    return {name: shape for name, shape in shapes.items() if not name.startswith(f"{HEAD}.")}


def _check_fit(
    path: str | os.PathLike,
    *,
    got: Mapping[str, tuple],
    expected: Mapping[str, tuple],
    origins: Mapping[str, str],
) -> None:
    """Raises ValueError unless names and shapes are those expected; it lists the first of each."""
    misshapen = [
        f"{origins[name]} {got[name]}, expected {expected[name]}"
        for name in expected
        if name in got and got[name] != expected[name]
    ]
    faults = {
        "missing": [name for name in expected if name not in got],
        "unexpected": [origins[name] for name in got if name not in expected],
        "of another shape": misshapen,
    }
    lists = [f"{len(names)} {fault} ({_first(names)})" for fault, names in faults.items() if names]
    if lists:
        raise ValueError(
            f"{path} does not fit the network: {', '.join(lists)}. Expected the tensors of a plain "
            "ResNet of the same depth, width, stem and input channels."
        )


def _first(names: Sequence[str]) -> str:
    more = ["..."] if len(names) > _NAMES_IN_A_MESSAGE else []
    return "; ".join([*names[:_NAMES_IN_A_MESSAGE], *more])
