"""IntegerNetwork: the canonical int8 form of a trained network. No TensorFlow."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator

import numpy as np

from ss_tf import files

# Layer whose shape depends on the number of classes, so it differs between networks of one run.
HEAD = "fc"
_GROUPS = {"kernels": np.int8, "scales": np.float32, "floats": np.float32}


@dataclasses.dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """A network whose kernels are int8 numbers times a scale, exactly.

    Attributes:
      kernels: `layer/kernel` -> int8 in [-127, 127]: `[height, width, in_channels, out_channels]`
        for a convolution, `[inputs, outputs]` for a dense layer.
      scales: the same names -> float32 value of one quantization step: `[out_channels]` for a
        convolution, `[]` for a dense layer. At most 16 significant bits, so kernel times scale is
        exact in float32 (see `ss_tf.models.int8_grid`).
      floats: every other variable: batch norm, biases, activation ranges; float32. They and the
        scales are finite.
      metadata: text about the network, no part of its digest; `network_facts.NetworkFacts` reads
        what training wrote.

    Raises:
      ValueError: naming the tensor, if a dtype, a shape or a value is not as said.
    """

    kernels: dict[str, np.ndarray]
    scales: dict[str, np.ndarray]
    floats: dict[str, np.ndarray]
    metadata: dict[str, str]

    def __post_init__(self):
        for name, tensor in named_tensors(self):
            dtype = _GROUPS[name.partition("/")[0]]
            if tensor.dtype != dtype:
                raise ValueError(f"{name} is {tensor.dtype}, expected {np.dtype(dtype)}.")
            if dtype == np.float32 and not np.isfinite(tensor).all():
                odd = tensor[~np.isfinite(tensor)].flat[0]
                raise ValueError(f"{name} holds {odd}, expected finite values.")
        if set(self.scales) != set(self.kernels):
            odd = min(set(self.scales) ^ set(self.kernels))
            raise ValueError(f"{odd!r} has a kernel or a scale but not both, expected both.")
        for name, kernel in self.kernels.items():
            _check_kernel(name, kernel, self.scales[name])


def is_head(name: str) -> bool:
    """Tells whether a tensor belongs to the head."""
    return name.startswith(f"{HEAD}/")


def num_classes(network: IntegerNetwork) -> int:
    """Returns the width of the head.

    Raises:
      ValueError: if there is no head.
    """
    kernel = f"{HEAD}/kernel"
    if kernel not in network.kernels:
        raise ValueError(f"{kernel!r} is missing, expected a network with a head.")
    return network.kernels[kernel].shape[-1]


def dequantized(network: IntegerNetwork) -> dict[str, np.ndarray]:
    """Returns the kernels as float32, kernel times scale, by the same names."""
    return {name: kernel * network.scales[name] for name, kernel in network.kernels.items()}


def digest(network: IntegerNetwork) -> str:
    """Returns the SHA-256, in hex, of all names, dtypes, shapes and values; not of metadata."""
    return files.digest(dict(named_tensors(network)))


def save(network: IntegerNetwork, path: pathlib.Path) -> None:
    """Writes the network to one .safetensors file, which appears whole or not at all."""
    files.write_tensors(path, dict(named_tensors(network)), metadata=network.metadata)


def load(path: pathlib.Path) -> IntegerNetwork:
    """Reads what `save` wrote.

    Raises:
      ValueError: naming the file, if it is damaged or holds something else.
    """
    tensors, metadata = files.read_tensors(path)
    groups = {group: {} for group in _GROUPS}
    for name, tensor in tensors.items():
        group, _, rest = name.partition("/")
        if group not in groups:
            raise ValueError(
                f"{path} holds {name!r}, expected names that start with {sorted(groups)}: "
                "it is no integer network."
            )
        groups[group][rest] = tensor
    try:
        return IntegerNetwork(**groups, metadata=metadata)
    except ValueError as error:
        raise ValueError(f"{path} is no integer network: {error}") from error


def named_tensors(network: IntegerNetwork) -> Iterator[tuple[str, np.ndarray]]:
    """Yields `group/name` and tensor, sorted by group and name."""
    for group in sorted(_GROUPS):
        for name, tensor in sorted(getattr(network, group).items()):
            yield f"{group}/{name}", tensor


def _check_kernel(name: str, kernel: np.ndarray, scale: np.ndarray) -> None:
    """Raises ValueError unless scale and values fit an int8 kernel of a layer."""
    expected = () if kernel.ndim == 2 else kernel.shape[-1:]
    if kernel.ndim not in (2, 4) or scale.shape != expected:
        raise ValueError(
            f"{name} has shape {kernel.shape} and scale {scale.shape}, "
            "expected 4 dimensions and one scale per channel, or 2 dimensions and one scale."
        )
    if kernel.size and kernel.min() < -127:
        raise ValueError(f"{name} holds {kernel.min()}, expected values in [-127, 127].")
