"""Entry: a sub network as a compressed delta to the base.

It holds what the base does not tell: residuals of all kernels but the head's, the head, all floats
(batch norm, biases, activation ranges) and the scales that differ.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ss_tf.deltas import float_planes, kernel_order, layout, packing, pools, residual, symbols
from ss_tf.models import integer_network
from ss_tf.models.integer_network import IntegerNetwork

# The rule, and what takes over where it is smaller. TensorFlow's own operations decode both.
DEFAULT_CODECS = ("zlib-huffman", "zlib-9")
# A kernel that has to be transposed takes twice as long to decode, so it has to pay.
_WORTH_AN_ORDER = 0.95


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """A sub network as stored. A tree describes a sequence of bytes; see `ss_tf.deltas.symbols`.

    Attributes:
      superclass: whose sub network it is.
      base: digest of the base that the residuals are relative to.
      network: digest of the sub network.
      metadata: the sub network's.
      num_classes: width of its head.
      own_scales: kernels whose scale is not the base's, sorted.
      kernels: for each kernel but the head's, in order of their names: the tree of the levels of
        its output channels, or None if they are not sorted, and the tree of its residuals.
      head: tree of the head's kernel.
      forms: of each kind of floats, see `ss_tf.deltas.float_planes`.
      planes: tree of each plane of floats.
      pools: codec -> stream, in order of the numbers in the trees.
    """

    superclass: str
    base: str
    network: str
    metadata: dict[str, str]
    num_classes: int
    own_scales: list[str]
    kernels: list[tuple[symbols.Tree | None, symbols.Tree]]
    head: symbols.Tree
    forms: list[float_planes.Form]
    planes: list[symbols.Tree]
    pools: dict[str, bytes]


def pack(
    superclass: str,
    *,
    base: IntegerNetwork,
    sub: IntegerNetwork,
    codec_names: Sequence[str] = DEFAULT_CODECS,
) -> Entry:
    """Compresses a sub network.

    Args:
      superclass: its name.
      base: the network that will be resident when the entry is unpacked.
      sub: the same tensors as `base`, of the same shapes but for the head's width.
      codec_names: keys of `codecs.CODECS`: the rule, and others for what they make smaller.

    Raises:
      ValueError: if a codec is unknown or not installed, or the networks differ in more than values
        and the width of the head; the message names the tensor.
    """
    layout.check_match(base, sub)
    own_scales = layout.own_scales(base, sub)
    encode = functools.partial(packing.encode, is_packed=codec_names[0] != "range")
    deltas = residual.compute_delta(layout.body_kernels(base), layout.body_kernels(sub))
    kernels = [_encode_kernel(kernel, encode) for _, kernel in sorted(deltas.items())]
    tensors = layout.tensors_of(sub)
    floats = {key: tensors[key] for key in tensors if key.startswith("floats/")}
    floats |= {f"scales/{name}": sub.scales[name] for name in own_scales}
    forms, planes = float_planes.split(floats, layout.tensors_of(base))
    others = [sub.kernels[layout.HEAD_KERNEL].ravel(), *planes]
    sequences = [*itertools.chain(*kernels), *map(encode, others)]
    trees, streams = pools.fill(sequences, codec_names)
    numbered = iter(trees)
    return Entry(
        superclass=superclass,
        base=integer_network.digest(base),
        network=integer_network.digest(sub),
        metadata=dict(sub.metadata),
        num_classes=sub.kernels[layout.HEAD_KERNEL].shape[-1],
        own_scales=own_scales,
        kernels=[
            (next(numbered) if len(parts) == 2 else None, next(numbered)) for parts in kernels
        ],
        head=next(numbered),
        forms=forms,
        planes=list(numbered),
        pools=streams,
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
    if entry.base != base_digest:
        raise ValueError(
            f"it belongs to the base {entry.base[:16]}, but the base is {base_digest[:16]}."
        )
    network = restore(entry, base=base)
    digest = integer_network.digest(network)
    if digest != entry.network:
        raise ValueError(f"it gives network {digest[:16]}, expected {entry.network[:16]}.")
    return network


def restore(entry: Entry, *, base: IntegerNetwork) -> IntegerNetwork:
    """Does the work of `unpack`, without its checks of both digests.

    Raises:
      ValueError: if the entry does not fit the base's shapes, or is damaged; some damage goes
        unseen.
    """
    described = list(sequences(entry, base=base))
    trees, lengths = [tree for _, tree, _ in described], [length for _, _, length in described]
    values = pools.empty(entry.pools, trees, lengths=lengths)
    kernels = {}
    for (name, kernel), (levels, _) in zip(
        layout.body_kernels(base).items(), entry.kernels, strict=True
    ):
        levels = None if levels is None else next(values)
        delta = _kernel_of(next(values).view(np.int8), levels, kernel.shape)
        kernels |= residual.apply_delta({name: kernel}, {name: delta})
    head_shape = layout.head_shape(base, num_classes=entry.num_classes)
    kernels[layout.HEAD_KERNEL] = next(values).view(np.int8).reshape(head_shape).copy()
    shapes = _float_shapes(entry, base)
    base_tensors = layout.tensors_of(base)
    floats = float_planes.join(list(values), entry.forms, shapes=shapes, base=base_tensors)
    restored = {f"kernels/{name}": kernel for name, kernel in kernels.items()} | floats
    return layout.network_of(base_tensors | restored, entry.metadata)


def sequences(entry: Entry, *, base: IntegerNetwork) -> Iterator[tuple[str, symbols.Tree, int]]:
    """Yields what an entry holds, in order: a name, the tree and the bytes of each sequence.

    Names are those of kernels; the levels of a kernel's channels have the suffix ":levels", and
    planes of floats are "floats:0" to "floats:3".

    Raises:
      ValueError: if the entry does not fit the base.
    """
    body = layout.body_kernels(base)
    if len(entry.kernels) != len(body):
        raise ValueError(f"it holds {len(entry.kernels)} kernels, expected {len(body)}.")
    for (name, kernel), (levels, tree) in zip(body.items(), entry.kernels, strict=True):
        if levels is not None:
            yield f"{name}:levels", levels, kernel.shape[-1]
        yield name, tree, kernel.size
    head_shape = layout.head_shape(base, num_classes=entry.num_classes)
    yield layout.HEAD_KERNEL, entry.head, math.prod(head_shape)
    shapes = _float_shapes(entry, base)
    if len(entry.forms) != len(float_planes.by_kind(shapes)):
        raise ValueError(f"it holds floats of {len(entry.forms)} kinds, expected the base's.")
    sizes = float_planes.plane_sizes(shapes, entry.forms)
    for number, (tree, size) in enumerate(zip(entry.planes, sizes, strict=True)):
        yield f"floats:{number}", tree, size


def _encode_kernel(
    residuals: np.ndarray, encode: Callable[[np.ndarray], packing.Encoded]
) -> list[packing.Encoded]:
    """Returns the residuals as they are or, if it is smaller, levels and residuals by channel."""
    plain = encode(residuals.ravel())
    if residuals.ndim != 4 or not residuals.size or not plain.leaves:
        return [plain]
    levels = kernel_order.channel_levels(residuals)
    by_channel = [
        encode(levels),
        encode(kernel_order.by_channel(residuals, levels)),
    ]
    is_worth_it = sum(part.cost for part in by_channel) < _WORTH_AN_ORDER * plain.cost
    return by_channel if is_worth_it else [plain]


def _kernel_of(values: np.ndarray, levels: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """Undoes the order of `_encode_kernel`."""
    if levels is None:
        return values.reshape(shape)
    return kernel_order.undo_by_channel(values, levels, shape=shape)


def _float_shapes(entry: Entry, base: IntegerNetwork) -> dict[str, tuple[int, ...]]:
    return layout.float_shapes(base, num_classes=entry.num_classes, own_scales=entry.own_scales)
