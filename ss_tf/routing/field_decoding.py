"""Restores residuals that `ss_tf.deltas.fields` packed, with TensorFlow's own operations."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from ss_tf.deltas import fields

_EVERY_BYTE = 0x01010101
# Subtracts 128 from every byte.
_SIGNS = tf.constant(-0x7F7F7F80, tf.int32)


def residuals(
    packed: tf.Tensor,
    *,
    bits: tf.Tensor,
    sizes: Sequence[int],
    steps: tf.Tensor,
    places: tf.Tensor,
    values: tf.Tensor,
) -> tf.Tensor:
    """Does what `fields.unpack` does.

    Args:
      packed: uint8 `[n * bits / 8]`.
      bits: int32 scalar: 2, 4 or 8.
      sizes: of the pieces, multiples of `fields.MULTIPLE`; their sum is n. Maybe none.
      steps: int32 `[pieces]`.
      places: int32 `[exceptions]`.
      values: int8, the same shape.

    Returns:
      int8 `[n]`.
    """
    if not sizes:
        return tf.zeros([0], tf.int8)
    unpacked = tf.switch_case(
        # 0, 1 and 2.
        bits // 3,
        {
            0: lambda: _signed(_fields_of_2(packed), sizes, steps, zero=fields.ZEROS[2]),
            1: lambda: _signed(_fields_of_4(packed), sizes, steps, zero=fields.ZEROS[4]),
            2: lambda: tf.bitcast(packed, tf.int8),
        },
    )
    return tf.tensor_scatter_nd_update(unpacked, places[:, tf.newaxis], values)


def _fields_of_2(packed: tf.Tensor) -> tf.Tensor:
    """Returns int32 words with a field of the byte in each of their bytes."""
    words = tf.cast(packed, tf.int32)
    # A product is a sum of shifted copies, which do not overlap: .... ..ab ..cd for abcd.
    return (words * 0x1001 & 0x000F000F) * 0x41 & 0x03030303


def _fields_of_4(packed: tf.Tensor) -> tf.Tensor:
    """Returns int32 words with a field of two bytes in each of theirs."""
    words = tf.cast(tf.bitcast(tf.reshape(packed, [-1, 2]), tf.uint16), tf.int32)
    words = (words | words * 0x100) & 0x00FF00FF
    return (words | words * 0x10) & 0x0F0F0F0F


def _signed(words: tf.Tensor, sizes: Sequence[int], steps: tf.Tensor, *, zero: int) -> tf.Tensor:
    """Returns `step * (field - zero)` of every byte, int8 and flat."""
    # 128 more in every byte, so that none borrows from the next.
    offsets = (128 - zero * steps) * _EVERY_BYTE
    pieces = tf.split(words, [size // fields.MULTIPLE for size in sizes])
    # Each piece is a slice, so this is one pass over the words.
    words = tf.concat([piece * steps[i] + offsets[i] for i, piece in enumerate(pieces)], axis=0)
    return tf.reshape(tf.bitcast(tf.bitwise.bitwise_xor(words, _SIGNS), tf.int8), [-1])
