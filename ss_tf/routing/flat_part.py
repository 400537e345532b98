"""FlatPart: the tensors of a part of a network as two vectors, one of int8 and one of float32.

A delta is then added to all kernels at once, and a graph has one variable where it would have a
hundred.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ss_tf.models import integer_network
from ss_tf.models.integer_network import IntegerNetwork

# TensorFlow takes a slice of a vector without a copy where it begins at a multiple of 64 bytes.
_ALIGNMENT = 64


class _Place(NamedTuple):
    """Where in a vector a tensor is."""

    start: int
    shape: tuple[int, ...]

    @property
    def end(self) -> int:
        return self.start + math.prod(self.shape)


class FlatPart:
    """Which weights of a network make up a part of it, and where they are in its vectors.

    The head's kernel and bias are left out: their shape varies. The scale of its kernel is in.

    Attributes:
      num_kernel_values: length of the int8 vector.
      kernel_sizes: how much of it each kernel takes, with the gap behind it: multiples of 64.
      num_floats: length of the float32 vector.
      num_bytes: of both vectors.
    """

    def __init__(self, weights: Iterable[str], like: IntegerNetwork):
        """Lays out the vectors.

        Args:
          weights: names of the part's weights.
          like: network that has them; others of the same shapes can be laid out likewise.
        """
        names = sorted(weights)
        body = [name for name in names if name not in _HEAD_SHAPED]
        kernels = [name for name in body if name in like.kernels]
        self._kernels, self.num_kernel_values = _places(
            {name: like.kernels[name].shape for name in kernels}, alignment=_ALIGNMENT
        )
        ends = [*(place.start for place in self._kernels.values()), self.num_kernel_values]
        self.kernel_sizes = tuple(end - start for start, end in itertools.pairwise(ends))
        scaled = [name for name in names if name in like.kernels]
        self._scales, num_scales = _places({name: like.scales[name].shape for name in scaled})
        floats = {name: like.floats[name].shape for name in body if name not in like.kernels}
        self._floats, self.num_floats = _places(floats, start=num_scales)
        self.num_bytes = self.num_kernel_values + 4 * self.num_floats

    def kernel_vector(self, network: IntegerNetwork) -> np.ndarray:
        """Returns the kernels of a network, int8 `[num_kernel_values]`; zeros fill the gaps."""
        vector = np.zeros(self.num_kernel_values, np.int8)
        for name, place in self._kernels.items():
            vector[place.start : place.end] = network.kernels[name].ravel()
        return vector

    def float_vector(self, network: IntegerNetwork) -> np.ndarray:
        """Returns scales and floats of a network, float32 `[num_floats]`."""
        vector = np.zeros(self.num_floats, np.float32)
        for places, tensors in ((self._scales, network.scales), (self._floats, network.floats)):
            for name, place in places.items():
                vector[place.start : place.end] = tensors[name].ravel()
        return vector

    def weights(self, kernel_vector: tf.Tensor, float_vector: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the weights by name, kernels dequantized; all but the head's kernel and bias."""
        kernels = {
            name: _cut(kernel_vector, place, dtype=tf.float32)
            * _cut(float_vector, self._scales[name])
            for name, place in self._kernels.items()
        }
        return kernels | {name: _cut(float_vector, place) for name, place in self._floats.items()}

    def head_scale(self, float_vector: tf.Tensor) -> tf.Tensor:
        """Returns the scale of the head's kernel."""
        return _cut(float_vector, self._scales[HEAD_KERNEL])


HEAD_KERNEL = f"{integer_network.HEAD}/kernel"
HEAD_BIAS = f"{integer_network.HEAD}/bias"
_HEAD_SHAPED = (HEAD_KERNEL, HEAD_BIAS)


def _places(
    shapes: Mapping[str, tuple[int, ...]], *, start: int = 0, alignment: int = 1
) -> tuple[dict[str, _Place], int]:
    """Returns the places of tensors one after another, and where the last one ends."""
    places = {}
    for name, shape in shapes.items():
        places[name] = _Place(start, shape)
        start += -(-math.prod(shape) // alignment) * alignment
    return places, start


def _cut(vector: tf.Tensor, place: _Place, *, dtype: tf.DType | None = None) -> tf.Tensor:
    tensor = tf.reshape(vector[place.start : place.end], place.shape)
    return tensor if dtype is None else tf.cast(tensor, dtype)
