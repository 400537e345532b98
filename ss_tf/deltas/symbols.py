"""Radix packing: values of few kinds become fewer bytes, which a Huffman code fits well.

A Huffman code spends whole bits, at least one, on every symbol; most residuals are worth less. So
several values share a byte, as the digits of one number. A tree describes a sequence of bytes:

* a number N: the sequence is stored as it is, in the pool of codec N of the entry;
* `[1, [v]]`: every byte is v; nothing is stored;
* `[radix, alphabet, packed]`: every byte is in the alphabet, and is the digit of its place there.
  As many digits as fit into a byte are one, the first the most significant; the last byte is filled
  up with digits 0. `packed` is the tree of these bytes;
* `[radix, alphabet, packed, length, escapes]`: as above, but digit radix - 1 stands for any byte
  that is not in the alphabet. These `length` bytes follow in order, as the sequence `escapes`.

So radix 2 is a mask and what it hides, 16 are pairs of 4-bit values, and 3 packs five values of
{-s, 0, s} into a byte. All of it is undone by table look-ups.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

# Digits per byte: the largest n with radix ** n <= 256.
DIGITS = {2: 8, 3: 5, 4: 4, 5: 3, 6: 3} | dict.fromkeys(range(7, 17), 2)
DEEPEST = 4
# Indices that numpy converts at once: they stay in the cache.
_CHUNK = 1 << 16
# From so many bytes on it pays to look up two at once, in a table of 64 Ki rows.
_MANY = 1 << 17

Tree = int | list


def leaf_sizes(tree: Tree, length: int, *, depth: int = 0) -> list[tuple[int, int]]:
    """Returns (codec, bytes) of each leaf of a sequence's tree, in order.

    Args:
      tree: as it was read; anything may be in it.
      length: of the sequence.
      depth: of the sequence in a larger tree.

    Raises:
      ValueError: if this is no tree of a sequence of that length.
    """
    if type(tree) is int and tree >= 0:
        return [(tree, length)]
    if not isinstance(tree, list) or len(tree) not in (2, 3, 5) or depth > DEEPEST:
        raise ValueError(f"A sequence of {length} bytes is described by {_short(tree)}.")
    radix, alphabet = tree[:2]
    digits = _digits(radix, alphabet, escapes=len(tree) == 5, is_constant=len(tree) == 2)
    if len(tree) == 2:
        return []
    sizes = leaf_sizes(tree[2], -(-length // digits), depth=depth + 1)
    if len(tree) == 5:
        escaped = tree[3]
        if type(escaped) is not int or not 0 < escaped <= length:
            raise ValueError(f"{_short(escaped)} of {length} bytes are escapes.")
        sizes += leaf_sizes(tree[4], escaped, depth=depth + 1)
    return sizes


def decode(tree: Tree, length: int, leaves: Iterator[np.ndarray]) -> np.ndarray:
    """Restores a sequence.

    Args:
      tree: that `leaf_sizes` accepted for this length.
      length: of the sequence.
      leaves: yields uint8 arrays of the sizes that `leaf_sizes` gave.

    Returns:
      uint8 `[length]`; may be read-only.

    Raises:
      ValueError: if the number of escapes is not as said.
    """
    if isinstance(tree, int):
        return next(leaves)
    radix, alphabet = tree[:2]
    if radix == 1:
        return np.full(length, alphabet[0], np.uint8)
    packed = decode(tree[2], -(-length // DIGITS[radix]), leaves)
    if len(tree) == 3:
        return _look_up(radix, tuple(alphabet), packed)[:length]
    # A byte that no other digit gives marks the escapes; 0 is that of digits without a value.
    mark = next(byte for byte in range(1, 256) if byte not in alphabet)
    digits = (*alphabet, *[0] * (radix - 1 - len(alphabet)), mark)
    values = _look_up(radix, digits, packed)[:length]
    places = np.flatnonzero(values == mark)
    if places.size != tree[3]:
        raise ValueError(f"{places.size} of {length} bytes are escapes, expected {tree[3]}.")
    values[places] = decode(tree[4], tree[3], leaves)
    return values


def with_codecs(tree: Tree, numbers: Iterator[int]) -> Tree:
    """Returns the tree with its leaves numbered anew, in order."""
    if isinstance(tree, int):
        return next(numbers)
    # The third and the fifth part of a list are trees; the left one comes first.
    return [
        with_codecs(part, numbers) if place in (2, 4) else part for place, part in enumerate(tree)
    ]


@functools.lru_cache(maxsize=64)
def value_table(radix: int, alphabet: tuple[int, ...]) -> np.ndarray:
    """Returns uint8 `[256, digits]`: the values that each byte packs; 0 for those not given."""
    powers = radix ** np.arange(DIGITS[radix] - 1, -1, -1)
    values = np.zeros(radix, np.uint8)
    values[: len(alphabet)] = alphabet
    table = values[np.arange(256)[:, None] // powers % radix]
    table.flags.writeable = False
    return table


@functools.lru_cache(maxsize=16)
def _pair_table(radix: int, alphabet: tuple[int, ...]) -> np.ndarray:
    """Returns uint8 `[65536, 2 * digits]`: the same for first byte + 256 * second byte."""
    table = value_table(radix, alphabet)
    first, second = np.tile(table, (256, 1)), np.repeat(table, 256, axis=0)
    return np.concatenate([first, second], axis=1)


def _look_up(radix: int, alphabet: tuple[int, ...], packed: np.ndarray) -> np.ndarray:
    """Returns the values that bytes pack, one after another; uint8."""
    table = value_table(radix, alphabet)
    values = np.empty(packed.size * table.shape[1], np.uint8)
    even = packed.size - packed.size % 2 if packed.size >= _MANY else 0
    start = even * table.shape[1]
    if even:
        _take_rows(_pair_table(radix, alphabet), packed[:even].view("<u2"), values[:start])
    _take_rows(table, packed[even:], values[start:])
    return values


def _take_rows(table: np.ndarray, indices: np.ndarray, values: np.ndarray) -> None:
    """Puts `table[indices]` into flat `values`, in a fraction of the time."""
    width = table.shape[1]
    # One number per row, where numpy has one of that size.
    row = np.dtype(f"u{width}") if width in (1, 2, 4, 8) else np.dtype(("V", width))
    rows, result = table.view(row).ravel(), values.view(row)
    for start in range(0, indices.size, _CHUNK):
        piece = slice(start, start + _CHUNK)
        # There is nothing to clip, but other modes copy once more.
        np.take(rows, indices[piece], out=result[piece], mode="clip")


def _digits(radix: object, alphabet: object, *, escapes: bool, is_constant: bool) -> int:
    """Returns the digits per byte; raises ValueError if radix or alphabet are no such."""
    is_radix = type(radix) is int and (radix == 1 if is_constant else radix in DIGITS)
    if not is_radix:
        expected = "1" if is_constant else "2..16"
        raise ValueError(f"The radix is {_short(radix)}, expected {expected}.")
    most = radix - escapes
    is_alphabet = isinstance(alphabet, list) and 0 < len(alphabet) <= most
    if not is_alphabet or not all(type(value) is int and 0 <= value < 256 for value in alphabet):
        raise ValueError(f"The alphabet is {_short(alphabet)}, expected 1..{most} bytes.")
    return DIGITS.get(radix, 1)


def _short(value: object) -> str:
    """Returns a value for a message, in one short line."""
    text = repr(value) if isinstance(value, int | str | None) else type(value).__name__
    return text if len(text) <= 40 else f"{text[:40]}..."
