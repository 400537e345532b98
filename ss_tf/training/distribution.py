"""Devices: how the work of a training is laid on devices, of one machine or of several.

On several machines one process each, a worker, runs the whole program, and every step is taken by
all of them together. The first is the chief: it alone writes files, and what depends on files is
its decision. A *collective* is a call that every worker must make at the same place of its program,
for each waits there for all others. With a single device, none of them does anything.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf
import tf_keras as keras

from ss_tf.config import DeviceConfig
from ss_tf.data.input_pipeline import Shard
from ss_tf.models import quantization, variables

_EXAMPLE = (
    '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
)
_ERRORS_OF_A_LOST_WORKER = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
)
# Asking the chief makes the others wait for it; once in so many steps that costs nothing.
_STEPS_BETWEEN_MEETINGS = 10


class Devices:
    """The devices of a run, and what has to be done by all of them together.

    Variables are of two kinds: mirrored ones are kept equal on all devices by the steps themselves;
    batch norm's moving averages are not, for each device sees its own part of a batch.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        self._strategy = strategy
        self._share_numbers = tf.function(
            lambda numbers: self.run(lambda own: self.total(_of_first_device([own])), numbers),
            autograph=False,
        )

    @property
    def num_devices(self) -> int:
        """Devices of all workers."""
        return self._strategy.num_replicas_in_sync

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes files."""
        return self._strategy.extended.should_checkpoint

    @property
    def has_workers(self) -> bool:
        """Whether there are other processes."""
        return self._strategy.cluster_resolver is not None

    def check_batch(self, batch_size: int) -> None:
        """Raises ValueError unless a batch can be cut into equal parts, one for each device."""
        if batch_size % self.num_devices:
            raise ValueError(
                f"--batch_size is {batch_size}, expected a multiple of {self.num_devices}: each "
                "batch is shared out to so many devices."
            )

    def is_meeting(self, step: int) -> bool:
        """Tells whether workers may come to an agreement after this step."""
        return not self.has_workers or step % _STEPS_BETWEEN_MEETINGS == 0

    def scope(self):
        """Returns a context in which variables are made on every device."""
        return self._strategy.scope()

    def place(self, model: keras.Model) -> keras.Model:
        """Returns the model itself for a single device, else its likeness on all of them."""
        if self.num_devices == 1:
            return model
        with self.scope():
            return quantization.replicate(model)

    def load(self, values: keras.Model, *, into: keras.Model) -> None:
        """Sets a model of `place` to what the model it was made from holds."""
        if into is not values:
            variables.assign(into, variables.values_by_name(values))

    def fetch(self, placed: keras.Model, *, into: keras.Model) -> None:
        """Undoes `load`; batch norm's averages must be equal on all devices by now."""
        if into is not placed:
            by_name = variables.by_name(placed)
            variables.assign(into, dict(zip(by_name, self.read(by_name.values()), strict=True)))

    def batches(self, build: Callable[[Shard], tf.data.Dataset]) -> Iterable:
        """Returns batches as `run` takes them; each process builds its own part of them."""

        def build_own(context: tf.distribute.InputContext) -> tf.data.Dataset:
            count = context.num_input_pipelines
            replicas = context.num_replicas_in_sync // count
            return build(Shard(context.input_pipeline_id, count, replicas))

        return self._strategy.distribute_datasets_from_function(build_own)

    def run(self, function: Callable, *arguments):
        """Calls a function on every device, with its own part of each argument."""
        return self._strategy.run(function, args=arguments)

    def total(self, tensors: list[tf.Tensor]) -> list[tf.Tensor]:
        """Returns, inside `run`, the sums over all devices; tensors of one dtype."""
        if self.num_devices == 1:
            return tensors
        # A tensor from outside has no device, and the sum would not know where to go.
        tensors = [tf.identity(tensor) for tensor in tensors]
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tensors)

    def read(self, mirrored: Iterable[tf.Variable]) -> list[np.ndarray]:
        """Returns the variables' values on this process's first device."""
        local = self._strategy.experimental_local_results
        return [local(variable)[0].numpy() for variable in mirrored]

    def sharer(self, shared: Sequence[tf.Variable]) -> Callable[[], None]:
        """Returns a collective that gives all devices what the chief's first has in variables."""
        floats = [variable for variable in shared if variable.dtype.is_floating]
        counters = [variable for variable in shared if not variable.dtype.is_floating]

        def take_the_firsts():
            # Not every device adds integers up. Float64 is exact up to 2 ** 53.
            for some, dtype in ((floats, tf.float32), (counters, tf.float64)):
                _assign(some, self.total(_of_first_device([tf.cast(v, dtype) for v in some])))

        return self._compiled(take_the_firsts)

    def averager(self, model: keras.Model) -> Callable[[], None]:
        """Returns a collective that sets batch norm's averages to their mean over the devices."""
        on_read = tf.VariableSynchronization.ON_READ
        own = [variable for variable in model.variables if variable.synchronization == on_read]

        def take_the_mean():
            _assign(own, self.total([value / self.num_devices for value in own]))

        return self._compiled(take_the_mean)

    def from_chief(self, numbers: Sequence[float]) -> list[float]:
        """Returns the chief's numbers on every worker: a collective."""
        if not self.has_workers:
            return list(numbers)
        (shared,) = self._share_numbers(tf.constant(numbers, tf.float64))
        return self._strategy.experimental_local_results(shared)[0].numpy().tolist()

    def agree(self, statement: bool) -> bool:
        """Returns whether the chief says so: a collective."""
        return bool(self.from_chief([statement])[0])

    def wait(self) -> None:
        """Waits until every worker is here: a collective."""
        self.agree(True)

    def _compiled(self, function: Callable[[], None]) -> Callable[[], None]:
        """Returns what calls a function on every device; with only one there is nothing to do."""
        if self.num_devices == 1:
            return lambda: None
        # A lambda would be one function to TensorFlow, which would warn of its many versions.
        return tf.function(functools.partial(self.run, function), autograph=False)


@contextlib.contextmanager
def lost_workers_explained() -> Iterator[None]:
    """Turns the errors that follow when a worker dies or stops into one that says what to do.

    Raises:
      ValueError: naming the worker, if it is known.
    """
    try:
        yield
    except _ERRORS_OF_A_LOST_WORKER as error:
        if "TF_CONFIG" not in os.environ:
            raise
        named = re.findall(r"/job:(\w+)/(?:replica:\d+/)?task:(\d+)", str(error))
        task = json.loads(os.environ["TF_CONFIG"])["task"]
        others = [place for place in named if place != (task["type"], str(task["index"]))]
        who = " ".join(others[0]) if others else "one of the others"
        raise ValueError(
            f"lost a worker ({who}): its own output may say why. All stop. Start all workers again "
            "with the same --run_dir to go on from the last checkpoint."
        ) from error


def start(config: DeviceConfig) -> Devices:
    """Returns the devices to work on. Several workers wait here for each other.

    With "multi_worker", nothing may have used TensorFlow before.

    Raises:
      ValueError: if the environment variable TF_CONFIG does not say who the workers are, or if
        they cannot meet there.
    """
    if config.strategy == "default":
        return Devices(tf.distribute.get_strategy())
    tf.get_logger().setLevel("WARNING")  # It tells of every collective that is built.
    if config.strategy == "multi_worker" and (place := _place_among_workers()):
        print(f"Worker {place}: waiting for the others.")
        try:
            return Devices(tf.distribute.MultiWorkerMirroredStrategy())
        except tf.errors.OpError as error:
            raise ValueError(f"The workers did not come together: {error.message}") from error
    kinds = [tf.config.list_logical_devices(kind) for kind in ("GPU", "CPU")]
    names = [device.name for device in kinds[0] or kinds[1]]
    if len(names) == 1:
        return Devices(tf.distribute.get_strategy())
    return Devices(tf.distribute.MirroredStrategy(names))


def _place_among_workers() -> str | None:
    """Reads TF_CONFIG; returns for example "2 of 3", or None if there are no others.

    Raises:
      ValueError: if it is not set, or not as expected.
    """
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        own = cluster[task["type"]][int(task["index"])]
        everyone = [*cluster.get("chief", ()), *cluster.get("worker", ())]
        is_good = set(cluster) <= {"chief", "worker"} and len(set(everyone)) == len(everyone)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        is_good = False
    if not is_good:
        raise ValueError(
            f"TF_CONFIG is {text!r}, expected the addresses of all workers and the place of this "
            f"one in them, for example {_EXAMPLE} (--strategy=multi_worker)."
        )
    return f"{everyone.index(own) + 1} of {len(everyone)}" if len(everyone) > 1 else None


def _of_first_device(values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Returns, inside `run`, the values on the chief's first device, and zeros on any other."""
    is_first = tf.equal(tf.distribute.get_replica_context().replica_id_in_sync_group, 0)
    return [tf.where(is_first, value, tf.zeros_like(value)) for value in values]


def _assign(targets: Sequence[tf.Variable], values: Sequence[tf.Tensor]) -> None:
    for target, value in zip(targets, values, strict=True):
        target.assign(tf.cast(value, target.dtype))
