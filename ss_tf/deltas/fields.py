"""Field packing: residuals as a graph unpacks them, by arithmetic on whole words.

TensorFlow's look-ups take 8 ns each on a CPU core, multiplications and masks a tenth of that. So
where a network is restored inside a graph, its residuals are not stored by `ss_tf.deltas.symbols`,
but as fields of 2, 4 or 8 bits that each stand for

    value = step * (field - zero)    modulo 256

and the few values that no field gives are listed with their places. A deflate stream of all of it
takes about as much as the bank's form: 4 % more on sub networks of a full-width ResNet-18 that were
trained at step 4.
"""

from __future__ import annotations

import dataclasses
import zlib

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
# What an exception takes when compressed, seen on real networks.
_EXCEPTION_BYTES = 2.3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fields:
    """Residuals as packed fields and exceptions.

    Attributes:
      bits: of a field: 2, 4 or 8.
      step: what one step of a field stands for, int8 steps.
      packed: uint8 `[n * bits / 8]`; the first field of a byte is in its lowest bits.
      places: int32, ascending: where fields do not give the residual; there they are `ZEROS`.
      values: int8, the residuals there.
    """

    bits: int
    step: int
    packed: np.ndarray
    places: np.ndarray
    values: np.ndarray


def pack(residuals: np.ndarray) -> Fields:
    """Packs residuals into the width that takes the fewest bytes when compressed.

    Args:
      residuals: int8 `[n]`, modulo 256; n is a multiple of `MULTIPLE`.

    Raises:
      ValueError: if n is not.
    """
    if residuals.ndim != 1 or residuals.size % MULTIPLE:
        raise ValueError(
            f"Residuals have shape {residuals.shape}, expected a multiple of {MULTIPLE}."
        )
    counts = np.bincount(residuals.view(np.uint8), minlength=256)
    tried = [_pack(residuals, bits, step=_likely_step(counts, bits)) for bits in sorted(ZEROS)]
    return min(tried, key=_roughly_bytes)


def unpack(fields: Fields) -> np.ndarray:
    """Undoes `pack`. The graph's version is `ss_tf.routing.field_decoding`."""
    mask = (1 << fields.bits) - 1
    shifts = np.arange(0, 8, fields.bits, dtype=np.uint8)
    values = (fields.packed[:, np.newaxis] >> shifts & mask).ravel().astype(np.int16)
    residuals = (fields.step * (values - ZEROS[fields.bits])).astype(np.int8)
    residuals[fields.places] = fields.values
    return residuals


def streams(fields: Fields) -> tuple[bytes, bytes]:
    """Returns two zlib streams: of the packed fields, and of the exceptions' places and values."""
    exceptions = fields.places.astype("<i4").tobytes() + fields.values.tobytes()
    return compress(fields.packed), zlib.compress(exceptions, 9)


def compress(data: np.ndarray) -> bytes:
    """Returns the smaller zlib stream of uint8 data: with matches, or with Huffman codes alone."""
    return min(zlib.compress(data.tobytes(), 9), huffman.compress(data), key=len)


def _roughly_bytes(fields: Fields) -> float:
    """Returns about what fields take when compressed."""
    return huffman.estimate(fields.packed) + _EXCEPTION_BYTES * fields.places.size


def _pack(residuals: np.ndarray, bits: int, *, step: int) -> Fields:
    """Packs residuals into fields of one width."""
    zero, count = ZEROS[bits], 1 << bits
    # Of each byte: the field that stands for it, or that for 0 and an exception.
    given = (step * (np.arange(count) - zero)).astype(np.int8).view(np.uint8)
    field_of = np.full(256, zero, np.uint8)
    field_of[given] = np.arange(count)
    is_exception = np.ones(256, bool)
    is_exception[given] = False
    values = residuals.view(np.uint8)
    places = np.flatnonzero(is_exception[values])
    columns = field_of[values].reshape(-1, 8 // bits)
    packed = np.zeros(len(columns), np.uint8)
    for number, column in enumerate(columns.T):
        packed |= column << np.uint8(number * bits)
    return Fields(
        bits=bits,
        step=step,
        packed=packed,
        places=places.astype(np.int32),
        values=residuals[places],
    )


def _likely_step(counts: np.ndarray, bits: int) -> int:
    """Returns the smallest step that leaves the fewest exceptions.

    Args:
      counts: `[256]`, of each residual modulo 256.
      bits: of a field.
    """
    offsets = np.arange(1 << bits) - ZEROS[bits]
    steps = range(1, LARGEST_STEPS[bits] + 1)
    return max(steps, key=lambda step: counts[np.unique(step * offsets % 256)].sum())
