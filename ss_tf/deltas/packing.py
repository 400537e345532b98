"""The search for a small form of a sequence of bytes, as a tree of `ss_tf.deltas.symbols`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ss_tf.deltas import huffman
from ss_tf.deltas.symbols import DEEPEST, DIGITS, Tree


class _Effort(NamedTuple):
    """What is tried.

    Attributes:
      radices: for the sequence itself.
      radices_below: for what is packed or escaped already; it is mostly zeros or left alone.
    """

    radices: tuple[int, ...]
    radices_below: tuple[int, ...]


# The largest radix with each number of digits, but 4 digits keep 4 values and an escape apart from
# 3. The fewest bytes.
_SMALLEST = _Effort((2, 3, 4, 6, 16), (2, 4))
# Radices that share bytes evenly, which numpy and TensorFlow look up twice as fast, for up to 2 %
# more bytes; from so many values on, the time counts.
_FAST = _Effort((2, 4, 16), (2, 4))
_FASTEST = _Effort((2, 4, 16), ())
_MANY = 1 << 18
# A packing inside another takes a quarter of the time of all else to undo, so it has to pay.
_WORTH_NESTING = 0.9
# Below, a description is longer than what it saves.
_SHORTEST = 64
# Radices are compared on that many values in the middle of a longer sequence, and the best few on
# all of it.
_SAMPLE, _FINALISTS = 1 << 16, 2


class Encoded(NamedTuple):
    """A sequence as a tree and the bytes to store.

    Attributes:
      tree: as the module describes it; all leaves are of codec 0.
      leaves: uint8 sequences, in the order in which the tree names them.
      cost: about the bytes that tree and leaves will take, for comparisons.
    """

    tree: Tree
    leaves: list[np.ndarray]
    cost: float


def encode(values: np.ndarray, *, is_packed: bool = True) -> Encoded:
    """Finds a small form of a sequence.

    Args:
      values: uint8 `[n]`, or int8, of which the bit patterns count.
      is_packed: whether values may share bytes; for codecs that spend parts of bits it is no gain.
    """
    values = values.view(np.uint8)
    if not is_packed:
        return _encode(values, (), effort=_SMALLEST)
    if values.size < _MANY:
        return _encode(values, _SMALLEST.radices, effort=_SMALLEST)
    fastest = _encode(values, _FASTEST.radices, effort=_FASTEST)
    nested = _encode(values, _FAST.radices, effort=_FAST)
    return nested if nested.cost < _WORTH_NESTING * fastest.cost else fastest


def pack(values: np.ndarray, radix: int) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Packs a sequence with one radix.

    Args:
      values: uint8 `[n]`.
      radix: in 2..16.

    Returns:
      The alphabet, which is the most frequent values by magnitude, the packed bytes, and the
      escaped values.
    """
    counts = np.bincount(values, minlength=256)
    used = np.count_nonzero(counts)
    alphabet = np.argsort(-counts, kind="stable")[: used if used <= radix else radix - 1]
    # In order of |value|, so that many tensors have the same; tables are kept, and JSON repeats.
    alphabet = np.array(sorted(alphabet, key=_magnitude), np.intp)
    digit_of = np.full(256, radix - 1, np.uint8)
    digit_of[alphabet] = np.arange(alphabet.size)
    digits = digit_of[values]
    escapes = values[digits == radix - 1] if used > radix else values[:0]
    columns = np.pad(digits, (0, -digits.size % DIGITS[radix])).reshape(-1, DIGITS[radix])
    packed = np.zeros(len(columns), np.uint8)
    for column in columns.T:
        packed *= np.uint8(radix)
        packed += column
    return alphabet.tolist(), packed, escapes


def _encode(
    values: np.ndarray, radices: tuple[int, ...], *, effort: _Effort, depth: int = 0
) -> Encoded:
    """Finds a small form of a sequence that is so deep in a tree."""
    if values.size and (values == values[0]).all():
        return Encoded([1, [int(values[0])]], [], 3)
    best = Encoded(0, [values], max(huffman.estimate(values), 1))
    counts = np.bincount(values, minlength=256)
    # Bytes that are packed already are worth packing again only where one of them prevails.
    if values.size < _SHORTEST or depth == DEEPEST or (depth and 2 * counts.max() < values.size):
        return best
    for radix in _promising(values, radices, effort):
        encoded = _encode_packed(values, radix, effort=effort, depth=depth + 1, limit=best.cost)
        if encoded is not None:
            best = encoded
    return best


def _encode_packed(
    values: np.ndarray, radix: int, *, effort: _Effort, depth: int, limit: float = np.inf
) -> Encoded | None:
    """Returns the sequence packed with one radix, or None if it takes `limit` or more."""
    alphabet, packed, escapes = pack(values, radix)
    body = _encode(packed, effort.radices_below, effort=effort, depth=depth)
    # What a description takes in the compressed header, seen on real entries.
    cost = body.cost + 3 + 0.7 * len(alphabet)
    tree, leaves = [radix, alphabet, body.tree], body.leaves
    if escapes.size and cost < limit:
        rest = _encode(escapes, effort.radices_below, effort=effort, depth=depth)
        cost += rest.cost + 3
        tree, leaves = [*tree, escapes.size, rest.tree], leaves + rest.leaves
    return Encoded(tree, leaves, cost) if cost < limit else None


def _promising(values: np.ndarray, radices: tuple[int, ...], effort: _Effort) -> tuple[int, ...]:
    """Returns the radices that a sample of a long sequence does not rule out."""
    if values.size <= 2 * _SAMPLE or len(radices) <= _FINALISTS:
        return radices
    start = (values.size - _SAMPLE) // 2
    sample = values[start : start + _SAMPLE]
    costs = {radix: _encode_packed(sample, radix, effort=effort, depth=1).cost for radix in radices}
    return tuple(sorted(costs, key=costs.get)[:_FINALISTS])


def _magnitude(value: int) -> tuple[int, int]:
    """Returns a key that sorts bytes as int8: 0, 1, -1, 2, ..."""
    return (value, 0) if value < 128 else (256 - value, 1)
