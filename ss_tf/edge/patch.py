"""Recreates a sub network's .tflite file, byte for byte, from the base's and a delta."""

from __future__ import annotations

import concurrent.futures
import functools
import hashlib

import numpy as np

from ss_tf.edge import delta_layout
from ss_tf.edge.delta_layout import Group, GroupHeader


def apply(
    base: bytes, delta: bytes, *, base_sha256: bytes | None = None, num_threads: int = 1
) -> bytes:
    """Returns the network that a delta was made of.

    Args:
      base: .tflite file that the delta is relative to. Not modified.
      delta: delta file; may come from anywhere.
      base_sha256: digest of `base` where it is known, which spares computing it.
      num_threads: that inflate and add parts of the delta side by side.

    Raises:
      ValueError: if the delta is damaged, of a newer version or of another base, or the result
        does not have the digest that it should. No partly patched network is ever returned.
    """
    header = delta_layout.read(delta)
    digest = hashlib.sha256(base).digest() if base_sha256 is None else base_sha256
    if header.base_sha256 != digest or header.network_bytes != len(base):
        raise ValueError(
            f"The delta is of the base {header.base_sha256.hex()[:16]} of {header.network_bytes} "
            f"bytes, expected {digest.hex()[:16]} of {len(base)} bytes: it is of another bundle."
        )
    result = np.frombuffer(base, np.uint8).copy()
    add = functools.partial(_add_group, result)
    if num_threads > 1 and len(header.groups) > 1:
        with concurrent.futures.ThreadPoolExecutor(num_threads) as threads:
            list(threads.map(add, header.groups))
    else:
        for group in header.groups:
            add(group)
    restored = result.tobytes()
    if hashlib.sha256(restored).digest() != header.result_sha256:
        raise ValueError("The delta is damaged: the network it gives has another SHA-256.")
    return restored


def result_sha256(delta: bytes) -> bytes:
    """Returns the digest of the network that `apply` gives.

    Raises:
      ValueError: if the delta's header is damaged.
    """
    return delta_layout.read(delta).result_sha256


def _add_group(network: np.ndarray, header: GroupHeader) -> None:
    """Adds the differences of a group to the bytes of a network, in place."""
    group = delta_layout.read_stream(header, network_bytes=network.size)
    if group.bits == delta_layout.WORDS:
        _add_words(network, group)
        return
    ends = np.cumsum(delta_layout.packed_bytes(group.lengths, group.bits)).tolist()
    start = 0
    table_of = functools.cache(functools.partial(_table, group.bits))
    ranges = zip(group.offsets.tolist(), group.lengths.tolist(), group.steps.tolist(), strict=True)
    for (offset, length, step), end in zip(ranges, ends, strict=True):
        differences = group.packed[start:end]
        if group.bits in delta_layout.ZEROS:
            differences = table_of(step).take(differences).view(np.uint8)[:length]
        network[offset : offset + length] += differences
        start = end
    if group.places.size:
        network[_addresses(group)] += group.values


def _table(bits: int, step: int) -> np.ndarray:
    """Returns, for each packed byte, the differences of its fields side by side in one number."""
    per_byte = 8 // bits
    fields = np.arange(256)[:, np.newaxis] >> (bits * np.arange(per_byte)) & (1 << bits) - 1
    differences = (step * (fields - delta_layout.ZEROS[bits])).astype(np.uint8)
    return differences.view({4: np.uint32, 2: np.uint16}[per_byte])[:, 0]


def _add_words(network: np.ndarray, group: Group) -> None:
    """Adds differences of 32-bit words."""
    folded = delta_layout.from_planes(group.packed)
    # Even numbers are differences from 0 on, odd ones those below.
    differences = (folded >> np.uint32(1)) ^ -(folded & np.uint32(1))
    start = 0
    for offset, length in zip(group.offsets.tolist(), group.lengths.tolist(), strict=True):
        words = network[offset : offset + length].copy().view("<u4")
        words += differences[start : start + length // 4]
        network[offset : offset + length] = words.view(np.uint8)
        start += length // 4


def _addresses(group: Group) -> np.ndarray:
    """Returns where in the network the exceptions are."""
    starts = np.cumsum(group.lengths) - group.lengths
    number = np.searchsorted(starts, group.places, side="right") - 1
    return group.offsets[number] + group.places - starts[number]
