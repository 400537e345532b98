"""What figures of weights need, read from the files of a run: numpy only, no network is run."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping

import numpy as np

from ss_tf.deltas import bank, layout
from ss_tf.models import integer_network
from ss_tf.models.integer_network import IntegerNetwork

# Every difference of two int8 numbers in [-127, 127].
LARGEST_DELTA = 254
# Of a batch norm layer, in the order in which they are drawn.
_BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    """The same weights in two networks, as images.

    Attributes:
      name: of the layer.
      base: float64 `[rows, columns]`, the weights in the base.
      sub: float64 `[rows, columns]`, those in a sub network.
      row_names: one name per row, or none if rows have no meaning of their own.
    """

    name: str
    base: np.ndarray
    sub: np.ndarray
    row_names: tuple[str, ...] = ()

    @property
    def difference(self) -> np.ndarray:
        """Sub minus base."""
        return self.sub - self.base


@dataclasses.dataclass(frozen=True, eq=False)
class Weights:
    """What a run's base and bank show.

    Attributes:
      superclass: whose sub network `convolution` and `batch_norm` show: the one with most classes.
      convolution: a layer in quantization steps, as `filters` lays it out.
      batch_norm: the batch norm layer after it; one row per variable, one column per channel, each
        row divided by its largest magnitude in either network.
      delta_counts: superclass -> int64 `[509]`, how many weights differ by -254..254 steps from the
        base; all kernels but the head's.
    """

    superclass: str
    convolution: Layer
    batch_norm: Layer
    delta_counts: Mapping[str, np.ndarray]


def read(base_file: pathlib.Path, bank_dir: pathlib.Path) -> Weights | None:
    """Reads the base and the whole bank of a run.

    Args:
      base_file: `int8.safetensors` of the base.
      bank_dir: folder of the bank.

    Returns:
      None if there is no base or no entry.

    Raises:
      ValueError: naming the file, if one is damaged or does not belong to the base.
    """
    names = bank.names(bank_dir)
    if not base_file.is_file() or not names:
        return None
    base = integer_network.load(base_file)
    widest: tuple[str, IntegerNetwork] | None = None
    counts = {}
    for name in names:
        sub = bank.read_entry(bank_dir, name, base=base)
        counts[name] = count_deltas(base, sub)
        if widest is None or _num_classes(sub) > _num_classes(widest[1]):
            widest = name, sub
    convolution = convolution_name(base)
    return Weights(
        superclass=widest[0],
        convolution=_convolution(convolution, base, widest[1]),
        batch_norm=_batch_norm(convolution.replace("conv", "bn"), base, widest[1]),
        delta_counts=counts,
    )


def count_deltas(base: IntegerNetwork, sub: IntegerNetwork) -> np.ndarray:
    """Counts by how many quantization steps the weights of a sub network differ from the base.

    Returns:
      int64 `[509]`: weights with a difference of -254..254. All kernels but the head's count.
    """
    counts = np.zeros(2 * LARGEST_DELTA + 1, np.int64)
    sub_kernels = layout.body_kernels(sub)
    for name, kernel in layout.body_kernels(base).items():
        # As it is, not modulo 256.
        delta = sub_kernels[name].astype(np.int16) - kernel
        counts += np.bincount(delta.ravel() + LARGEST_DELTA, minlength=len(counts))
    return counts


def convolution_name(network: IntegerNetwork) -> str:
    """Returns the name of the layer to show: the first with filters of more than one pixel.

    The stem is left out, as long as there is another: it has no more input channels than images.

    Raises:
      ValueError: if there is no convolution.
    """
    kernels = layout.body_kernels(network)
    wide = [name for name, kernel in kernels.items() if kernel.ndim == 4 and kernel.shape[0] > 1]
    if not wide:
        raise ValueError(f"The kernels are {sorted(kernels)}, expected a convolution among them.")
    inner = [name for name in wide if kernels[name].shape[2] > 4]
    return (inner or wide)[0].removesuffix("/kernel")


def filters(kernel: np.ndarray) -> np.ndarray:
    """Lays the filters of a convolution out as one image.

    Args:
      kernel: `[height, width, in_channels, out_channels]`.

    Returns:
      float64 `[in_channels * height, out_channels * width]`: one filter plane for each pair of an
      input channel (down) and an output channel (across).
    """
    height, width, inputs, outputs = kernel.shape
    planes = kernel.transpose(2, 0, 3, 1).astype(np.float64)
    return planes.reshape(inputs * height, outputs * width)


def _convolution(name: str, base: IntegerNetwork, sub: IntegerNetwork) -> Layer:
    """Returns a convolution of both networks."""
    kernel = f"{name}/kernel"
    return Layer(name, filters(base.kernels[kernel]), filters(sub.kernels[kernel]))


def _batch_norm(name: str, base: IntegerNetwork, sub: IntegerNetwork) -> Layer:
    """Returns a batch norm layer of both networks, each row relative to its largest value."""
    found = [variable for variable in _BATCH_NORM if f"{name}/{variable}" in base.floats]
    rows = [
        np.stack([network.floats[f"{name}/{variable}"] for variable in found]).astype(np.float64)
        for network in (base, sub)
    ]
    largest = np.maximum(*(np.abs(row).max(axis=1, keepdims=True) for row in rows))
    scale = np.where(largest > 0, largest, 1.0)
    return Layer(name, rows[0] / scale, rows[1] / scale, row_names=tuple(found))


def _num_classes(network: IntegerNetwork) -> int:
    return integer_network.num_classes(network)
