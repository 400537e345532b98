"""Exact int8 differences between two networks. Pure functions of numpy arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def compute_delta(
    base: Mapping[str, np.ndarray], sub: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Subtracts the base's kernels from a sub network's, modulo 256.

    The subtraction wraps, so no bit is lost and `apply_delta(base, delta)` restores the sub
    network exactly. Weights that fine-tuning did not move become zeros, which is what makes the
    delta compressible.

    Args:
      base: tensor name -> int8 kernel of any shape. Not modified.
      sub: the same names and shapes as `base`. The delta is exact whatever the scales are; it is
        small only if both networks are quantized with the same ones.

    Returns:
      tensor name -> int8 delta of the tensor's own shape, in quantization steps modulo 256. The
      arrays are new.

    Raises:
      ValueError: if a tensor is missing from either side, is not int8, or differs in shape. The
        message names the tensor.
    """
    _check_matching(base, sub, "sub network")
    return {name: np.asarray(np.subtract(sub[name], base[name])) for name in sorted(base)}


def apply_delta(
    base: Mapping[str, np.ndarray], delta: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Adds a delta to the base's kernels, modulo 256: undoes `compute_delta`.

    Args:
      base: tensor name -> int8 kernel, as it was given to `compute_delta`. Not modified.
      delta: what `compute_delta` returned.

    Returns:
      tensor name -> int8 kernel of the sub network. The arrays are new.

    Raises:
      ValueError: as `compute_delta`.
    """
    _check_matching(base, delta, "delta")
    return {name: np.asarray(np.add(base[name], delta[name])) for name in sorted(base)}


def _check_matching(
    base: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], other_is: str
) -> None:
    """Raises ValueError unless both hold int8 tensors of the same names and shapes."""
    for name in sorted(base.keys() ^ other.keys()):
        where, there = (other_is, "base") if name in base else ("base", other_is)
        raise ValueError(f"Tensor {name!r} of the {there} is missing from the {where}.")
    for name in sorted(base):
        for owner, tensor in (("base", base[name]), (other_is, other[name])):
            if tensor.dtype != np.int8:
                raise ValueError(f"{name!r} of the {owner} is {tensor.dtype}, expected int8.")
        if base[name].shape != other[name].shape:
            raise ValueError(
                f"{name!r} of the {other_is} has shape {other[name].shape}, "
                f"expected the base's {base[name].shape}."
            )
