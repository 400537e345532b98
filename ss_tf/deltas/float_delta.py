"""Float deltas: networks that were trained without quantization, stored as a few bits a weight.

Kernels are stored as int8 multiples of a step per output channel. What makes few bits enough, each
measured by the errors of logits at equal size (typefaces, ten float sub networks of 0.7 M weights):

* Steps grow with the square root of a kernel's size. The relative error of each layer's output
  counts about alike, but a large kernel has more weights to save bits on. Errors divided by three.
* Errors cancel within each plane of a filter, so that what its inputs have in common, their mean
  above all, is hardly disturbed; the idea is that of SQuant (arXiv 2202.07471). Rounding each
  weight for itself is nearer to each weight, and further from the network. Divided by three again.
* Steps follow the spread of the sub network's channel; that of the delta's needs 10 % more bytes,
  that of the base's as many. Steps that are powers of two take no more than others.

Batch norm, biases and the head are stored as they are: they take 1 % of a network, their ranges
are beyond fp16, and the head has no counterpart in the base.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping

import numpy as np

from ss_tf.models import heads, integer_network

# Rounding to whole steps may add one to it, and int8 ends at 127.
_LARGEST = 126
# Powers of two that are normal float32 numbers.
_SMALLEST_EXPONENT, _LARGEST_EXPONENT = -126, 127


@dataclasses.dataclass(frozen=True, eq=False)
class FloatDelta:
    """A float network relative to another.

    Attributes:
      steps: kernel -> int8 `[height, width, in_channels, out_channels]`: sub minus base in steps.
      exponents: the same names -> int8 `[out_channels]`: a step is 2 ** exponent.
      exact: every other tensor of the sub network, float32.
    """

    steps: dict[str, np.ndarray]
    exponents: dict[str, np.ndarray]
    exact: dict[str, np.ndarray]


def quantize(
    base: Mapping[str, np.ndarray], sub: Mapping[str, np.ndarray], *, relative_step: float
) -> FloatDelta:
    """Rounds the difference between two networks.

    The step of a channel is the largest power of two that is at most `relative_step` times the
    standard deviation of its weights in `sub`, times the square root of its kernel's share of the
    largest kernel's size; or the smallest power of two that 126 steps of reach the largest
    difference, if that is larger. For each weight and the result of `restore`,

        |restored - sub| <= step * (1 + 2 ** -30) + 2 ** -24 * |restored| + 2 ** -150

    and the errors of a plane `[height, width]` sum up to half a step, but for the same rounding of
    float32 numbers (the last two terms).

    Args:
      base: tensor name -> finite float32 weights. Not modified.
      sub: the same names; the same shapes but for the head's number of classes.
      relative_step: above 0; larger is smaller and less exact.

    Raises:
      ValueError: naming the tensor, if one is missing from either side, is not float32, differs in
        shape, or holds a value that is not finite; or if `relative_step` is not a positive number.
    """
    if not 0 < relative_step < math.inf:
        raise ValueError(f"relative_step is {relative_step}, expected a positive number.")
    _check(base, sub)
    kernels = kernel_names(base)
    largest_size = max((base[name].size for name in kernels), default=0)
    steps, exponents = {}, {}
    for name in kernels:
        # Exact but for one part in 2 ** 53, and without overflow.
        kernel = sub[name].astype(np.float64)
        difference = kernel - base[name]
        share = math.sqrt(kernel.size / largest_size) if kernel.size else 0
        exponents[name] = _exponents(kernel, difference, relative_step=relative_step * share)
        steps[name] = _round_planes(np.ldexp(difference, -exponents[name].astype(np.int32)))
    exact = {name: tensor for name, tensor in sub.items() if name not in steps}
    return FloatDelta(steps, exponents, exact)


def restore(base: Mapping[str, np.ndarray], delta: FloatDelta) -> dict[str, np.ndarray]:
    """Returns the sub network: float32 weights by name, within the error that `quantize` states.

    Steps times their number are exact, and sums are rounded as IEEE 754 says, so the result is the
    same on every machine. Kernels are new arrays, others are shared with the delta.

    Raises:
      ValueError: naming the tensor, if the delta is not one to a network of these shapes.
    """
    _check_names(base, [*delta.steps, *delta.exact], of="delta")
    restored = dict(delta.exact)
    limit = np.finfo(np.float32).max
    for name, steps in delta.steps.items():
        if steps.shape != base[name].shape:
            raise ValueError(
                f"{name!r} has shape {steps.shape}, expected the base's {base[name].shape}."
            )
        change = np.ldexp(steps.astype(np.float64), delta.exponents[name].astype(np.int32))
        # A rounded step may lead beyond the largest number, by less than its error.
        restored[name] = np.clip(base[name] + change, -limit, limit).astype(np.float32)
    return restored


def kernel_names(network: Mapping[str, np.ndarray]) -> list[str]:
    """Returns the names of the kernels that are stored in steps, sorted: all but the head's."""
    return [
        name
        for name, tensor in sorted(network.items())
        if tensor.ndim == 4 and not integer_network.is_head(name)
    ]


def _exponents(kernel: np.ndarray, difference: np.ndarray, *, relative_step: float) -> np.ndarray:
    """Returns the exponent of each channel's step, int8 `[out_channels]`."""
    if not kernel.size:
        return np.zeros(kernel.shape[-1], np.int8)
    axes = tuple(range(kernel.ndim - 1))
    wanted = np.minimum(relative_step * kernel.std(axes), 2.0**_LARGEST_EXPONENT)
    needed = np.abs(difference).max(axes) / _LARGEST
    smallest = 2.0**_SMALLEST_EXPONENT
    # x is mantissa * 2 ** exponent, with a mantissa in [0.5, 1).
    floor = np.frexp(np.maximum(wanted, smallest))[1] - 1
    mantissa, exponent = np.frexp(np.maximum(needed, smallest))
    return np.maximum(floor, exponent - (mantissa == 0.5)).astype(np.int8)


def _round_planes(steps: np.ndarray) -> np.ndarray:
    """Rounds to whole numbers whose sums along a plane are the rounded sums.

    Args:
      steps: float64 `[height, width, in_channels, out_channels]`, in [-126, 126].

    Returns:
      int8 of the same shape; each value is off by at most 1.
    """
    height, width, *channels = steps.shape
    sums = np.cumsum(steps.reshape(height * width, *channels), axis=0)
    rounded = np.diff(np.rint(sums), axis=0, prepend=0)
    return rounded.reshape(steps.shape).astype(np.int8)


def _check(base: Mapping[str, np.ndarray], sub: Mapping[str, np.ndarray]) -> None:
    """Raises ValueError unless these are float networks that differ in values and classes only."""
    _check_names(base, sub, of="sub network")
    for name in sorted(base):
        for tensor, owner in ((base[name], "base"), (sub[name], "sub network")):
            if tensor.dtype != np.float32:
                raise ValueError(f"{name!r} of the {owner} is {tensor.dtype}, expected float32.")
            if not np.isfinite(tensor).all():
                odd = tensor[~np.isfinite(tensor)].flat[0]
                raise ValueError(f"{name!r} of the {owner} holds {odd}, expected finite numbers.")
        free = name in heads.HEAD_TENSORS
        shapes = [tensor.shape[: tensor.ndim - free] for tensor in (sub[name], base[name])]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"{name!r} has shape {sub[name].shape}, expected the base's {base[name].shape}"
                f"{' but for the number of classes' if free else ''}."
            )
    classes = {name: sub[name].shape[-1] for name in heads.HEAD_TENSORS if name in sub}
    if len(set(classes.values())) > 1:
        raise ValueError(f"The head's tensors have {classes} classes, expected one number.")


def _check_names(base: Mapping[str, np.ndarray], names: Collection[str], *, of: str) -> None:
    for name in sorted(base.keys() ^ set(names)):
        where, there = (of, "base") if name in base else ("base", of)
        raise ValueError(f"{name!r} of the {there} is missing from the {where}.")
