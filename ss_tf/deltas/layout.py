"""Which tensors of a sub network an entry stores, and in which form."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from ss_tf.models import heads, integer_network
from ss_tf.models.integer_network import IntegerNetwork

HEAD_KERNEL = f"{integer_network.HEAD}/kernel"
_GROUPS = ("floats", "kernels", "scales")
# Bounds the memory that a forged entry can ask for; no classification task is near it.
_MOST_CLASSES = 1 << 16


def body_kernels(network: IntegerNetwork) -> dict[str, np.ndarray]:
    """Returns the kernels that are stored as residuals: all but the head's, whose shape varies.

    They are in order of their names.
    """
    return {name: kernel for name, kernel in sorted(network.kernels.items()) if name != HEAD_KERNEL}


def float_shapes(
    base: IntegerNetwork, *, num_classes: int, own_scales: Collection[str]
) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of the float tensors that are stored.

    Args:
      base: the network that the entry is relative to.
      num_classes: width of the sub network's head.
      own_scales: kernels whose scale is stored.

    Returns:
      `floats/name` or `scales/name` -> shape.

    Raises:
      ValueError: if the base has no head, or not these kernels, or there are too many classes.
    """
    head_shape(base, num_classes=num_classes)
    shapes = {
        f"floats/{name}": _with_width(name, tensor.shape, num_classes)
        for name, tensor in base.floats.items()
    }
    for name in own_scales:
        if name not in base.scales:
            raise ValueError(f"The scale of {name!r} is stored, but the base has no such kernel.")
        shapes[f"scales/{name}"] = base.scales[name].shape
    return shapes


def head_shape(base: IntegerNetwork, *, num_classes: int) -> tuple[int, ...]:
    """Returns the shape of a head's kernel with that many classes.

    Raises:
      ValueError: if the base has no head, or there are too many classes.
    """
    if HEAD_KERNEL not in base.kernels:
        raise ValueError(f"{HEAD_KERNEL!r} is missing, expected networks with a head.")
    if not 0 < num_classes <= _MOST_CLASSES:
        raise ValueError(f"The head has {num_classes} classes, expected 1..{_MOST_CLASSES}.")
    return _with_width(HEAD_KERNEL, base.kernels[HEAD_KERNEL].shape, num_classes)


def own_scales(base: IntegerNetwork, sub: IntegerNetwork) -> list[str]:
    """Returns the kernels whose scale is not the base's, bit for bit; sorted."""
    return [
        name
        for name, scale in sorted(sub.scales.items())
        if scale.tobytes() != base.scales[name].tobytes()
    ]


def check_match(base: IntegerNetwork, sub: IntegerNetwork) -> None:
    """Checks that a sub network can be stored relative to a base.

    Raises:
      ValueError: naming the tensor, unless both have the same tensors, a head among them, of the
        same shapes but for the head's width.
    """
    base_tensors, sub_tensors = tensors_of(base), tensors_of(sub)
    for key in sorted(base_tensors.keys() ^ sub_tensors.keys()):
        where = "base" if key in sub_tensors else "sub network"
        raise ValueError(f"{key!r} is missing from the {where}.")
    num_classes = sub.kernels[HEAD_KERNEL].shape[-1] if HEAD_KERNEL in sub.kernels else 1
    head_shape(base, num_classes=num_classes)
    for key, tensor in sorted(base_tensors.items()):
        expected = _with_width(key.partition("/")[2], tensor.shape, num_classes)
        if sub_tensors[key].shape != expected:
            raise ValueError(
                f"{key!r} has shape {sub_tensors[key].shape}, expected the base's {expected}."
            )


def tensors_of(network: IntegerNetwork) -> dict[str, np.ndarray]:
    """Returns `group/name` -> tensor; the groups are kernels, scales and floats."""
    return {
        f"{group}/{name}": tensor
        for group in _GROUPS
        for name, tensor in getattr(network, group).items()
    }


def network_of(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> IntegerNetwork:
    """Undoes `tensors_of`."""
    groups = {group: {} for group in _GROUPS}
    for key, tensor in tensors.items():
        group, _, name = key.partition("/")
        groups[group][name] = tensor
    return IntegerNetwork(**groups, metadata=dict(metadata))


def _with_width(name: str, shape: tuple[int, ...], num_classes: int) -> tuple[int, ...]:
    """Returns the shape of a base's tensor in a network with that many classes."""
    # A head's scale has the kernel's name, but one value for all classes.
    return (*shape[:-1], num_classes) if name in heads.HEAD_TENSORS and shape else shape
