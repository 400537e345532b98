"""PackedSub: a sub network relative to the base, in a form that a graph restores."""

from __future__ import annotations

import dataclasses
import zlib

import numpy as np
import tensorflow as tf

from ss_tf.deltas import fields
from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.routing import field_decoding
from ss_tf.routing.flat_part import HEAD_BIAS, HEAD_KERNEL, FlatPart

# Bits of a field -> streams that fields of that width are cut into: TensorFlow inflates them
# side by side. Of 8 bits there are few, unless a sub network is far from the base.
_STREAMS_OF = {2: 2, 4: 2, 8: 1}
STREAMS = sum(_STREAMS_OF.values())


@dataclasses.dataclass(frozen=True, kw_only=True)
class PackedSub:
    """What is stored of a sub network, but for the stages it shares with the base.

    Attributes:
      kernel_streams: packed fields of the kernels' residuals, cut into `STREAMS` pieces, the
        narrowest first.
      rest: exceptions among the residuals (places as int32, then values), the head's kernel, then
        scales, floats and the head's bias: of float32, the bits that differ from the base's, first
        bytes first.
      num_classes: width of its head.
      num_exceptions: among the residuals.
      bits: of a field of each kernel.
      steps: of the fields of each kernel.
    """

    kernel_streams: tuple[bytes, ...]
    rest: bytes
    num_classes: int
    num_exceptions: int
    bits: tuple[int, ...]
    steps: tuple[int, ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        """All of its numbers, as `restore` takes them."""
        return (self.num_classes, self.num_exceptions, *self.bits, *self.steps)

    @property
    def num_bytes(self) -> int:
        """What it takes in memory."""
        return sum(map(len, self.kernel_streams)) + len(self.rest) + 4 * len(self.numbers)


def pack(part: FlatPart, *, base: IntegerNetwork, sub: IntegerNetwork) -> PackedSub:
    """Compresses a part of a sub network.

    Args:
      part: which tensors are stored.
      base: the network that they are relative to.
      sub: of the same shapes, but for the head's width.
    """
    residuals = part.kernel_vector(sub) - part.kernel_vector(base)
    packed = fields.pack(residuals, part.kernel_sizes)
    head = sub.kernels[HEAD_KERNEL]
    differing = part.float_vector(sub).view(np.uint32) ^ part.float_vector(base).view(np.uint32)
    floats = np.concatenate([differing, sub.floats[HEAD_BIAS].view(np.uint32)])
    rest = b"".join(
        [
            fields.exception_bytes(packed),
            head.tobytes(),
            floats.astype("<u4").view(np.uint8).reshape(-1, 4).T.tobytes(),
        ]
    )
    return PackedSub(
        kernel_streams=tuple(
            fields.compress(words.view(np.uint8))
            for bits, count in _STREAMS_OF.items()
            for words in np.array_split(packed.packed[bits].view("<u4"), count)
        ),
        rest=zlib.compress(rest, 9),
        num_classes=head.shape[-1],
        num_exceptions=packed.places.size,
        bits=packed.bits,
        steps=packed.steps,
    )


def none(part: FlatPart) -> PackedSub:
    """Returns what stands where a superclass has no sub network."""
    return PackedSub(
        kernel_streams=(b"",) * STREAMS,
        rest=b"",
        num_classes=0,
        num_exceptions=0,
        bits=(0,) * len(part.kernel_sizes),
        steps=(0,) * len(part.kernel_sizes),
    )


@dataclasses.dataclass(frozen=True)
class Restored:
    """Tensors of a sub network in a graph.

    Attributes:
      kernels: int8 `[part.num_kernel_values]`.
      floats: float32 `[part.num_floats]`.
      head: int8 `[features, classes]`.
      bias: float32 `[classes]`.
    """

    kernels: tf.Tensor
    floats: tf.Tensor
    head: tf.Tensor
    bias: tf.Tensor


def restore(
    kernel_streams: tf.Tensor,
    rest: tf.Tensor,
    numbers: tf.Tensor,
    part: FlatPart,
    *,
    base_kernels: tf.Tensor,
    base_floats: tf.Tensor,
    num_features: int,
) -> Restored:
    """Undoes `pack` in a graph.

    Args:
      kernel_streams: string `[STREAMS]`.
      rest: string scalar.
      numbers: int32, `PackedSub.numbers`.
      part: of `pack`.
      base_kernels: int8, the base's kernel vector.
      base_floats: float32, its float vector.
      num_features: inputs of the head.
    """
    classes, exceptions = tf.unstack(numbers[:2])
    bits, steps = tf.split(numbers[2:], 2)
    streams = iter(tf.unstack(kernel_streams, STREAMS))
    packed = {
        width: tf.concat([_inflate(next(streams), tf.int32) for _ in range(count)], axis=0)
        for width, count in _STREAMS_OF.items()
    }
    data = _inflate(rest)
    places, values, head, floats = tf.split(
        data,
        [4 * exceptions, exceptions, num_features * classes, -1],
    )
    residuals = field_decoding.residuals(
        packed,
        bits=bits,
        sizes=part.kernel_sizes,
        steps=steps,
        places=tf.bitcast(tf.reshape(places, [-1, 4]), tf.int32),
        values=tf.bitcast(values, tf.int8),
    )
    words = tf.bitcast(tf.transpose(tf.reshape(floats, [4, -1])), tf.int32)
    differing, bias = words[:-classes], words[-classes:]
    base_words = tf.bitcast(base_floats, tf.int32)
    return Restored(
        # The sum of int8 wraps, as the difference did.
        kernels=base_kernels + residuals,
        floats=tf.bitcast(tf.bitwise.bitwise_xor(differing, base_words), tf.float32),
        head=tf.reshape(tf.bitcast(head, tf.int8), [num_features, classes]),
        bias=tf.bitcast(bias, tf.float32),
    )


def _inflate(stream: tf.Tensor, dtype: tf.DType = tf.uint8) -> tf.Tensor:
    return tf.io.decode_raw(tf.io.decode_compressed(stream, "ZLIB"), dtype)
