"""Restores residuals that `ss_tf.deltas.fields` packed, with TensorFlow's own operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf

from ss_tf.deltas import fields

_EVERY_BYTE = 0x01010101
# Subtracts 128 from every byte.
_SIGNS = tf.constant(-0x7F7F7F80, tf.int32)
# Residuals in a word.
_PER_WORD = 4


def residuals(
    packed: Mapping[int, tf.Tensor],
    *,
    bits: tf.Tensor,
    sizes: Sequence[int],
    steps: tf.Tensor,
    places: tf.Tensor,
    values: tf.Tensor,
) -> tf.Tensor:
    """Does what `fields.unpack` does.

    Args:
      packed: bits -> int32, `Fields.packed` as words, the first byte in their lowest bits.
      bits: int32 `[pieces]`: 2, 4 or 8.
      sizes: of the pieces, multiples of `fields.MULTIPLE`; their sum is n. Maybe none.
      steps: int32 `[pieces]`.
      places: int32 `[exceptions]`.
      values: int8, the same shape.

    Returns:
      int8 `[n]`.
    """
    if not sizes:
        return tf.zeros([0], tf.int8)
    pieces = [
        _pieces(_unpacked(packed[width], width), tf.where(bits == width, sizes, 0), steps, width)
        for width in fields.ZEROS
    ]
    # Each piece is there in every width, and empty but in its own.
    words = tf.concat([piece for of_widths in zip(*pieces, strict=True) for piece in of_widths], 0)
    unpacked = tf.bitcast(tf.bitwise.bitwise_xor(words, _SIGNS), tf.int8)
    return tf.tensor_scatter_nd_update(tf.reshape(unpacked, [-1]), places[:, tf.newaxis], values)


def _unpacked(words: tf.Tensor, width: int) -> tf.Tensor:
    """Returns words with a field in each of their bytes, in order."""
    if width == 8:
        return words
    mask = ((1 << width) - 1) * _EVERY_BYTE
    return tf.concat(
        [tf.bitwise.right_shift(words, shift) & mask for shift in range(0, 8, width)], axis=0
    )


def _pieces(words: tf.Tensor, sizes: tf.Tensor, steps: tf.Tensor, width: int) -> list[tf.Tensor]:
    """Cuts fields of a width into pieces, and makes them residuals + 128, so that none borrows."""
    counts = sizes // _PER_WORD
    starts = tf.cumsum(counts, exclusive=True)
    places = (tf.unstack(vector[:, tf.newaxis]) for vector in (starts, counts))
    # TensorFlow takes such slices without a copy.
    pieces = [tf.slice(words, start, count) for start, count in zip(*places, strict=True)]
    if width == 8:
        return [tf.bitwise.bitwise_xor(piece, _SIGNS) for piece in pieces]
    offsets = (128 - fields.ZEROS[width] * steps) * _EVERY_BYTE
    steps, offsets = tf.unstack(steps), tf.unstack(offsets)
    return [
        piece * step + offset for piece, step, offset in zip(pieces, steps, offsets, strict=True)
    ]
