import numpy as np
import tensorflow as tf
import tf_keras as keras

from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.training.anchored_sgd import Anchor, AnchoredSGD

_KERNEL, _HEAD = "conv1/kernel", "fc/kernel"
_BASE = IntegerNetwork(
    kernels={_KERNEL: np.int8([[[[4, -2]]]]), _HEAD: np.int8([[1]])},
    scales={_KERNEL: np.float32([0.25, 0.5]), _HEAD: np.float32(1.0)},
    floats={},
    metadata={},
)
_AT_BASE = np.float32([[[[1.0, -1.0]]]])


def _variables(kernel):
    return [
        tf.Variable(kernel, name=_KERNEL),
        tf.Variable([0.5], name="bn1/gamma"),
        tf.Variable([[2.0]], name=_HEAD),
    ]


def _step(learning, optimizer, *, rate, gradients, steps=1):
    held = [variable for variable in learning if optimizer_holds(optimizer, variable)]
    optimizer.exclude_from_weight_decay(var_list=held)
    optimizer.build(learning)
    for _ in range(steps):
        optimizer.learning_rate.assign(rate)
        optimizer.apply_gradients(zip(gradients, learning, strict=True))
    return [variable.numpy() for variable in learning]


def optimizer_holds(optimizer, variable):
    return isinstance(optimizer, AnchoredSGD) and Anchor(_BASE, 0.0).holds(variable)


def _anchored(*, penalty, weight_decay=0.0, momentum=0.0):
    return AnchoredSGD(
        Anchor(_BASE, penalty), learning_rate=0.0, weight_decay=weight_decay, momentum=momentum
    )


def test_convolution_kernels_are_held_and_nothing_else():
    assert [Anchor(_BASE, 1.0).holds(v) for v in _variables(_AT_BASE)] == [True, False, False]


def test_a_quantized_models_kernel_is_held_under_its_own_name():
    assert Anchor(_BASE, 1.0).holds(tf.Variable(_AT_BASE, name=f"quant_{_KERNEL}"))


def test_the_penalty_moves_each_weight_by_its_int8_steps_and_stops_at_the_base():
    kernel = _AT_BASE + np.float32([[[[0.75, -0.2]]]])  # 3 steps up, 0.4 steps down.
    gradients = [tf.zeros([1, 1, 1, 2]), tf.zeros([1]), tf.zeros([1, 1])]
    found, gamma, head = _step(
        _variables(kernel), _anchored(penalty=10.0), rate=0.1, gradients=gradients
    )
    # One step of the optimizer at rate 0.1: 10 * 0.1 = 1 int8 step.
    np.testing.assert_allclose(found.ravel(), [1.5, -1.0], rtol=1e-6)
    np.testing.assert_array_equal((gamma[0], head[0, 0]), (0.5, 2.0))


def test_a_huge_penalty_keeps_kernels_at_the_base_bit_for_bit():
    gradients = [tf.ones([1, 1, 1, 2]), tf.ones([1]), tf.ones([1, 1])]
    found, gamma, head = _step(
        _variables(_AT_BASE), _anchored(penalty=1e9), rate=0.1, gradients=gradients, steps=3
    )
    np.testing.assert_array_equal(found, _AT_BASE)
    np.testing.assert_allclose((gamma[0], head[0, 0]), (0.2, 1.7), rtol=1e-6)


def test_weight_decay_draws_kernels_to_the_base_and_the_head_to_zero():
    kernel = _AT_BASE + np.float32([[[[1.0, 1.0]]]])
    gradients = [tf.zeros([1, 1, 1, 2]), tf.zeros([1]), tf.zeros([1, 1])]
    optimizer = _anchored(penalty=0.0, weight_decay=0.2)
    found, _, head = _step(_variables(kernel), optimizer, rate=0.5, gradients=gradients)
    np.testing.assert_allclose(found.ravel(), [1.9, -0.1], rtol=1e-5)
    np.testing.assert_allclose(head, [[1.8]], rtol=1e-6)


def test_without_penalty_and_decay_it_is_plain_sgd():
    rng = np.random.default_rng(0)
    gradients = [tf.constant(rng.normal(size=s), tf.float32) for s in ([1, 1, 1, 2], [1], [1, 1])]
    plain = keras.optimizers.SGD(0.0, momentum=0.9)
    found = _step(
        _variables(_AT_BASE),
        _anchored(penalty=0.0, momentum=0.9),
        rate=0.1,
        gradients=gradients,
        steps=3,
    )
    expected = _step(_variables(_AT_BASE), plain, rate=0.1, gradients=gradients, steps=3)
    for value, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-6)
