"""Makes the delta of two .tflite files of equal layout. The device only needs `patch`."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ss_tf.deltas import huffman
from ss_tf.edge import delta_layout, packing, patch
from ss_tf.edge.delta_layout import PRODUCTS, WORDS, Group
from ss_tf.edge.packing import ZEROS

# Packed bytes after which a new group begins, so that several threads can share the work.
_GROUP_BYTES = 1 << 19
# What an exception takes when compressed, seen on real networks.
_EXCEPTION_BYTES = 2.0
# Bytes of a file that a packed byte's time is worth: a delta grows by 1 % at most for that.
_TIME_BYTES = 1 / 256
# Fields of few values have codes of a bit, which runs and matches undercut where most are the same.
_STRATEGIES = (zlib.Z_HUFFMAN_ONLY, zlib.Z_FILTERED, zlib.Z_RLE)


class Region(NamedTuple):
    """A place where two networks may differ.

    Attributes:
      offset: first byte.
      length: bytes.
      is_words: whether these are numbers of 32 or 64 bits instead of int8 ones.
      factors: where in the network to find what the words are about products of, float32: one
        number, and the first of as many as there are words. None if they are no products.
    """

    offset: int
    length: int
    is_words: bool
    factors: tuple[int, int] | None = None


class _Packed(NamedTuple):
    """The differences of one region, packed."""

    bits: int
    region: Region
    step: int
    data: np.ndarray
    places: np.ndarray
    values: np.ndarray


def make(base: bytes, sub: bytes, regions: Iterable[Region]) -> bytes:
    """Returns the delta file with which `patch.apply` makes `sub` of `base`.

    Args:
      base: .tflite file.
      sub: another one, of the same length.
      regions: where they may differ, such as tensors; no overlap. One step is chosen for each.

    Raises:
      ValueError: if the lengths differ, or they differ elsewhere.
    """
    if len(base) != len(sub) or len(base) > delta_layout.LARGEST_NETWORK:
        raise ValueError(f"The networks have {len(base)} and {len(sub)} bytes, expected as many.")
    before, after = (np.frombuffer(data, np.uint8) for data in (base, sub))
    differences = after - before
    changed = sorted(region for region in regions if differences[_slice(region)].any())
    if sum(np.count_nonzero(differences[_slice(r)]) for r in changed) != np.count_nonzero(
        differences
    ):
        raise ValueError("The networks differ outside the regions given, expected nowhere else.")
    packed = [
        _pack_words(before, after, region)
        if region.is_words
        else _pack_bytes(differences[_slice(region)], region)
        for region in changed
    ]
    groups, streams = [], []
    for group in _groups(packed):
        data, ends = delta_layout.write_stream(group)
        streams.append(_compress(data, ends))
        sizes = group.offsets.size, group.places.size, group.packed.size
        groups.append(delta_layout.GroupHeader(group.bits, *sizes, memoryview(b"")))
    digests = (hashlib.sha256(data).digest() for data in (base, sub))
    return delta_layout.write(delta_layout.Header(len(base), *digests, tuple(groups)), streams)


def _compress(data: np.ndarray, ends: Sequence[int]) -> bytes:
    """Returns the shortest zlib stream of several: in one go, or with tables renewed on the way."""
    streams, blocks = [zlib.compress(data, 9)], huffman.split(data, ends)
    for strategy in _STRATEGIES:
        compressor = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 9, strategy)
        parts, start = [], 0
        for end in blocks:
            parts.append(compressor.compress(data[start:end]))
            parts.append(compressor.flush(zlib.Z_FINISH if end == data.size else zlib.Z_BLOCK))
            start = end
        streams.append(b"".join(parts))
    return min(streams, key=len)


def _slice(region: Region) -> slice:
    return slice(region.offset, region.offset + region.length)


def _pack_words(before: np.ndarray, after: np.ndarray, region: Region) -> _Packed:
    """Returns differences of words to the base's, or to products, whichever are smaller."""
    old, new = (data[_slice(region)].copy().view("<u4") for data in (before, after))
    tried = {WORDS: packing.fold(new - old)}
    if region.factors is not None:
        tried[PRODUCTS] = packing.fold(new - patch.products(after, region.length, *region.factors))
    kind = min(tried, key=lambda kind: np.log2(tried[kind] + 1.0).sum())
    nothing = np.zeros(0, np.uint8)
    return _Packed(kind, region, 1, tried[kind], nothing, nothing)


def _pack_bytes(differences: np.ndarray, region: Region) -> _Packed:
    """Packs differences of bytes the way that takes the fewest."""
    return min((_pack_fields(differences, region, bits) for bits in ZEROS), key=_cost)


def _pack_fields(differences: np.ndarray, region: Region, bits: int) -> _Packed:
    """Packs differences into fields; those that no field gives become exceptions."""
    units = np.arange(1 << bits) - ZEROS[bits]
    counts = np.bincount(differences, minlength=256)
    # Of either sign: there is a field for 2, and none for -2.
    steps = [sign * step for step in range(1, 128) for sign in (1, -1)]
    step = max(steps, key=lambda step: counts[np.unique(step * units % 256)].sum())
    field_of = np.full(256, -1)
    field_of[step * units[::-1] % 256] = np.arange(1 << bits)[::-1]
    fields = field_of[differences]
    places = np.flatnonzero(fields < 0)
    fields[places] = ZEROS[bits]
    per_byte = 8 // bits
    fields = np.pad(fields, (0, -fields.size % per_byte), constant_values=ZEROS[bits])
    fields = fields.reshape(-1, per_byte)
    data = (fields << (bits * np.arange(per_byte))).sum(axis=1).astype(np.uint8)
    return _Packed(bits, region, step % 256, data, places, differences[places])


def _cost(packed: _Packed) -> float:
    """Returns about what fields take when compressed, and more if they take longer to unpack."""
    masked = packing.mask(packed.data, packed.bits)
    parts = np.split(masked, [packing.mask_bytes(packed.data.size)])
    codes = (huffman.code_bytes(np.bincount(part, minlength=256)) for part in parts)
    time = _TIME_BYTES * packed.data.size
    return sum(codes) + _EXCEPTION_BYTES * packed.places.size + time


def _groups(packed: Sequence[_Packed]) -> Iterator[Group]:
    """Yields groups of regions that are packed the same way, in order of their place."""
    # Products last: they are of words that other groups give.
    for bits in (*ZEROS, WORDS, PRODUCTS):
        members, size = [], 0
        for region in (one for one in packed if one.bits == bits):
            members.append(region)
            size += region.data.nbytes
            if size >= _GROUP_BYTES:
                yield _group(members)
                members, size = [], 0
        if members:
            yield _group(members)


def _group(members: Sequence[_Packed]) -> Group:
    lengths = np.array([member.region.length for member in members])
    starts = np.cumsum(lengths) - lengths
    bits, data = members[0].bits, np.concatenate([member.data for member in members])
    if bits in ZEROS:
        data = packing.mask(data, bits)
    if bits in (WORDS, PRODUCTS):
        data = np.concatenate(packing.to_planes(data))
    if bits == PRODUCTS:
        places = np.array([member.region.factors for member in members], "<u4").T
        data = np.concatenate([np.ascontiguousarray(places).view(np.uint8).ravel(), data])
    return Group(
        bits=bits,
        offsets=np.array([member.region.offset for member in members]),
        lengths=lengths,
        steps=np.array([member.step for member in members], np.uint8),
        places=np.concatenate(
            [start + member.places for start, member in zip(starts, members, strict=True)]
        ).astype(np.int64),
        values=np.concatenate([member.values for member in members]).astype(np.uint8),
        packed=data,
    )
