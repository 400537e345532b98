"""Sizes of stored sub networks, and what they compare with: entropy, the paper's float delta.

`python -m ss_tf.deltas.sizes BANK` prints those of a bank (`sizes_command.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ss_tf.deltas import codecs, layout, residual
from ss_tf.models import integer_network
from ss_tf.models.integer_network import IntegerNetwork


def size_ratio(compressed_bytes: float, original_bytes: float) -> float:
    """Returns compressed / original; below 1 is smaller.

    Raises:
      ValueError: if the original is empty.
    """
    if original_bytes <= 0:
        raise ValueError(f"The original has {original_bytes} bytes, expected at least 1.")
    return compressed_bytes / original_bytes


def entropy_bytes(values: np.ndarray) -> float:
    """Returns the order-0 entropy of int8 values: the least that a coder of single values needs.

    Args:
      values: int8, any shape.

    Returns:
      Bytes: sum over values of -log2(share of the value) / 8. The histogram is not counted.

    Raises:
      ValueError: if the values are not int8.
    """
    if values.dtype != np.int8:
        raise ValueError(f"Values are {values.dtype}, expected int8.")
    counts = np.bincount(values.reshape(-1).view(np.uint8), minlength=1)
    counts = counts[counts > 0]
    return float(np.sum(counts * np.log2(values.size / counts))) / 8


def residual_entropy_bytes(base: IntegerNetwork, sub: IntegerNetwork) -> float:
    """Returns the order-0 entropy in bytes of the residuals that a bank entry holds.

    It is the sum over the kernels, but for the head's: each has its own histogram, as it has its
    own step. What an entry stores as it is, and its header, are not counted.

    Raises:
      ValueError: if the networks do not match; the message names the tensor.
    """
    deltas = residual.compute_delta(layout.body_kernels(base), layout.body_kernels(sub))
    return float(sum(map(entropy_bytes, deltas.values())))


def fp16_7z_bytes(base: Mapping[str, np.ndarray], sub: Mapping[str, np.ndarray]) -> int:
    """Returns the size of the paper's float delta: sub minus base in fp16, as one 7z archive.

    Args:
      base: tensor name -> float32 weights. Not modified.
      sub: the same names; the same shapes but for the head.

    Returns:
      Bytes of the archive, which holds all differences in order of their names, and the head,
      whose shape depends on the number of classes, as it is in fp16.

    Raises:
      ValueError: naming the tensor, if one is missing from either side or differs in shape.

    Form of Wen et al., arXiv 2201.08098, efficient super-sub networks. It is measured for
    comparison: fp16 rounds, so this delta does not restore the sub network exactly.
    """
    for name in sorted(base.keys() ^ sub.keys()):
        where = "base" if name in sub else "sub network"
        raise ValueError(f"{name!r} is missing from the {where}.")
    halves = []
    for name in sorted(sub):
        if integer_network.is_head(name):
            difference = sub[name]
        elif sub[name].shape == base[name].shape:
            difference = sub[name] - base[name]
        else:
            raise ValueError(
                f"{name!r} has shape {sub[name].shape}, expected the base's {base[name].shape}."
            )
        halves.append(difference.astype("<f2").tobytes())
    return len(codecs.encode("7z", b"".join(halves)))


if __name__ == "__main__":
    from ss_tf.deltas import sizes_command  # Here, because it needs this module.

    sizes_command.main()
