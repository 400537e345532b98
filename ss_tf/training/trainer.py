"""Trainer: fits networks of one shape, resumably, one compiled step for all of them."""

from __future__ import annotations

import dataclasses
import itertools
import math
import pathlib
import sys
import time
from collections.abc import Callable, Mapping

import tensorflow as tf
import tf_keras as keras
import tqdm

from ss_tf.config import FitConfig
from ss_tf.data import input_pipeline
from ss_tf.data.examples import Examples, ImageFormat
from ss_tf.training import checkpoint, schedules

# Added to logits of classes that a padded head does not have: their softmax is exactly 0.
_NEVER = -1e9
# Batch norm's averages forget nine tenths of their past in 22 steps (momentum 0.9), and are used
# instead of the batch's own statistics from the next moment on. A small sub network has 10 steps an
# epoch: without settling, its averages are those of weights long gone (measured on 660 images of
# six typefaces: 82 % right in training mode, 47 % in inference mode).
_SETTLING_STEPS = 40
# A terminal is redrawn often; a log file gets a line every ten seconds.
_REFRESH_SECONDS = 0.5 if sys.stderr.isatty() else 10.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """What one network learns.

    Attributes:
      title: shown with the progress, e.g. "[3/14] sub/latin float".
      train, minival: examples whose labels are the classes `0..num_classes-1`.
      dataset: the format of the images.
      num_classes: classes in use, at most the width of the network's head.
      image_size: pixels.
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

    def __init__(self, model: keras.Model, config: FitConfig):
        """Takes a network (shared, not copied; float or quantization-aware) and the optimizer."""
        self.model = model
        self._config = config
        self._num_classes = tf.Variable(model.output_shape[-1], trainable=False)
        self._loss_sum = tf.Variable(0.0, trainable=False)
        self._correct = tf.Variable(0.0, trainable=False)
        self._evaluated_correct = tf.Variable(0.0, trainable=False)
        self._optimizer = keras.optimizers.SGD(
            learning_rate=0.0, momentum=config.momentum, weight_decay=config.weight_decay
        )
        self._optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        self._optimizer.build(model.trainable_variables)
        self._train_step = tf.function(self._take_train_step)
        self._settling_step = tf.function(self._take_settling_step)
        self._eval_step = tf.function(self._take_eval_step)

    def fit(self, task: Task) -> None:
        """Trains the network from its present weights, or from the task's checkpoint if any.

        Raises:
          ValueError: if the checkpoint is damaged, or the loss stops being finite.
        """
        self._num_classes.assign(task.num_classes)
        position = self._start(task)
        steps = input_pipeline.steps_per_epoch(len(task.train), self._config.batch_size)
        done = (position.epoch * steps + position.step) * self._config.batch_size
        with tqdm.tqdm(
            desc=task.title,
            total=self._config.epochs * steps * self._config.batch_size,
            initial=done,
            unit=" images",
            mininterval=_REFRESH_SECONDS,
            dynamic_ncols=True,
        ) as bar:
            saver = _Saver(task, self._state(), self._config.checkpoint_minutes)
            while position.epoch < self._config.epochs:
                self._run_epoch(task, position, bar=bar, saver=saver)
                position = checkpoint.Position(position.epoch + 1, step=0, seconds=0.0)

    def top1(self, examples: Examples, task: Task) -> float | None:
        """Returns the share of examples decided rightly, None if there are none."""
        if not len(examples):
            return None
        self._evaluated_correct.assign(0.0)
        for batch in input_pipeline.eval_batches(
            examples,
            task.dataset,
            image_size=task.image_size,
            batch_size=self._config.batch_size,
        ):
            self._eval_step(batch["image"], batch["label"], batch["mask"])
        return float(self._evaluated_correct) / len(examples)

    def _start(self, task: Task) -> checkpoint.Position:
        """Returns where to begin: where the task's checkpoint ends, or with a fresh optimizer."""
        if task.checkpoint_file.is_file():
            return checkpoint.restore(task.checkpoint_file, self._state(), origin=task.origin)
        for variable in self._optimizer.variables:
            variable.assign(tf.zeros_like(variable))
        return checkpoint.Position(epoch=0, step=0, seconds=0.0)

    def _run_epoch(self, task, position, *, bar, saver):
        """Trains from a position in an epoch to its end, and records the epoch."""
        config, epoch = self._config, position.epoch
        steps = input_pipeline.steps_per_epoch(len(task.train), config.batch_size)
        batches = self._batches(task, epoch, position.step)
        if position.step == 0:
            self._loss_sum.assign(0.0)
            self._correct.assign(0.0)
        began = time.monotonic() - position.seconds
        for step, (images, labels) in enumerate(batches, start=position.step):
            rate = schedules.warmup_cosine(
                epoch * steps + step,
                peak=config.learning_rate,
                warmup_steps=config.warmup_epochs * steps,
                total_steps=config.epochs * steps,
            )
            self._optimizer.learning_rate.assign(rate)
            self._train_step(images, labels)
            if bar.update(config.batch_size) or step == steps - 1:
                self._show(bar, task, epoch=epoch, batches=step + 1)
            seconds = time.monotonic() - began
            saver.maybe_save(checkpoint.Position(epoch, step + 1, seconds))
        if epoch == config.epochs - 1:
            self._settle_batch_norm(task, already=steps)
        values = {
            "loss": float(self._loss_sum) / steps,
            "train_top1": float(self._correct) / (steps * config.batch_size),
            "images": (epoch + 1) * len(task.train),
            "seconds": time.monotonic() - began,
            "minival_top1": self.top1(task.minival, task),
        }
        task.on_epoch(epoch, values)

    def _settle_batch_norm(self, task, *, already):
        """Lets batch norm's averages follow the final weights, which do not change any more.

        The last steps of an epoch learn at almost no rate, so they count as settling: a network
        with many steps needs no more.
        """
        config, missing = self._config, _SETTLING_STEPS - already
        for epoch in itertools.count(config.epochs):
            if missing <= 0:
                return
            for images, _ in self._batches(task, epoch).take(missing):
                self._settling_step(images)
                missing -= 1

    def _batches(self, task, epoch, start_step=0):
        """Returns the training batches of an epoch."""
        return input_pipeline.train_batches(
            task.train,
            task.dataset,
            image_size=task.image_size,
            batch_size=self._config.batch_size,
            augment=self._config.augment,
            seed=self._config.seed,
            epoch=epoch,
            start_step=start_step,
        )

    def _show(self, bar, task, *, epoch, batches):
        """Updates the progress line.

        Raises:
          ValueError: if the loss stopped being finite.
        """
        loss = float(self._loss_sum) / batches
        if not math.isfinite(loss):
            raise ValueError(
                f"{task.title}: the loss is {loss} in epoch {epoch + 1}, expected a finite number. "
                f"Lower the learning rate ({self._config.learning_rate} at its peak)."
            )
        top1 = float(self._correct) / (batches * self._config.batch_size)
        bar.set_postfix_str(
            f"epoch {epoch + 1}/{self._config.epochs}, loss {loss:.3f}, top-1 {100 * top1:.1f} %",
            refresh=False,
        )

    def _state(self) -> list[tf.Variable]:
        """Returns everything that a resumed phase needs."""
        sums = [self._loss_sum, self._correct]
        return [*self.model.variables, *self._optimizer.variables, *sums]

    def _in_use(self, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the logits with unused classes ruled out, and which classes are used."""
        used = tf.range(tf.shape(logits)[-1]) < self._num_classes
        return tf.where(used, logits, _NEVER), used

    def _take_train_step(self, images, labels):
        """Takes one step of SGD on the smoothed cross entropy."""
        smoothing = self._config.label_smoothing
        with tf.GradientTape() as tape:
            logits, used = self._in_use(self.model(images, training=True))
            share = smoothing * tf.cast(used, tf.float32) / tf.cast(self._num_classes, tf.float32)
            targets = (1 - smoothing) * tf.one_hot(labels, logits.shape[-1]) + share
            losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
            loss = tf.reduce_mean(losses)
        variables = self.model.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        right = tf.equal(tf.argmax(logits, axis=-1), labels)
        self._loss_sum.assign_add(loss)
        self._correct.assign_add(tf.reduce_sum(tf.cast(right, tf.float32)))

    def _take_settling_step(self, images):
        """Updates batch norm's averages, and nothing that is learned."""
        self.model(images, training=True)

    def _take_eval_step(self, images, labels, mask):
        """Counts the right decisions among the unmasked images."""
        logits, _ = self._in_use(self.model(images, training=False))
        right = tf.equal(tf.argmax(logits, axis=-1), labels)
        self._evaluated_correct.assign_add(tf.reduce_sum(tf.cast(right, tf.float32) * mask))


class _Saver:
    """Writes a checkpoint when the last one is old enough."""

    def __init__(self, task: Task, variables: list[tf.Variable], minutes: float):
        self._task, self._variables, self._minutes = task, variables, minutes
        self._saved_at = time.monotonic()

    def maybe_save(self, position: checkpoint.Position) -> None:
        if time.monotonic() - self._saved_at >= 60 * self._minutes:
            task = self._task
            checkpoint.save(task.checkpoint_file, self._variables, position, origin=task.origin)
            self._saved_at = time.monotonic()
