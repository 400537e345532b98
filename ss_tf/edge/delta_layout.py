"""The layout of a delta file: its header, its groups and their tables. docs/edge_format.md.

What is read here may come from anywhere: sizes are checked before anything of that size is made.
"""

from __future__ import annotations

import dataclasses
import struct
import zlib
from collections.abc import Sequence

import numpy as np

from ss_tf.edge import packing
from ss_tf.edge.packing import ZEROS

MAGIC = b"SSTFDELT"
VERSION = 1
# Differences of words of 32 bits, and of such words from products.
WORDS, PRODUCTS = 32, 64
_KINDS = (*ZEROS, WORDS, PRODUCTS)
# Magic, version, number of groups, bytes of a network, reserved, digests of base and result.
_HEADER = struct.Struct("<8sIIII32s32s")
# Bits, reserved, ranges, exceptions, packed bytes, bytes of the stream.
_GROUP = struct.Struct("<B3sIIII")
_MOST_GROUPS, _MOST_RANGES = 1024, 1 << 16
# A range: offset, length, step. An exception: gap, value. Of products: factor, source.
_RANGE_BYTES, _EXCEPTION_BYTES, _PRODUCT_BYTES = 4 + 4 + 1, 4 + 1, 4 + 4
# Of a network; offsets have 32 bits.
LARGEST_NETWORK = 1 << 31


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
    """Ranges of a network whose differences are packed the same way.

    Attributes:
      bits: 2, 4 or 8 for fields, `WORDS` or `PRODUCTS`.
      offsets: int64, where each range begins in the network; ascending, no overlap.
      lengths: int64, bytes of each range, at least 1; for words and products a multiple of 4.
      steps: uint8, of each range: the difference that one unit of a field stands for, modulo 256.
      places: int64, ascending positions in all ranges together, one after another, where `values`
        are added beside what the fields say; fields only.
      values: uint8, differences modulo 256.
      packed: uint8. Of fields, the mask of `packed_bytes`; of words, four planes of folded
        differences; of products, before these, where the factor of each range and its first other
        factor are.
    """

    bits: int
    offsets: np.ndarray
    lengths: np.ndarray
    steps: np.ndarray
    places: np.ndarray
    values: np.ndarray
    packed: np.ndarray


@dataclasses.dataclass(frozen=True)
class GroupHeader:
    """What a delta file says of a group outside its stream; checked, but for the stream."""

    bits: int
    num_ranges: int
    num_exceptions: int
    packed_bytes: int
    stream: memoryview


@dataclasses.dataclass(frozen=True)
class Header:
    """What a delta file says before its streams.

    Attributes:
      network_bytes: length of the base and of the result.
      base_sha256, result_sha256: their digests.
      groups: in order.
    """

    network_bytes: int
    base_sha256: bytes
    result_sha256: bytes
    groups: tuple[GroupHeader, ...]


def packed_bytes(lengths: np.ndarray, bits: int) -> np.ndarray:
    """Returns how many packed bytes each range takes; every range begins a new byte."""
    if bits in ZEROS:
        return (lengths * bits + 7) // 8
    return lengths + _PRODUCT_BYTES if bits == PRODUCTS else lengths


def write(header: Header, streams: Sequence[bytes]) -> bytes:
    """Returns a delta file of groups, whose streams are those of `write_stream`."""
    parts = [
        _HEADER.pack(
            MAGIC,
            VERSION,
            len(header.groups),
            header.network_bytes,
            0,
            header.base_sha256,
            header.result_sha256,
        )
    ]
    for group, stream in zip(header.groups, streams, strict=True):
        sizes = group.num_ranges, group.num_exceptions, group.packed_bytes, len(stream)
        parts.append(_GROUP.pack(group.bits, bytes(3), *sizes))
    return b"".join([*parts, *streams])


def read(delta: bytes) -> Header:
    """Reads all of a delta file but its streams.

    Raises:
      ValueError: saying in one line what is wrong, whatever the bytes are.
    """
    if len(delta) < _HEADER.size or delta[: len(MAGIC)] != MAGIC:
        raise ValueError("It is no delta of an edge bundle, or it is cut in its header.")
    _, version, num_groups, network_bytes, reserved, base, result = _HEADER.unpack_from(delta)
    if version != VERSION:
        raise ValueError(f"The delta has version {version}, expected {VERSION}: update ss_tf.")
    if reserved or num_groups > _MOST_GROUPS or network_bytes > LARGEST_NETWORK:
        raise ValueError("The delta's header is damaged: sizes in it are out of range.")
    start = _HEADER.size + num_groups * _GROUP.size
    groups = []
    for place in range(_HEADER.size, start, _GROUP.size):
        if place + _GROUP.size > len(delta):
            raise ValueError("The delta is cut in its header.")
        bits, reserved, *counts, stream_bytes = _GROUP.unpack_from(delta, place)
        if any(reserved):
            raise ValueError("The delta's header is damaged: reserved bytes are not zero.")
        _check_group(bits, *counts, network_bytes=network_bytes)
        if bits != PRODUCTS and groups and groups[-1].bits == PRODUCTS:
            raise ValueError("The delta's header is damaged: groups of products are not the last.")
        stream = memoryview(delta)[start : start + stream_bytes]
        if len(stream) != stream_bytes:
            raise ValueError("The delta is cut in its streams.")
        groups.append(GroupHeader(bits, *counts, stream))
        start += stream_bytes
    if start != len(delta):
        raise ValueError(f"{len(delta) - start} bytes follow the delta's streams, expected none.")
    return Header(network_bytes, base, result, tuple(groups))


def write_stream(group: Group) -> tuple[np.ndarray, list[int]]:
    """Returns what a group's stream holds, uint8, and where its parts end."""
    gaps = np.diff(group.places, prepend=0)
    parts = [
        group.offsets.astype("<u4").view(np.uint8),
        group.lengths.astype("<u4").view(np.uint8),
        group.steps,
        *packing.to_planes(gaps.astype(np.uint32)),
        group.values,
    ]
    ends = np.cumsum([part.size for part in parts])
    packed_ends = np.cumsum(packed_bytes(group.lengths, group.bits))
    if group.bits in ZEROS:
        packed_ends = packing.mask_ends(group.packed, packed_ends)
    packed_ends += ends[-1]
    return np.concatenate([*parts, group.packed]), [*ends.tolist(), *packed_ends.tolist()]


def inflate(header: GroupHeader) -> bytes:
    """Inflates the stream of a group. Other threads run meanwhile.

    Raises:
      ValueError: if it does not hold what the header says.
    """
    decompressor, size = zlib.decompressobj(), _stream_bytes(header)
    try:
        # One more than allowed: the end of the stream is only seen while there is room.
        data = decompressor.decompress(header.stream, size + 1)
    except zlib.error as error:
        raise ValueError(f"The delta is damaged: {error}.") from error
    if len(data) != size or not decompressor.eof or decompressor.unused_data:
        raise ValueError(f"The delta is damaged: a stream does not hold {size} bytes.")
    return data


def read_stream(header: GroupHeader, inflated: bytes, *, network_bytes: int) -> Group:
    """Reads what `inflate` gave, and checks all that it says.

    Raises:
      ValueError: saying in one line what is wrong.
    """
    ranges, exceptions = header.num_ranges, header.num_exceptions
    data = np.frombuffer(inflated, np.uint8)
    sizes = (4 * ranges, 4 * ranges, ranges, 4 * exceptions, exceptions)
    offsets, lengths, steps, gaps, values, packed = np.split(data, np.cumsum(sizes))
    offsets, lengths = (x.copy().view("<u4").astype(np.int64) for x in (offsets, lengths))
    places = np.cumsum(packing.from_planes(gaps).astype(np.int64))
    ends = offsets + lengths
    if (lengths < 1).any() or (offsets[1:] < ends[:-1]).any() or ends[-1] > network_bytes:
        raise ValueError("The delta is damaged: its ranges overlap or lie outside the network.")
    if header.bits in (WORDS, PRODUCTS) and (lengths % 4).any():
        raise ValueError("The delta is damaged: a range of words has a part of a word.")
    if not _fits(packed, header.bits, int(packed_bytes(lengths, header.bits).sum())):
        raise ValueError("The delta is damaged: its ranges take other sizes than it says.")
    if header.bits == PRODUCTS:
        _check_products(packed, lengths, network_bytes=network_bytes)
    if exceptions and ((np.diff(places) < 1).any() or places[-1] >= lengths.sum()):
        raise ValueError("The delta is damaged: its exceptions lie outside its ranges.")
    return Group(header.bits, offsets, lengths, steps, places, values, packed)


def factors(packed: np.ndarray, num_ranges: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns where the factor of each range of products is, and its first other factor; int64."""
    places = packed[: _PRODUCT_BYTES * num_ranges].copy().view("<u4").astype(np.int64)
    return places[:num_ranges], places[num_ranges:]


def folded_differences(group: Group) -> np.ndarray:
    """Returns what the planes of a group of words or products hold, uint32."""
    start = _PRODUCT_BYTES * group.offsets.size if group.bits == PRODUCTS else 0
    return packing.from_planes(group.packed[start:])


def _stream_bytes(header: GroupHeader) -> int:
    """Returns how many bytes the stream of a group holds."""
    tables = _RANGE_BYTES * header.num_ranges + _EXCEPTION_BYTES * header.num_exceptions
    return tables + header.packed_bytes


def _check_group(
    bits: int, num_ranges: int, num_exceptions: int, packed: int, *, network_bytes: int
) -> None:
    """Raises ValueError if a group is of an unknown kind, or wants more than a network has."""
    if bits not in _KINDS:
        raise ValueError(f"The delta has a group of kind {bits}, expected one of {_KINDS}.")
    # What is inflated is bounded by the network that the caller has in memory anyway.
    most_ranges = min(_MOST_RANGES, network_bytes)
    # A mask has a bit for a byte at most.
    good = 1 <= num_ranges <= most_ranges and packed <= network_bytes * 9 // 8 + 1
    if not good or num_exceptions > (network_bytes if bits in ZEROS else 0):
        raise ValueError("The delta's header is damaged: sizes in it are out of range.")


def _fits(packed: np.ndarray, bits: int, num_packed: int) -> bool:
    """Tells whether a group has as many packed bytes as its ranges take."""
    return packing.is_masked(packed, num_packed) if bits in ZEROS else packed.size == num_packed


def _check_products(packed: np.ndarray, lengths: np.ndarray, *, network_bytes: int) -> None:
    """Raises ValueError if factors lie outside the network."""
    factor_places, other_places = factors(packed, lengths.size)
    ends = max((factor_places + 4).max(), (other_places + lengths).max())
    if ends > network_bytes:
        raise ValueError("The delta is damaged: factors lie outside the network.")
