"""One width for the heads of different networks, so that they share a model.

Networks of a run differ in their number of classes, and so in the shape of `fc/kernel`
`[features, classes]` and `fc/bias` `[classes]`. Zeros fill a head up: they add logits that nobody
reads, and change neither the others nor the kernel's quantization range.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from ss_tf.models.integer_network import IntegerNetwork

HEAD_TENSORS = ("fc/kernel", "fc/bias")


def resize(tensors: Mapping[str, np.ndarray], num_classes: int) -> dict[str, np.ndarray]:
    """Returns the tensors with the head cut or zero-filled to `num_classes`; others are shared."""
    resized = dict(tensors)
    for name in HEAD_TENSORS:
        if name in resized:
            kept = resized[name][..., :num_classes]
            missing = num_classes - kept.shape[-1]
            resized[name] = np.pad(kept, [(0, 0)] * (kept.ndim - 1) + [(0, missing)])
    return resized


def resize_network(network: IntegerNetwork, num_classes: int) -> IntegerNetwork:
    """Returns the network with its head cut or zero-filled to `num_classes`."""
    return dataclasses.replace(
        network,
        kernels=resize(network.kernels, num_classes),
        floats=resize(network.floats, num_classes),
    )


def select(tensors: Mapping[str, np.ndarray], classes: list[int]) -> dict[str, np.ndarray]:
    """Returns the tensors with only these classes' columns left in the head, in this order."""
    return {
        name: value[..., classes] if name in HEAD_TENSORS else value
        for name, value in tensors.items()
    }
