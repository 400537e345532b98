"""Field packing: residuals as a graph unpacks them, by arithmetic on whole words.

TensorFlow's look-ups take 8 ns each on a CPU core, multiplications and masks a tenth of that. So
where a network is restored inside a graph, its residuals are not stored by `ss_tf.deltas.symbols`,
but as fields of 2, 4 or 8 bits that each stand for

    value = step * (field - zero)    modulo 256

with a width and a step for each kernel, and the few values that no field gives are listed with
their places.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ss_tf.deltas import huffman

# Bits per field -> the field that stands for residual 0. Of 2 bits, the others are -1, 1 and 2; of
# 8, fields are the residuals themselves, modulo 256.
ZEROS = {2: 1, 4: 7, 8: 0}
# Values of 2 and 4 bits have to stay in -128..127, so that fields unpacked side by side do not
# carry over.
LARGEST_STEPS = {2: 63, 4: 15, 8: 1}
# Residuals in a word of 32 bits, of 2 bits each: fields are unpacked by whole words.
MULTIPLE = 16
# Bytes of Huffman codes per byte; an eighth is the least there can be.
_FEW_CODES = 0.2
_MUCH = 1 << 16
# What an exception takes when compressed, seen on real networks.
_EXCEPTION_BYTES = 2.3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fields:
    """Residuals as packed fields and exceptions.

    Attributes:
      sizes: numbers of residuals in the pieces that have a width and a step each.
      bits: of a field of each piece: 2, 4 or 8.
      steps: of each piece, what one step of a field stands for, in int8 steps.
      packed: bits -> uint8, the fields of all pieces of that width. Of n bytes, byte i has the
        fields i, i + n, i + 2n, ..., the first in its lowest bits.
      places: int32, ascending: where fields do not give the residual; there they are `ZEROS`.
      values: int8, the residuals there.
    """

    sizes: tuple[int, ...]
    bits: tuple[int, ...]
    steps: tuple[int, ...]
    packed: Mapping[int, np.ndarray]
    places: np.ndarray
    values: np.ndarray


class _Piece(NamedTuple):
    """One piece as fields, one in each uint8; places are relative to its beginning."""

    bits: int
    step: int
    digits: np.ndarray
    places: np.ndarray


def pack(residuals: np.ndarray, sizes: Sequence[int]) -> Fields:
    """Packs residuals, each piece into the width that takes the fewest bytes when compressed.

    Args:
      residuals: int8 `[n]`, modulo 256.
      sizes: of the pieces that residuals consist of, such as kernels; each a multiple of
        `MULTIPLE`. There may be none.

    Raises:
      ValueError: if the residuals do not consist of such pieces.
    """
    if residuals.shape != (sum(sizes),) or any(size % MULTIPLE for size in sizes):
        raise ValueError(
            f"Residuals have shape {residuals.shape} in pieces of {tuple(sizes)}, "
            f"expected pieces of multiples of {MULTIPLE}."
        )
    starts = np.cumsum([0, *sizes], dtype=np.int32)[:-1]
    pieces = [
        _as_fields(residuals[start : start + size])
        for start, size in zip(starts, sizes, strict=True)
    ]
    places = _joined(
        (piece.places + start for piece, start in zip(pieces, starts, strict=True)), np.int32
    )
    return Fields(
        sizes=tuple(sizes),
        bits=tuple(piece.bits for piece in pieces),
        steps=tuple(piece.step for piece in pieces),
        packed={
            bits: _in_bytes((piece.digits for piece in pieces if piece.bits == bits), bits)
            for bits in ZEROS
        },
        places=places,
        values=residuals[places],
    )


def unpack(fields: Fields) -> np.ndarray:
    """Undoes `pack`. The graph's version is `ss_tf.routing.field_decoding`."""
    digits = {bits: _from_bytes(packed, bits) for bits, packed in fields.packed.items()}
    pieces, ends = [], dict.fromkeys(ZEROS, 0)
    for bits, size, step in zip(fields.bits, fields.sizes, fields.steps, strict=True):
        start, ends[bits] = ends[bits], ends[bits] + size
        values = step * (digits[bits][start : ends[bits]].astype(np.int16) - ZEROS[bits])
        pieces.append(values.astype(np.int8))
    residuals = _joined(pieces, np.int8)
    residuals[fields.places] = fields.values
    return residuals


def exception_bytes(fields: Fields) -> bytes:
    """Returns the places of the exceptions, as little-endian int32, and then their values."""
    return fields.places.astype("<i4").tobytes() + fields.values.tobytes()


def compress(data: np.ndarray) -> bytes:
    """Returns a small zlib stream of uint8 data.

    Of Huffman codes alone, or with matches if that is smaller. Of much data they are looked for
    only where few bytes differ from the rest: elsewhere it takes seconds, and none are worth it.
    """
    codes = huffman.compress(data)
    if data.size > _MUCH and len(codes) > _FEW_CODES * data.size:
        return codes
    return min(codes, zlib.compress(data.tobytes(), 9), key=len)


def _joined(vectors: Iterable[np.ndarray], dtype: type) -> np.ndarray:
    """Returns vectors, which may be none, as one."""
    return np.concatenate([np.zeros(0, dtype), *vectors], dtype=dtype)


def _in_bytes(digits: Iterable[np.ndarray], bits: int) -> np.ndarray:
    """Packs fields of one width."""
    planes = _joined(digits, np.uint8).reshape(8 // bits, -1)
    return np.bitwise_or.reduce(planes << _shifts(bits), axis=0)


def _from_bytes(packed: np.ndarray, bits: int) -> np.ndarray:
    """Undoes `_in_bytes`."""
    return (packed >> _shifts(bits) & ((1 << bits) - 1)).ravel()


def _shifts(bits: int) -> np.ndarray:
    return np.arange(0, 8, bits, dtype=np.uint8)[:, np.newaxis]


def _as_fields(residuals: np.ndarray) -> _Piece:
    """Returns a piece in the width that takes the fewest bytes when compressed."""
    counts = np.bincount(residuals.view(np.uint8), minlength=256)
    tried = (_of_width(bits, residuals, step=_likely_step(counts, bits)) for bits in ZEROS)
    return min(tried, key=_roughly_bytes)


def _roughly_bytes(piece: _Piece) -> float:
    """Returns about what a piece takes when compressed."""
    packed = _in_bytes([piece.digits], piece.bits)
    return huffman.estimate(packed) + _EXCEPTION_BYTES * piece.places.size


def _of_width(bits: int, residuals: np.ndarray, *, step: int) -> _Piece:
    digits, is_exception = _code(residuals, bits, step=step)
    return _Piece(bits, step, digits, np.flatnonzero(is_exception))


def _code(residuals: np.ndarray, bits: int, *, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the field of each residual, uint8, and whether it is an exception."""
    zero, count = ZEROS[bits], 1 << bits
    # Of each byte: the field that stands for it, or that for 0 and an exception.
    given = (step * (np.arange(count) - zero)).astype(np.int8).view(np.uint8)
    field_of = np.full(256, zero, np.uint8)
    field_of[given] = np.arange(count)
    is_exception = np.ones(256, bool)
    is_exception[given] = False
    values = residuals.view(np.uint8)
    return field_of[values], is_exception[values]


def _likely_step(counts: np.ndarray, bits: int) -> int:
    """Returns the smallest step that leaves the fewest exceptions.

    Args:
      counts: `[256]`, of each residual modulo 256.
      bits: of a field.
    """
    offsets = np.arange(1 << bits) - ZEROS[bits]
    steps = range(1, LARGEST_STEPS[bits] + 1)
    return max(steps, key=lambda step: counts[np.unique(step * offsets % 256)].sum())
