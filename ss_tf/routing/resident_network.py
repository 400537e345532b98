"""ResidentNetwork: one int8 network in memory, and the others of a run as compressed deltas to it.

All of it is TensorFlow variables and operations, so it can be exported. A call changes no network:
the kernels of a sub network are made from the base's and a delta, and are gone when it returns, or
stay in a cache. So calls from several threads do not meet, and the base cannot drift.
"""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.models.pure_network import PureNetwork
from ss_tf.routing import packed_sub
from ss_tf.routing.flat_part import HEAD_BIAS, HEAD_KERNEL, FlatPart
from ss_tf.routing.sub_cache import SubCache


class ResidentNetwork(tf.Module):
    """Computes the logits of a base and of sub networks.

    Attributes:
      image_shape: `[height, width, channels]` of an image.
      delta_bytes: of each superclass, what its sub network takes in memory.
      restored_bytes: what the widest sub network takes while it is restored, or in the cache.
      cache: holds the sub networks that were used last; None where none are held.
    """

    def __init__(
        self,
        trunk: PureNetwork | None,
        tail: PureNetwork,
        *,
        base: IntegerNetwork,
        subs: Iterable[IntegerNetwork | None],
        cache_bytes: int = 0,
    ):
        """Makes the base resident, and compresses the sub networks.

        Args:
          trunk: the stages that all networks have in common, or None.
          tail: the others.
          base: the network that deltas are relative to.
          subs: for each superclass its sub network, or None where there is none. Their tensors in
            the trunk are not looked at: they have to be the base's. They are packed as they come,
            and not kept.
          cache_bytes: what the sub networks that stay restored may take in memory, beside the rest;
            0 for none.

        Raises:
          ValueError: if that is not 0, and too little for one sub network.
        """
        super().__init__(name="resident_network")
        self._trunk, self._tail = trunk, tail
        self.image_shape = (trunk or tail).input_shape
        self._trunk_part = FlatPart(trunk.weights if trunk else (), base)
        self._tail_part = FlatPart(tail.weights, base)
        self._trunk_kernels, self._trunk_floats = _variables(self._trunk_part, base, "trunk")
        self._tail_kernels, self._tail_floats = _variables(self._tail_part, base, "tail")
        self._head = _variable(base.kernels[HEAD_KERNEL], "head/kernel")
        self._bias = _variable(base.floats[HEAD_BIAS], "head/bias")
        data, sizes, numbers, widths = io.BytesIO(), [], [], []
        for sub in subs:
            packed = packed_sub.none(self._tail_part)
            if sub is not None:
                packed = packed_sub.pack(self._tail_part, base=base, sub=sub)
                widths.append(packed.num_classes)
            sizes.append([data.write(part) for part in (*packed.kernel_streams, packed.rest)])
            numbers.append(packed.numbers)
        # One string of all: hundreds of strings, and what was allocated between them, would leave
        # holes in the heap that take half as much again.
        self._data = _variable(data.getvalue(), "deltas/data")
        self._sizes = np.array(sizes, np.int64)
        self._starts = np.cumsum(self._sizes).reshape(self._sizes.shape) - self._sizes
        self._numbers = _variable(numbers, "deltas/numbers")
        self.delta_bytes = (self._sizes.sum(axis=1) + 4 * len(numbers[0])).tolist()
        self.restored_bytes = self._tail_part.num_bytes + (
            (self._head.shape[0] + 4) * max(widths, default=0)
        )
        self.cache = self._cache(cache_bytes, num_subs=len(widths))

    def features(self, images: tf.Tensor) -> tf.Tensor:
        """Returns what the trunk makes of images `[batch, *image_shape]`; without one, the images.

        Args:
          images: float32, normalised as for training.
        """
        if self._trunk is None:
            return images
        weights = self._trunk_part.weights(self._trunk_kernels, self._trunk_floats)
        return self._trunk(images, weights)

    def base_logits(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the base's logits, float32 `[batch, classes of the base]`."""
        return self._logits(
            features,
            packed_sub.Restored(self._tail_kernels, self._tail_floats, self._head, self._bias),
        )

    def sub_logits(self, superclass: tf.Tensor, features: tf.Tensor) -> tf.Tensor:
        """Returns the logits of a sub network, float32 `[batch, its subclasses]`.

        Args:
          superclass: integer scalar; one that has a sub network.
          features: of `features`.
        """
        if self.cache is None:
            return self._logits(features, self.restore(superclass))
        tensors = self.cache.get(superclass, lambda: self.restore(superclass))
        return self._logits(features, tensors)

    def restore(self, superclass: tf.Tensor) -> packed_sub.Restored:
        """Returns the tensors of a sub network, for the stages after the trunk."""
        starts, sizes = (tf.gather(table, superclass) for table in (self._starts, self._sizes))
        parts = tf.strings.substr(self._data, starts, sizes)
        return packed_sub.restore(
            parts[:-1],
            parts[-1],
            self._numbers[superclass],
            self._tail_part,
            base_kernels=self._tail_kernels,
            base_floats=self._tail_floats,
            num_features=self._head.shape[0],
        )

    def _cache(self, num_bytes: int, *, num_subs: int) -> SubCache | None:
        if num_bytes == 0 or num_subs == 0:
            return None
        if num_bytes < self.restored_bytes:
            raise ValueError(
                f"The cache (--cache_mb) has {num_bytes:,} bytes, expected 0 or at least the "
                f"{self.restored_bytes:,} that one sub network takes."
            )
        num_slots = min(num_bytes // self.restored_bytes, num_subs)
        return SubCache(num_slots, num_features=self._head.shape[0])

    def _logits(self, features: tf.Tensor, tensors: packed_sub.Restored) -> tf.Tensor:
        part = self._tail_part
        weights = part.weights(tensors.kernels, tensors.floats)
        scale = part.head_scale(tensors.floats)
        weights[HEAD_KERNEL] = tf.cast(tensors.head, tf.float32) * scale
        weights[HEAD_BIAS] = tensors.bias
        return self._tail(features, weights)


def _variables(part: FlatPart, base: IntegerNetwork, name: str) -> tuple[tf.Variable, tf.Variable]:
    kernels = _variable(part.kernel_vector(base), f"{name}/kernels")
    return kernels, _variable(part.float_vector(base), f"{name}/floats")


def _variable(value: object, name: str) -> tf.Variable:
    return tf.Variable(value, trainable=False, name=name)
