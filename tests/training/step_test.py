import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from ss_tf import config
from ss_tf.data.mixing import Batch
from ss_tf.models import resnet, variables
from ss_tf.training import distribution
from ss_tf.training.step import Steps

RATE = 0.1


@pytest.fixture
def batch():
    generator = np.random.default_rng(0)
    return Batch(
        images=tf.constant(generator.normal(size=(4, 3)), tf.float32),
        labels=tf.constant([0, 1, 2, 0], tf.int64),
        partners=tf.constant([2, 1, 0, 1], tf.int64),
        shares=tf.constant([0.75, 1.0, 0.5, 0.1], tf.float32),
    )


def _linear():
    """Returns one dense layer from 3 features to 4 classes, the last of which is unused."""
    layer = keras.layers.Dense(4, kernel_initializer=keras.initializers.GlorotUniform(0), name="fc")
    return keras.Sequential([keras.Input((3,)), layer])


def _steps(model, fit, *, jit_compile=False):
    devices = distribution.start(
        config.DeviceConfig(strategy="default", mixed_precision=False, jit_compile=False)
    )
    steps = Steps(model, fit, devices=devices, jit_compile=jit_compile)
    steps.num_classes.assign(3)
    steps.reset()
    return steps


def _numpy_gradient(kernel, batch, smoothing):
    """Returns loss and gradient of the kernel, written out by hand for the 3 used classes."""
    logits = batch.images.numpy() @ kernel[:, :3]
    exponents = np.exp(logits - logits.max(1, keepdims=True))
    shares_of_classes = exponents / exponents.sum(1, keepdims=True)
    targets = np.zeros((4, 3))
    for row, (label, partner, share) in enumerate(zip(*map(np.asarray, batch[1:]), strict=True)):
        targets[row, label] += share
        targets[row, partner] += 1 - share
    targets = (1 - smoothing) * targets + smoothing / 3
    loss = -np.mean(np.sum(targets * np.log(shares_of_classes), axis=1))
    gradient = batch.images.numpy().T @ (shares_of_classes - targets) / 4
    return loss, np.pad(gradient, [(0, 0), (0, 1)])


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_step_follows_the_gradient_of_mixed_smoothed_targets(fit_config, batch, jit_compile):
    model = _linear()
    before = model.get_layer("fc").kernel.numpy()
    fit = fit_config(label_smoothing=0.1, momentum=0.0, weight_decay=0.0)
    steps = _steps(model, fit, jit_compile=jit_compile)
    steps.train(batch, RATE)
    loss, gradient = _numpy_gradient(before, batch, 0.1)
    np.testing.assert_allclose(steps.loss_sum, loss, rtol=1e-5)
    after = model.get_layer("fc").kernel.numpy()
    np.testing.assert_allclose(after, before - RATE * gradient, atol=1e-6)
    right = np.argmax(batch.images.numpy() @ before[:, :3], axis=1) == batch.labels.numpy()
    assert steps.correct.numpy() == right.sum()


def test_the_average_begins_as_the_weights_and_ends_in_the_model(fit_config, batch):
    model = _linear()
    kernel = model.get_layer("fc").kernel
    steps = _steps(model, fit_config(ema_decay=0.3))
    kernel.assign(kernel + 1)  # As for the second network that shares a trainer.
    steps.reset()
    average = kernel.numpy()
    # (1 + done) / (10 + done), but at most what is asked for.
    for decay in (1 / 10, 2 / 11, 3 / 12, 0.3, 0.3, 0.3):
        steps.train(batch, RATE)
        average = decay * average + (1 - decay) * kernel.numpy()
    steps.adopt_average()
    np.testing.assert_allclose(kernel, average, rtol=1e-5)


def test_a_short_phase_forgets_the_weights_it_began_with(fit_config, batch):
    """At 0.9998 from the start, a hundred steps would leave 98 % of them."""
    model = _linear()
    kernel = model.get_layer("fc").kernel
    kernel.assign(kernel + 1000)
    steps = _steps(model, fit_config(ema_decay=0.9998, momentum=0.0, weight_decay=0.0))
    steps.reset()
    kernel.assign(kernel - 1000)
    for _ in range(100):
        steps.train(batch, 0.0)
    last = kernel.numpy()
    steps.adopt_average()
    np.testing.assert_allclose(kernel, last, atol=1e-3)


def test_without_averaging_the_weights_stay(fit_config, batch):
    model = _linear()
    steps = _steps(model, fit_config())
    steps.train(batch, RATE)
    before = model.get_layer("fc").kernel.numpy()
    steps.adopt_average()
    np.testing.assert_array_equal(model.get_layer("fc").kernel, before)


@pytest.mark.slow
def test_mixed_precision_learns_with_float32_weights(run_config, fit_config):
    model = resnet.build_resnet(
        run_config().model, num_classes=4, image_size=None, channels=1, seed=0
    )
    mixed = resnet.in_mixed_precision(model)
    steps = _steps(mixed, fit_config())
    images = tf.random.stateless_normal((6, 16, 16, 1), seed=(0, 0))
    labels = tf.constant([0, 1, 2, 0, 1, 2], tf.int64)
    batch = Batch(images, labels, labels, tf.ones(6))
    losses = []
    for _ in range(8):
        before = steps.loss_sum.numpy()
        steps.train(batch, RATE)
        losses.append(steps.loss_sum.numpy() - before)
    assert np.all(np.isfinite(losses))
    assert losses[-1] < losses[0]
    assert {value.dtype for value in variables.values_by_name(mixed).values()} == {
        np.dtype(np.float32)
    }
    # The scale and its counter are part of what a resumed phase needs, and begin anew.
    scale = next(v for v in steps.state() if "current_loss_scale" in v.name)
    scale.assign(2.0)
    steps.reset()
    assert scale.numpy() == 2**15
    # What was learned is of use to the float32 network.
    variables.assign(model, variables.values_by_name(mixed))
    np.testing.assert_allclose(
        mixed(images, training=False), model(images, training=False), rtol=0.05, atol=0.05
    )
