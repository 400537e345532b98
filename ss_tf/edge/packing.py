"""How differences are packed: fields beside a mask, and words in planes. docs/edge_format.md.

Most packed bytes of fields say that nothing changes. A bit tells that, which takes less than a byte
with a Huffman code of a bit or more, and is undone in half the time.
"""

from __future__ import annotations

import numpy as np

# Bits per field -> the field that stands for no difference. Of 8 bits, they are differences.
ZEROS = {2: 1, 4: 7, 8: 0}


def still_byte(bits: int) -> int:
    """Returns the packed byte whose fields all stand for no difference."""
    return sum(ZEROS[bits] << shift for shift in range(0, 8, bits))


def mask(packed: np.ndarray, bits: int) -> np.ndarray:
    """Returns a bit for each packed byte, whether it changes anything, and then those that do.

    Args:
      packed: uint8 `[n]`.
      bits: of a field.

    Returns:
      uint8. The first bit is the lowest of the first byte; the last byte is filled up with zeros.
    """
    changes = packed != still_byte(bits)
    return np.concatenate([np.packbits(changes, bitorder="little"), packed[changes]])


def is_masked(stored: np.ndarray, num_packed: int) -> bool:
    """Tells whether `mask` can have given this for so many packed bytes."""
    size = mask_bytes(num_packed)
    if stored.size < size:
        return False
    changes = np.unpackbits(stored[:size], bitorder="little").view(bool)
    num_changes = np.count_nonzero(changes[:num_packed])
    return num_changes == np.count_nonzero(changes) == stored.size - size


def unmask(stored: np.ndarray, num_packed: int) -> tuple[np.ndarray, np.ndarray]:
    """Undoes `mask`, of what `is_masked`.

    Returns:
      Whether each packed byte changes anything, bool `[num_packed]`; and those that do, uint8.
    """
    size = mask_bytes(num_packed)
    changes = np.unpackbits(stored[:size], count=num_packed, bitorder="little")
    return changes.view(bool), stored[size:]


def mask_ends(stored: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Returns where in what `mask` gave the bits, and the bytes, of parts of packed bytes end.

    Args:
      stored: what it gave.
      ends: int64, of the parts, ascending; the last is the number of packed bytes.
    """
    changes, _ = unmask(stored, int(ends[-1]))
    before = np.concatenate([[0], np.cumsum(changes)])
    return np.concatenate([mask_bytes(ends), mask_bytes(int(ends[-1])) + before[ends]])


def mask_bytes(num_packed):
    """Returns how many bytes the bits of so many packed bytes take; of a number or an array."""
    return (num_packed + 7) // 8


def to_planes(words: np.ndarray) -> list[np.ndarray]:
    """Returns the four bytes of uint32 words apart, the least significant ones first."""
    return [(words >> np.uint32(8 * plane)).astype(np.uint8) for plane in range(4)]


def from_planes(planes: np.ndarray) -> np.ndarray:
    """Undoes `to_planes`, of planes one after another."""
    low, *higher = planes.reshape(4, -1).astype(np.uint32)
    for plane, values in enumerate(higher, start=1):
        low |= values << np.uint32(8 * plane)
    return low


def fold(differences: np.ndarray) -> np.ndarray:
    """Returns uint32 differences so that small ones of either sign are small numbers.

    Even numbers are differences from 0 on, odd ones those below.
    """
    return (differences << np.uint32(1)) ^ -(differences >> np.uint32(31))


def unfold(folded: np.ndarray) -> np.ndarray:
    """Undoes `fold`."""
    return (folded >> np.uint32(1)) ^ -(folded & np.uint32(1))
