"""Recreates a sub network's .tflite file, byte for byte, from the base's and a delta."""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import io
from collections.abc import Sequence

import numpy as np

from ss_tf.edge import delta_layout, packing
from ss_tf.edge.delta_layout import Group, GroupHeader

# Packed bytes unpacked at once, which bounds the memory that it takes to some MB.
_CHUNK = 1 << 18


def apply(base: bytes, delta: bytes, *, num_threads: int = 1) -> bytes:
    """Returns the network that a delta was made of.

    Args:
      base: .tflite file that the delta is relative to. Not modified.
      delta: delta file; may come from anywhere.
      num_threads: that inflate the delta and add it to the base side by side.

    Raises:
      ValueError: if the delta is damaged, of a newer version or of another base, or the result
        does not have the digest that it should. No partly patched network is ever returned.
    """
    result = apply_unchecked(base, delta, num_threads=num_threads)
    if hashlib.sha256(result).digest() != result_sha256(delta):
        raise ValueError("The delta is damaged: the network it gives has another SHA-256.")
    return result


def apply_unchecked(
    base: bytes, delta: bytes, *, base_sha256: bytes | None = None, num_threads: int = 1
) -> bytes:
    """Returns what `apply` does, but for the last check: of the result's digest.

    Args:
      base: .tflite file that the delta is relative to. Not modified.
      delta: delta file; may come from anywhere.
      base_sha256: digest of `base` where it is known, which spares computing it.
      num_threads: that inflate the delta and add it to the base side by side.

    Raises:
      ValueError: if the delta is seen to be damaged, of a newer version or of another base.
    """
    header = delta_layout.read(delta)
    digest = hashlib.sha256(base).digest() if base_sha256 is None else base_sha256
    if header.base_sha256 != digest or header.network_bytes != len(base):
        raise ValueError(
            f"The delta is of the base {header.base_sha256.hex()[:16]} of {header.network_bytes} "
            f"bytes, expected {digest.hex()[:16]} of {len(base)} bytes: it is of another bundle."
        )
    # What it hands out in the end is the same memory, which spares a second copy.
    copy = io.BytesIO(base)
    _add_groups(np.frombuffer(copy.getbuffer(), np.uint8), header.groups, num_threads=num_threads)
    return copy.getvalue()


def _add_groups(network: np.ndarray, groups: Sequence[GroupHeader], *, num_threads: int) -> None:
    """Adds the differences of groups to the bytes of a network, in place."""
    with contextlib.ExitStack() as stack:
        inflated = map(delta_layout.inflate, groups)
        # This one adds meanwhile. More could not help with that: numpy keeps Python's lock.
        if num_threads > 1 and len(groups) > 1:
            threads = concurrent.futures.ThreadPoolExecutor(num_threads - 1)
            inflated = stack.enter_context(threads).map(delta_layout.inflate, groups)
        for header, data in zip(groups, inflated, strict=True):
            _add_group(network, delta_layout.read_stream(header, data, network_bytes=network.size))


def result_sha256(delta: bytes) -> bytes:
    """Returns the digest of the network that `apply` gives.

    Raises:
      ValueError: if the delta's header is damaged.
    """
    return delta_layout.read(delta).result_sha256


def products(network: np.ndarray, length: int, factor: int, source: int) -> np.ndarray:
    """Multiplies float32 numbers of a network, rounding to the nearest.

    Args:
      network: uint8.
      length: bytes of the result.
      factor: where one number is.
      source: where the first of those is that it is multiplied with.

    Returns:
      The bits of the products, uint32.
    """
    one = network[factor : factor + 4].copy().view("<f4")
    others = network[source : source + length].copy().view("<f4")
    # Anything may be there; the digest tells.
    with np.errstate(all="ignore"):
        return (one * others).astype("<f4").view("<u4")


def _add_group(network: np.ndarray, group: Group) -> None:
    """Adds the differences of a group to the bytes of a network, in place."""
    if group.bits in (delta_layout.WORDS, delta_layout.PRODUCTS):
        _add_words(network, group)
        return
    _add_fields(network, group)
    if group.places.size:
        network[_addresses(group)] += group.values


def _add_fields(network: np.ndarray, group: Group) -> None:
    """Adds the differences that packed fields stand for."""
    sizes = delta_layout.packed_bytes(group.lengths, group.bits)
    changes, packed = packing.unmask(group.packed, int(sizes.sum()))
    ends = np.cumsum(sizes).tolist()
    ranges = zip(group.offsets.tolist(), group.lengths.tolist(), group.steps.tolist(), strict=True)
    first = used = 0
    for (offset, length, step), end in zip(ranges, ends, strict=True):
        table, target = _table(group.bits, step), network[offset : offset + length]
        for start in range(first, end, _CHUNK):
            places = np.flatnonzero(changes[start : min(start + _CHUNK, end)])
            differences = table.take(packed[used : used + places.size])
            _add_at(target[(start - first) * table.itemsize :], places, differences)
            used += places.size
        first = end


def _add_at(target: np.ndarray, places: np.ndarray, differences: np.ndarray) -> None:
    """Adds numbers to those that bytes make up, byte by byte, in place.

    Args:
      target: uint8, some bytes less than whole numbers maybe.
      places: ascending, of the numbers that are added to.
      differences: as many.
    """
    width = differences.itemsize
    whole = target.size // width
    if places.size and places[-1] == whole:
        rest = target[whole * width :]
        rest += differences[-1:].view(np.uint8)[: rest.size]
        places, differences = places[:-1], differences[:-1]
    numbers = target[: whole * width].view(differences.dtype)
    sums = numbers[places].view(np.uint8) + differences.view(np.uint8)
    numbers[places] = sums.view(differences.dtype)


def _table(bits: int, step: int) -> np.ndarray:
    """Returns, for each packed byte, the differences of its fields side by side in one number."""
    per_byte = 8 // bits
    fields = np.arange(256)[:, np.newaxis] >> (bits * np.arange(per_byte)) & (1 << bits) - 1
    differences = (step * (fields - packing.ZEROS[bits])).astype(np.uint8)
    return differences.view({4: "<u4", 2: "<u2", 1: "u1"}[per_byte])[:, 0]


def _add_words(network: np.ndarray, group: Group) -> None:
    """Adds differences of 32-bit words, to these or to products."""
    differences = packing.unfold(delta_layout.folded_differences(group))
    places = [None] * group.offsets.size
    if group.bits == delta_layout.PRODUCTS:
        places = list(zip(*delta_layout.factors(group.packed, group.offsets.size), strict=True))
    start = 0
    ranges = zip(group.offsets.tolist(), group.lengths.tolist(), places, strict=True)
    for offset, length, factors in ranges:
        if factors is None:
            words = network[offset : offset + length].copy().view("<u4")
        else:
            words = products(network, length, *factors)
        words = words + differences[start : start + length // 4]
        network[offset : offset + length] = words.view(np.uint8)
        start += length // 4


def _addresses(group: Group) -> np.ndarray:
    """Returns where in the network the exceptions are."""
    starts = np.cumsum(group.lengths) - group.lengths
    number = np.searchsorted(starts, group.places, side="right") - 1
    return group.offsets[number] + group.places - starts[number]
