"""SubCache: the sub networks that were used last stay restored, within a budget of bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import tensorflow as tf

from ss_tf.routing.packed_sub import Restored

# Resource of the lock. A name, and not a handle made here, so that a graph that was saved makes the
# lock itself. Caches of one process share it: it is held for microseconds.
_LOCK = "ss_tf/sub_cache/lock"
_EMPTY = -1


class SubCache(tf.Module):
    """Slots that each hold one restored sub network; the one used longest ago makes way.

    Any number of calls may run at once. A lock is held while a slot is looked up, read or written,
    but not while a sub network is restored, so a miss keeps nobody waiting. Tensors pass in and out
    of slots without a copy: a call keeps those it got while another fills the slot anew.

    Slots take memory as they are filled. A model that is saved takes along what they hold then.

    Attributes:
      num_slots: how many there are.
      hits: int64 variable, how many sub networks were found.
      misses: int64 variable, how many were restored.
    """

    def __init__(self, num_slots: int, *, num_features: int):
        """Makes empty slots.

        Args:
          num_slots: at least 1.
          num_features: inputs of the head.
        """
        super().__init__(name="sub_cache")
        self.num_slots = num_slots
        self._num_features = num_features
        self.hits, self.misses = _counter(0, "hits"), _counter(0, "misses")
        # Of each slot, what it holds, and the number of lookups when it was used last.
        self._held = _counter([_EMPTY] * num_slots, "held")
        self._last_used = _counter([0] * num_slots, "last_used")
        self._slots = [_empty_slot(f"slot{number}", num_features) for number in range(num_slots)]
        head, floats = tf.TensorSpec([num_features, None], tf.int8), tf.TensorSpec([None])
        tensors = [tf.TensorSpec([None], tf.int8), floats, head, floats]
        number = tf.TensorSpec([], tf.int64)
        # Whole functions, so that those of one graph follow one another: else one could hold the
        # lock while it waits for a variable that another is to write.
        self._look_up = tf.function(self._locked_look_up, input_signature=[number], autograph=False)
        self._store = tf.function(
            self._locked_store, input_signature=[number, *tensors], autograph=False
        )

    def get(self, superclass: tf.Tensor, restore: Callable[[], Restored]) -> Restored:
        """Returns the tensors of a sub network.

        Args:
          superclass: integer scalar, 0 or more.
          restore: makes them; used where no slot has them.
        """
        superclass = tf.cast(superclass, tf.int64)
        is_held, *found = self._look_up(superclass)

        def miss() -> list[tf.Tensor]:
            tensors = restore()
            return self._store(
                superclass, tensors.kernels, tensors.floats, tensors.head, tensors.bias
            )

        return Restored(*tf.cond(is_held, lambda: found, miss))

    def _locked_look_up(self, superclass: tf.Tensor) -> list[tf.Tensor]:
        """Returns whether a slot holds the superclass, and its tensors; if none does, empty ones.

        Tensors of any slot would do, but keep what another call evicts meanwhile in memory.
        """

        def body() -> tuple[list[tf.Tensor], list[tf.Operation]]:
            matches = self._held.read_value() == superclass
            is_held = tf.reduce_any(matches)
            hits = self.hits.read_value() + tf.cast(is_held, tf.int64)
            misses = self.misses.read_value() + tf.cast(~is_held, tf.int64)
            last_used = tf.where(matches, hits + misses, self._last_used.read_value())
            slot = tf.where(is_held, tf.argmax(matches), self.num_slots)
            tensors = self._at(slot, _read, beyond=self._nothing)
            return [is_held, *tensors], [
                _write(self.hits, hits),
                _write(self.misses, misses),
                _write(self._last_used, last_used),
            ]

        return _exclusively([superclass], body)

    def _locked_store(self, superclass: tf.Tensor, *tensors: tf.Tensor) -> list[tf.Tensor]:
        """Puts tensors into a slot; returns them."""
        kernels, floats, head, bias = tensors
        # These are pieces of larger buffers, which a slot would keep alive.
        tensors = [kernels, floats, tf.raw_ops.DeepCopy(x=head), tf.raw_ops.DeepCopy(x=bias)]

        def body() -> tuple[list[tf.Tensor], list[tf.Operation]]:
            held, last_used = self._held.read_value(), self._last_used.read_value()
            matches = held == superclass
            # Another call may have stored it since the lookup.
            slot = tf.where(tf.reduce_any(matches), tf.argmax(matches), tf.argmin(last_used))
            is_slot = tf.range(self.num_slots, dtype=tf.int64) == slot
            lookups = self.hits.read_value() + self.misses.read_value()
            filled = self._at(slot, lambda variables: _fill(variables, tensors))
            return tensors, [
                filled,
                _write(self._held, tf.where(is_slot, superclass, held)),
                _write(self._last_used, tf.where(is_slot, lookups, last_used)),
            ]

        return _exclusively([superclass, *tensors], body)

    def _at(
        self,
        slot: tf.Tensor,
        act: Callable[[Sequence[tf.Variable]], object],
        *,
        beyond: Callable[[], object] | None = None,
    ) -> object:
        """Returns what a function makes of a slot's variables; the slot is known when it runs.

        Args:
          slot: integer scalar; `num_slots` for none, if there is `beyond`.
          act: takes the variables.
          beyond: gives the result for no slot.
        """

        def branch(variables: Sequence[tf.Variable]) -> Callable[[], object]:
            return lambda: act(variables)

        branches = [*map(branch, self._slots), *([beyond] if beyond else [])]
        return tf.switch_case(tf.cast(slot, tf.int32), branches)

    def _nothing(self) -> list[tf.Tensor]:
        """Returns tensors of a slot's dtypes and ranks, without values."""
        return _empty_tensors(self._num_features)


def _exclusively(
    needed: Iterable[tf.Tensor],
    body: Callable[[], tuple[list[tf.Tensor], list[tf.Operation]]],
) -> list[tf.Tensor]:
    """Runs operations while no other call runs such.

    What `tf.CriticalSection` does; its lock is one of the process that made it, and is not saved.

    Args:
      needed: what the operations wait for; it is there before the lock is taken.
      body: returns the results, and what else has to be done before the lock is free.
    """
    with tf.device("CPU:0"):
        mutex = tf.raw_ops.MutexV2(shared_name=_LOCK)
    with tf.control_dependencies(needed):
        lock = tf.raw_ops.MutexLock(mutex=mutex)
    with tf.control_dependencies([lock]):
        results, effects = body()
    with tf.control_dependencies([*results, *effects]):
        released = tf.raw_ops.ConsumeMutexLock(mutex_lock=lock)
    with tf.control_dependencies([released]):
        return [tf.identity(result) for result in results]


def _read(variables: Sequence[tf.Variable]) -> list[tf.Tensor]:
    return [variable.read_value() for variable in variables]


def _fill(variables: Sequence[tf.Variable], tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns a tensor that is there once the variables are written."""
    for variable, tensor in zip(variables, tensors, strict=True):
        _write(variable, tensor)
    return tf.constant(True)


def _write(variable: tf.Variable, value: tf.Tensor) -> tf.Operation:
    return variable.assign(value, read_value=False)


def _counter(value: object, name: str) -> tf.Variable:
    return tf.Variable(value, trainable=False, dtype=tf.int64, name=name)


def _empty_slot(name: str, num_features: int) -> list[tf.Variable]:
    """Returns variables of kernels, floats, head and bias, which take no memory yet."""
    parts = {"kernels": [None], "floats": [None], "head": [num_features, None], "bias": [None]}
    return [
        tf.Variable(nothing, trainable=False, shape=shape, name=f"{name}/{part}")
        for (part, shape), nothing in zip(parts.items(), _empty_tensors(num_features), strict=True)
    ]


def _empty_tensors(num_features: int) -> list[tf.Tensor]:
    """Returns kernels, floats, head and bias of no values."""
    return [
        tf.zeros([0], tf.int8),
        tf.zeros([0], tf.float32),
        tf.zeros([num_features, 0], tf.int8),
        tf.zeros([0], tf.float32),
    ]
