"""Entry: a sub network as a compressed delta to the base.

It holds what the base does not tell: residuals of all kernels but the head's, and as they are the
head, all floats (batch norm, biases, activation ranges) and the scales that differ.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping

import numpy as np

from ss_tf.deltas import codecs, residual
from ss_tf.models import heads, integer_network
from ss_tf.models.integer_network import IntegerNetwork

_DTYPES = {"floats": np.dtype("<f4"), "kernels": np.dtype("i1"), "scales": np.dtype("<f4")}
_HEAD_KERNEL = f"{integer_network.HEAD}/kernel"
# Bounds the memory that a forged entry can ask for; no classification task is near it.
_MOST_CLASSES = 1 << 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """A sub network as stored.

    Attributes:
      superclass_name: whose sub network it is.
      codec: name of the codec of both payloads.
      base_digest: digest of the base that the residuals are relative to.
      network_digest: digest of the sub network.
      num_classes: width of its head.
      own_scales: kernels whose scale is not the base's, sorted.
      network_metadata: the sub network's metadata.
      residuals: payload; int8 values, one kernel after another in order of their names.
      whole: payload; the other tensors, in order of `group/name`.
    """

    superclass_name: str
    codec: str
    base_digest: str
    network_digest: str
    num_classes: int
    own_scales: list[str]
    network_metadata: dict[str, str]
    residuals: bytes
    whole: bytes


def pack(superclass_name: str, *, base: IntegerNetwork, sub: IntegerNetwork, codec: str) -> Entry:
    """Compresses a sub network.

    Raises:
      ValueError: if the codec is unknown, or the networks differ in more than values and the width
        of the head; the message names the tensor.
    """
    _check_same_names(base, sub)
    num_classes = sub.kernels[_HEAD_KERNEL].shape[-1]
    own_scales = [
        name
        for name, scale in sorted(sub.scales.items())
        if scale.tobytes() != base.scales[name].tobytes()
    ]
    deltas = residual.compute_delta(body_kernels(base), body_kernels(sub))
    shapes = _shapes_of_whole(base, num_classes=num_classes, own_scales=own_scales)
    whole = {key: tensor for key, tensor in _tensors(sub).items() if key in shapes}
    for key, shape in shapes.items():
        if whole[key].shape != shape:
            raise ValueError(f"{key!r} has shape {whole[key].shape}, expected {shape}.")
    # One stream for all kernels: a Huffman-only stream changes its table every 32 Ki symbols by
    # itself. On 11.17 M residuals of ResNet-18's shapes, drawn with a spread that varies between
    # layers, a stream per kernel saved at most 0.25 %; names and offsets would take 1.8 kB, which
    # is 1 % of a delta with 16 base filters.
    return Entry(
        superclass_name=superclass_name,
        codec=codec,
        base_digest=integer_network.digest(base),
        network_digest=integer_network.digest(sub),
        num_classes=num_classes,
        own_scales=own_scales,
        network_metadata=dict(sub.metadata),
        residuals=_encode(codec, _prefixed("kernels", deltas)),
        whole=_encode(codec, whole),
    )


def unpack(entry: Entry, *, base: IntegerNetwork) -> IntegerNetwork:
    """Restores the sub network, bit for bit.

    Args:
      entry: what `pack` returned.
      base: the network it was given. Not modified; the result shares its scales where it can.

    Raises:
      ValueError: if this is another base, or the entry does not restore the network it was made
        from.
    """
    base_digest = integer_network.digest(base)
    if entry.base_digest != base_digest:
        raise ValueError(
            f"it belongs to the base {entry.base_digest[:16]}, but the base is {base_digest[:16]}."
        )
    body = _prefixed("kernels", body_kernels(base))
    residual_shapes = {key: kernel.shape for key, kernel in body.items()}
    whole_shapes = _shapes_of_whole(
        base, num_classes=entry.num_classes, own_scales=entry.own_scales
    )
    deltas = _decode(entry.codec, entry.residuals, shapes=residual_shapes)
    whole = _decode(entry.codec, entry.whole, shapes=whole_shapes)
    network = _network(
        _tensors(base) | residual.apply_delta(body, deltas) | whole,
        metadata=entry.network_metadata,
    )
    digest = integer_network.digest(network)
    if digest != entry.network_digest:
        raise ValueError(f"it gives network {digest[:16]}, expected {entry.network_digest[:16]}.")
    return network


def body_kernels(network: IntegerNetwork) -> dict[str, np.ndarray]:
    """Returns the kernels that are stored as residuals: all but the head's, whose shape varies."""
    return {
        name: kernel
        for name, kernel in network.kernels.items()
        if not integer_network.is_head(name)
    }


def _check_same_names(base: IntegerNetwork, sub: IntegerNetwork) -> None:
    """Raises ValueError unless the networks have the same tensors, a head among them."""
    base_keys, sub_keys = _tensors(base).keys(), _tensors(sub).keys()
    for key in sorted(base_keys ^ sub_keys):
        where = "base" if key in sub_keys else "sub network"
        raise ValueError(f"{key!r} is missing from the {where}.")
    if _HEAD_KERNEL not in base.kernels:
        raise ValueError(f"{_HEAD_KERNEL!r} is missing, expected networks with a head.")


def _shapes_of_whole(
    base: IntegerNetwork, *, num_classes: int, own_scales: Collection[str]
) -> dict[str, tuple[int, ...]]:
    """Returns `group/name` -> shape of the tensors that are stored as they are."""
    if not 0 < num_classes <= _MOST_CLASSES:
        raise ValueError(f"The head has {num_classes} classes, expected 1..{_MOST_CLASSES}.")
    shapes = {}
    for group, tensors in (("floats", base.floats), ("kernels", base.kernels)):
        for name, tensor in tensors.items():
            if name in heads.HEAD_TENSORS:
                shapes[f"{group}/{name}"] = (*tensor.shape[:-1], num_classes)
            elif group == "floats" or integer_network.is_head(name):
                shapes[f"{group}/{name}"] = tensor.shape
    return shapes | {f"scales/{name}": base.scales[name].shape for name in own_scales}


def _tensors(network: IntegerNetwork) -> dict[str, np.ndarray]:
    """Returns `group/name` -> tensor."""
    tensors = {}
    for group in _DTYPES:
        tensors |= _prefixed(group, getattr(network, group))
    return tensors


def _prefixed(group: str, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{group}/{name}": tensor for name, tensor in tensors.items()}


def _network(tensors: Mapping[str, np.ndarray], *, metadata: Mapping[str, str]) -> IntegerNetwork:
    """Undoes `_tensors`."""
    groups = {group: {} for group in _DTYPES}
    for key, tensor in tensors.items():
        group, _, name = key.partition("/")
        groups[group][name] = tensor
    return IntegerNetwork(**groups, metadata=dict(metadata))


def _encode(codec: str, tensors: Mapping[str, np.ndarray]) -> bytes:
    """Compresses the values of all tensors, in order of their keys."""
    values = [tensors[key].astype(_dtype(key), copy=False).tobytes() for key in sorted(tensors)]
    return codecs.encode(codec, b"".join(values))


def _decode(
    codec: str, payload: bytes, *, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """Undoes `_encode`."""
    sizes = {key: math.prod(shape) * _dtype(key).itemsize for key, shape in shapes.items()}
    data = codecs.decode(codec, payload, size=sum(sizes.values()))
    tensors, start = {}, 0
    for key in sorted(shapes):
        values = np.frombuffer(data[start : start + sizes[key]], _dtype(key))
        tensors[key] = values.reshape(shapes[key]).copy()
        start += sizes[key]
    return tensors


def _dtype(key: str) -> np.dtype:
    return _DTYPES[key.partition("/")[0]]
