"""Field packing: residuals as a graph unpacks them, by arithmetic on whole words.

TensorFlow's look-ups take 8 ns each on a CPU core, multiplications and masks a tenth of that. So
where a network is restored inside a graph, its residuals are not stored by `ss_tf.deltas.symbols`,
but as fields of 2, 4 or 8 bits that each stand for

    value = step * (field - zero)    modulo 256

with a step for each kernel, and the few values that no field gives are listed with their places. A
deflate stream of all of it takes about as much as the bank's form: 4 % more on sub networks of a
full-width ResNet-18 that were trained at step 4.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Sequence

import numpy as np

from ss_tf.deltas import huffman

# Bits per field -> the field that stands for residual 0. Of 2 bits, the others are -1, 1 and 2; of
# 8, fields are the residuals themselves, modulo 256.
ZEROS = {2: 1, 4: 7, 8: 0}
# Values of 2 and 4 bits have to stay in -128..127, so that fields unpacked side by side do not
# carry over.
LARGEST_STEPS = {2: 63, 4: 15, 8: 1}
# Fields are unpacked by the word of 32 bits.
MULTIPLE = 4
# Bytes of Huffman codes per byte; an eighth is the least there can be.
_FEW_CODES = 0.2
_MUCH = 1 << 16
# What an exception takes when compressed, seen on real networks.
_EXCEPTION_BYTES = 2.3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fields:
    """Residuals as packed fields and exceptions.

    Attributes:
      bits: of a field: 2, 4 or 8.
      sizes: numbers of residuals in the pieces that have a step each.
      steps: of each piece, what one step of a field stands for, in int8 steps.
      packed: uint8 `[n * bits / 8]`; the first field of a byte is in its lowest bits.
      places: int32, ascending: where fields do not give the residual; there they are `ZEROS`.
      values: int8, the residuals there.
    """

    bits: int
    sizes: tuple[int, ...]
    steps: tuple[int, ...]
    packed: np.ndarray
    places: np.ndarray
    values: np.ndarray


def pack(residuals: np.ndarray, sizes: Sequence[int]) -> Fields:
    """Packs residuals into the width that takes the fewest bytes when compressed.

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
    if not sizes:
        places = np.zeros(0, np.int32)
        packed = residuals.view(np.uint8)
        return Fields(bits=8, sizes=(), steps=(), packed=packed, places=places, values=residuals)
    pieces = np.split(residuals, np.cumsum(sizes)[:-1])
    counts = [np.bincount(piece.view(np.uint8), minlength=256) for piece in pieces]
    tried = [
        _pack(pieces, bits, steps=tuple(_likely_step(count, bits) for count in counts))
        for bits in sorted(ZEROS)
    ]
    return min(tried, key=_roughly_bytes)


def unpack(fields: Fields) -> np.ndarray:
    """Undoes `pack`. The graph's version is `ss_tf.routing.field_decoding`."""
    mask = (1 << fields.bits) - 1
    shifts = np.arange(0, 8, fields.bits, dtype=np.uint8)
    values = (fields.packed[:, np.newaxis] >> shifts & mask).ravel().astype(np.int16)
    steps = np.repeat(np.array(fields.steps, np.int16), np.array(fields.sizes, np.intp))
    residuals = (steps * (values - ZEROS[fields.bits])).astype(np.int8)
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


def _roughly_bytes(fields: Fields) -> float:
    """Returns about what fields take when compressed."""
    return huffman.estimate(fields.packed) + _EXCEPTION_BYTES * fields.places.size


def _pack(pieces: Sequence[np.ndarray], bits: int, *, steps: tuple[int, ...]) -> Fields:
    """Packs residuals into fields of one width."""
    coded = [_code(piece, bits, step=step) for piece, step in zip(pieces, steps, strict=True)]
    columns = np.concatenate([digits for digits, _ in coded]).reshape(-1, 8 // bits)
    packed = np.zeros(len(columns), np.uint8)
    for number, column in enumerate(columns.T):
        packed |= column << np.uint8(number * bits)
    places = np.flatnonzero(np.concatenate([is_exception for _, is_exception in coded]))
    return Fields(
        bits=bits,
        sizes=tuple(piece.size for piece in pieces),
        steps=steps,
        packed=packed,
        places=places.astype(np.int32),
        values=np.concatenate(pieces)[places],
    )


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
