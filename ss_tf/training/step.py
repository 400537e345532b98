"""Steps: what is done with one batch, compiled, the same on one device and on many."""

from __future__ import annotations

import functools
from collections.abc import Callable

import tensorflow as tf
import tf_keras as keras

from ss_tf.config import FitConfig
from ss_tf.data.mixing import Batch
from ss_tf.models import variables
from ss_tf.training.anchored_sgd import Anchor, AnchoredSGD
from ss_tf.training.distribution import Devices

# Added to logits of classes that a padded head does not have: their softmax is exactly 0.
_NEVER = -1e9
_AVERAGE = "average/"


class Steps:
    """A network's steps, with the optimizer and the counters that they change.

    Attributes:
      num_classes: classes in use, at most the width of the network's head.
      loss_sum: of the batches' mean losses.
      correct: right decisions in training, all devices together.
      evaluated_correct: the same in evaluation.
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
        """Takes a network that is on the devices already (shared, not copied).

        Args:
          model: float or quantization-aware; layers that compute in float16 get loss scaling.
          config: gives momentum, weight decay, label smoothing and decay of the weights' average.
          devices: what the steps run on.
          jit_compile: whether XLA compiles the gradients' computation.
          anchor: what holds the kernels near a base's, if anything does.
        """
        self._model, self._smoothing, self._devices = model, config.label_smoothing, devices
        self._learning = variables.trainable(model)
        self._largest_decay = config.ema_decay
        with devices.scope():
            # TensorFlow keeps int32 variables off GPUs, where XLA would not find them.
            self.num_classes = tf.Variable(model.output_shape[-1], trainable=False, dtype=tf.int64)
            self.loss_sum = tf.Variable(0.0, trainable=False)
            self.correct = tf.Variable(0.0, trainable=False)
            self.evaluated_correct = tf.Variable(0.0, trainable=False)
            self._sgd = _build_sgd(self._learning, config, anchor)
            if config.ema_decay:
                # The optimizer reads it in each step.
                self._sgd.ema_momentum = tf.Variable(
                    config.ema_decay,
                    trainable=False,
                    aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
                )
            self._scaler = _Scaler(self._sgd) if _computes_in_float16(model) else None
        self._differentiate = self._compute_gradients
        if jit_compile:
            self._differentiate = tf.function(
                self._compute_gradients, jit_compile=True, autograph=False
            )
        self._train = self._compiled(self._take_train_step)
        self._settle = self._compiled(self._take_settling_step)
        self._evaluate = self._compiled(self._take_eval_step)

    def train(self, batch: Batch, rate: float) -> None:
        """Takes one step of SGD on the smoothed cross entropy."""
        self._train(batch, tf.constant(rate, tf.float32))

    def settle(self, batch: Batch) -> None:
        """Updates batch norm's averages, and nothing that is learned."""
        self._settle(batch.images)

    def evaluate(self, batch: dict[str, tf.Tensor]) -> None:
        """Counts the right decisions among the unmasked images."""
        self._evaluate(batch["image"], batch["label"], batch["mask"])

    def reset(self) -> None:
        """Makes the optimizer new; the weights' average begins as the weights."""
        for variable in self._sgd.variables:
            variable.assign(tf.zeros_like(variable))
        if self._scaler:
            self._scaler.reset()
        averages = [v for v in self._sgd.variables if v.name.startswith(_AVERAGE)]
        # The optimizer has them in this order, or has none.
        for average, weight in zip(averages, self._learning, strict=False):
            average.assign(tf.convert_to_tensor(weight))

    def adopt_average(self) -> None:
        """Replaces the weights by their average over the steps, if one is kept."""
        with self._devices.scope():
            self._sgd.finalize_variable_values(self._learning)

    def state(self) -> list[tf.Variable]:
        """Returns everything that a resumed phase needs."""
        scale = self._scaler.variables if self._scaler else []
        sums = [self.loss_sum, self.correct]
        return [*self._model.variables, *self._sgd.variables, *scale, *sums]

    def _compiled(self, take_step: Callable) -> Callable:
        """Returns what takes a step on every device."""

        # AutoGraph would rewrite what tfmot wraps around every layer, and find nothing to convert.
        @functools.partial(tf.function, autograph=False)
        def take_steps(*arguments):
            self._devices.run(take_step, *arguments)

        return take_steps

    def _in_use(self, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the logits with unused classes ruled out, and which classes are used."""
        used = tf.range(tf.shape(logits, tf.int64)[-1]) < self.num_classes
        return tf.where(used, logits, _NEVER), used

    def _compute_gradients(self, batch):
        """Returns this device's part of the mean loss, its gradients, and the logits."""
        smoothing = self._smoothing
        with tf.GradientTape() as tape:
            logits, used = self._in_use(self._model(batch.images, training=True))
            share = smoothing * tf.cast(used, tf.float32) / tf.cast(self.num_classes, tf.float32)
            targets = (1 - smoothing) * _targets(batch, logits.shape[-1]) + share
            losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
            loss = tf.reduce_mean(losses) / self._devices.num_devices
            scaled = self._scaler.optimizer.get_scaled_loss(loss) if self._scaler else loss
        return loss, tape.gradient(scaled, self._learning), logits

    def _take_train_step(self, batch, rate):
        loss, gradients, logits = self._differentiate(batch)
        optimizer = self._sgd
        if self._scaler:
            optimizer = self._scaler.optimizer
            gradients = optimizer.get_unscaled_gradients(gradients)
        self._sgd.learning_rate.assign(rate)
        if self._largest_decay:
            self._sgd.ema_momentum.assign(self._ema_decay())
        # Over several devices, it sums their gradients first.
        optimizer.apply_gradients(zip(gradients, self._learning, strict=True))
        right = tf.equal(tf.argmax(logits, axis=-1), batch.labels)
        correct = tf.reduce_sum(tf.cast(right, tf.float32))
        loss, correct = self._devices.total([loss, correct])
        self.loss_sum.assign_add(loss)
        self.correct.assign_add(correct)

    def _ema_decay(self) -> tf.Tensor:
        """Returns how much of the weights' average the present step leaves.

        The average reaches back over a ninth of the steps so far, until that is what the configured
        decay gives. Else most of what a small sub network ends with, after 500 steps at 0.9998,
        would be the weights it began with. (The rule is that of tf.train.ExponentialMovingAverage.)
        """
        done = tf.cast(self._sgd.iterations, tf.float32)
        return tf.minimum(self._largest_decay, (1 + done) / (10 + done))

    def _take_settling_step(self, images):
        self._model(images, training=True)

    def _take_eval_step(self, images, labels, mask):
        logits, _ = self._in_use(self._model(images, training=False))
        right = tf.equal(tf.argmax(logits, axis=-1), labels)
        (correct,) = self._devices.total([tf.reduce_sum(tf.cast(right, tf.float32) * mask)])
        self.evaluated_correct.assign_add(correct)


class _Scaler:
    """Loss scaling: without it, small gradients would be zero in float16.

    Attributes:
      optimizer: the given one, wrapped; it leaves a step out whose gradients are not finite, and
        halves the scale.
      variables: the scale and what decides when it grows.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer):
        self.variables: list[tf.Variable] = []

        # Keras does not count them among the optimizer's variables.
        def note(create: Callable, **arguments):
            self.variables.append(create(**arguments))
            return self.variables[-1]

        with tf.variable_creator_scope(note):
            self.optimizer = keras.mixed_precision.LossScaleOptimizer(optimizer)
        self._first_values = [variable.numpy() for variable in self.variables]

    def reset(self) -> None:
        """Starts with the first scale again."""
        for variable, value in zip(self.variables, self._first_values, strict=True):
            variable.assign(value)


def _build_sgd(
    learning: list[tf.Variable], config: FitConfig, anchor: Anchor | None
) -> keras.optimizers.SGD:
    build = functools.partial(AnchoredSGD, anchor) if anchor else keras.optimizers.SGD
    sgd = build(
        learning_rate=0.0,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        use_ema=config.ema_decay > 0,
        ema_momentum=config.ema_decay,
    )
    held = [variable for variable in learning if anchor and anchor.holds(variable)]
    sgd.exclude_from_weight_decay(var_list=held, var_names=["gamma", "beta", "bias"])
    sgd.build(learning)
    return sgd


def _computes_in_float16(model: keras.Model) -> bool:
    return any(layer.compute_dtype == "float16" for layer in model.layers)


def _targets(batch: Batch, num_classes: int) -> tf.Tensor:
    """Returns each image's shares of the classes, float32 `[batch, num_classes]`."""
    shares = batch.shares[:, tf.newaxis]
    own = shares * tf.one_hot(batch.labels, num_classes)
    return own + (1 - shares) * tf.one_hot(batch.partners, num_classes)
