"""Trainer: fits networks of one shape, resumably, one compiled step for all of them."""

from __future__ import annotations

import dataclasses
import itertools
import math
import pathlib
import time
from collections.abc import Callable, Mapping

import tf_keras as keras

from ss_tf.config import FitConfig
from ss_tf.data import input_pipeline
from ss_tf.data.examples import Examples, ImageFormat
from ss_tf.training import checkpoint, schedules
from ss_tf.training.anchored_sgd import Anchor
from ss_tf.training.checkpoint import Position
from ss_tf.training.distribution import Devices
from ss_tf.training.progress import Progress
from ss_tf.training.step import Steps

# Batch norm's averages forget nine tenths of their past in 22 steps (momentum 0.9), and are used
# instead of the batch's own statistics from the next moment on. A small sub network has 10 steps an
# epoch: without settling, its averages are those of weights long gone (measured on 660 images of
# six typefaces: 82 % right in training mode, 47 % in inference mode).
_SETTLING_STEPS = 40


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """What one network learns.

    Attributes:
      title: shown with the progress, e.g. "[3/14] sub/latin float".
      train, minival: examples whose labels are the classes `0..num_classes-1`.
      dataset: the format of the images.
      num_classes: classes in use, at most the width of the network's head.
      image_size: side of the images in evaluation, pixels.
      checkpoint_file: where the unfinished phase is kept.
      origin: names what the network starts from; a checkpoint of another origin is refused.
      on_epoch: called with (epoch, values) after each epoch.
    """

    title: str
    train: Examples
    minival: Examples
    dataset: ImageFormat
    num_classes: int
    image_size: int
    checkpoint_file: pathlib.Path
    origin: str
    on_epoch: Callable[[int, Mapping[str, float | None]], None]


class Trainer:
    """A network with its optimizer and compiled steps.

    The ten sub networks of a run differ in weights and in how many columns of a common head they
    use. Training them through one Trainer compiles the step once, which takes longer than a whole
    epoch of a small sub network.
    """

    def __init__(
        self,
        model: keras.Model,
        config: FitConfig,
        *,
        devices: Devices,
        jit_compile: bool,
        anchor: Anchor | None = None,
    ):
        """Takes a network (shared, not copied; float or quantization-aware) and the optimizer.

        With several devices, its likeness on them is trained, and it is brought up to date at the
        end of every epoch.
        """
        self.model = model
        self._config, self._devices = config, devices
        self._placed = devices.place(model)
        self._steps = Steps(
            self._placed, config, devices=devices, jit_compile=jit_compile, anchor=anchor
        )
        self._share_state = devices.sharer(self._steps.state())
        self._average_batch_norm = devices.averager(self._placed)

    def fit(self, task: Task) -> None:
        """Trains the network from its present weights, or from the task's checkpoint if any.

        Raises:
          ValueError: if the checkpoint is damaged, or the loss stops being finite.
        """
        position = self._start(task)
        steps = self._num_steps(task)
        with Progress(
            task.title,
            self._config,
            num_steps=self._config.epochs * steps,
            done_steps=position.epoch * steps + position.step,
            is_shown=self._devices.is_chief,
        ) as progress:
            saver = _Saver(self._config.checkpoint_minutes)
            while position.epoch < self._config.epochs:
                self._run_epoch(task, position, progress=progress, saver=saver)
                position = Position(position.epoch + 1, step=0, seconds=0.0)

    def top1(self, examples: Examples, task: Task) -> float | None:
        """Returns the share of examples decided rightly, None if there are none."""
        if not len(examples):
            return None
        self._steps.evaluated_correct.assign(0.0)
        for batch in self._devices.batches(
            lambda shard: input_pipeline.eval_batches(
                examples,
                task.dataset,
                image_size=task.image_size,
                batch_size=self._config.batch_size,
                shard=shard,
            )
        ):
            self._steps.evaluate(batch)
        return self._read(self._steps.evaluated_correct) / len(examples)

    def _start(self, task: Task) -> Position:
        """Returns where to begin: where the task's checkpoint ends, or with a fresh optimizer."""
        devices, steps = self._devices, self._steps
        devices.load(self.model, into=self._placed)
        steps.num_classes.assign(task.num_classes)
        steps.reset()
        position = Position(epoch=0, step=0, seconds=0.0)
        if devices.is_chief and task.checkpoint_file.is_file():
            position = checkpoint.restore(task.checkpoint_file, steps.state(), origin=task.origin)
        self._share_state()
        epoch, step, seconds = devices.from_chief(dataclasses.astuple(position))
        return Position(int(epoch), int(step), seconds)

    def _run_epoch(self, task, position, *, progress, saver):
        """Trains from a position in an epoch to its end, and records the epoch."""
        config, epoch = self._config, position.epoch
        steps = self._num_steps(task)
        if position.step == 0:
            self._steps.loss_sum.assign(0.0)
            self._steps.correct.assign(0.0)
        began = time.monotonic() - position.seconds
        batches = self._batches(task, epoch, start_step=position.step)
        for step, batch in enumerate(batches, start=position.step):
            rate = schedules.warmup_cosine(
                epoch * steps + step,
                peak=config.learning_rate,
                warmup_steps=config.warmup_epochs * steps,
                total_steps=config.epochs * steps,
            )
            self._steps.train(batch, rate)
            done = Position(epoch, step + 1, time.monotonic() - began)
            self._after_step(task, done, progress=progress, saver=saver)
        if epoch == config.epochs - 1:
            self._finish(task, already=steps)
        self._average_batch_norm()
        values = {
            "loss": self._read(self._steps.loss_sum) / steps,
            "train_top1": self._read(self._steps.correct) / (steps * config.batch_size),
            "images": (epoch + 1) * len(task.train),
            "seconds": time.monotonic() - began,
            "minival_top1": self.top1(task.minival, task),
        }
        self._devices.fetch(self._placed, into=self.model)
        task.on_epoch(epoch, values)

    def _after_step(self, task, done, *, progress, saver):
        """Shows and keeps what is done; all workers do so after the same steps."""
        devices, is_last = self._devices, done.step == self._num_steps(task)
        is_drawn = progress.advance()
        if not (devices.is_meeting(done.step) or is_last):
            return
        is_due = devices.agree(saver.is_due())
        if is_drawn or is_due or is_last or devices.has_workers:
            loss = self._read(self._steps.loss_sum) / done.step
            top1 = self._read(self._steps.correct) / (done.step * self._config.batch_size)
            progress.show(epoch=done.epoch, loss=loss, top1=top1)
        if is_due:
            self._average_batch_norm()
            if devices.is_chief:
                values = devices.read(self._steps.state())
                checkpoint.save(task.checkpoint_file, values, done, origin=task.origin)
            saver.restart()

    def _finish(self, task, *, already):
        """Turns to the average of the weights, if one is kept, and settles batch norm.

        The last steps of an epoch learn at almost no rate, so they count as settling: a network
        with many steps needs no more. An average of the weights is new to batch norm.
        """
        missing = _SETTLING_STEPS - already
        if self._config.ema_decay:
            self._steps.adopt_average()
            missing = _SETTLING_STEPS
        if missing > 0:
            num_epochs = math.ceil(missing / already)
            batches = self._batches(task, self._config.epochs, num_epochs=num_epochs)
            for batch in itertools.islice(batches, missing):
                self._steps.settle(batch)

    def _batches(self, task, epoch, *, num_epochs=1, start_step=0):
        """Returns the training batches of an epoch, or of several."""
        return self._devices.batches(
            lambda shard: input_pipeline.train_batches(
                task.train,
                task.dataset,
                fit=self._config,
                epoch=epoch,
                num_epochs=num_epochs,
                start_step=start_step,
                shard=shard,
            )
        )

    def _num_steps(self, task) -> int:
        """Returns the steps of an epoch."""
        return input_pipeline.steps_per_epoch(len(task.train), self._config.batch_size)

    def _read(self, counter) -> float:
        return float(self._devices.read([counter])[0])


class _Saver:
    """Knows when the last checkpoint is old enough for a new one."""

    def __init__(self, minutes: float):
        self._minutes = minutes
        self.restart()

    def is_due(self) -> bool:
        return time.monotonic() - self._saved_at >= 60 * self._minutes

    def restart(self) -> None:
        self._saved_at = time.monotonic()
