import numpy as np
import pytest
import tensorflow as tf

from ss_tf.models import delta_grid, int8_grid, variables
from ss_tf.models.delta_grid import DeltaGrid
from ss_tf.models.integer_network import IntegerNetwork

_NAME = "conv1/kernel"


def _base(kernel, scale=0.5):
    """Returns a network of one convolution with a single channel."""
    kernel = np.array(kernel, np.int8).reshape(1, 1, -1, 1)
    return IntegerNetwork({_NAME: kernel}, {_NAME: np.array([scale], np.float32)}, {}, {})


def _quantized(base, steps, *, step):
    """Quantizes a kernel given in int8 steps; returns it in int8 steps."""
    kernel = np.array(steps, np.float32).reshape(1, 1, -1, 1) * base.scales[_NAME]
    return DeltaGrid(base, step).quantize(_NAME, kernel).numpy().ravel() / base.scales[_NAME]


def test_kernels_go_to_the_nearest_multiple_of_the_step_from_the_base():
    base = _base([10, 10, 10, -3, -3])
    found = _quantized(base, [10.9, 12.1, 1.0, -3.0, 4.9], step=4)
    np.testing.assert_array_equal(found, [10, 14, 2, -3, 5])


def test_a_kernel_beyond_the_range_ends_at_its_border():
    base = _base([120, -120, 0])
    np.testing.assert_array_equal(_quantized(base, [300, -300, 126], step=10), [127, -127, 127])


def test_step_1_is_rounding_to_the_int8_grid():
    rng = np.random.default_rng(0)
    base = _base(rng.integers(-127, 128, 50))
    steps = rng.uniform(-126, 126, 50).astype(np.float32)
    np.testing.assert_array_equal(_quantized(base, steps, step=1), np.rint(steps))


def test_steps_shrink_with_the_size_of_a_kernel():
    shapes = {"conv1": (1, 1, 16, 16), "layer1.0.conv1": (3, 3, 512, 512), "fc": (512, 1000)}
    kernels = {f"{name}/kernel": np.zeros(shape, np.int8) for name, shape in shapes.items()}
    scales = {name: np.ones(kernel.shape[-1], np.float32) for name, kernel in kernels.items()}
    base = IntegerNetwork(kernels, scales | {"fc/kernel": np.float32(1)}, {}, {})
    relative = delta_grid.relative_steps(base)
    # 256 of 2**18 * 9 weights; the head is no part of a delta.
    assert relative == pytest.approx({"conv1/kernel": 9216**-0.15, "layer1.0.conv1/kernel": 1})
    assert delta_grid.whole_steps(10, relative["conv1/kernel"]) == 3
    assert delta_grid.whole_steps(1, relative["conv1/kernel"]) == 1
    assert delta_grid.whole_steps(500, relative["layer1.0.conv1/kernel"]) == 127


def test_points_of_the_grid_stay_bit_for_bit():
    base = _base([5, -7, 100], scale=0.0123443603515625)
    kernel = np.float32([5 + 8, -7 - 16, 100]).reshape(1, 1, 3, 1) * base.scales[_NAME]
    np.testing.assert_array_equal(DeltaGrid(base, 8).quantize(_NAME, kernel), kernel)


def test_gradients_pass_inside_the_range_and_stop_outside():
    base = _base([0, 0, 0])
    kernel = tf.constant([[[[3.3], [-63.4], [64.0]]]])
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        total = tf.reduce_sum(DeltaGrid(base, 8).quantize(_NAME, kernel) * [[2.0]])
    np.testing.assert_array_equal(tape.gradient(total, kernel).numpy().ravel(), [2, 2, 0])


@pytest.mark.slow
def test_a_snapped_model_is_multiples_of_the_step_away_and_infers_the_same(
    build_small, images, frozen_qat_model
):
    int8_grid.snap(frozen_qat_model)
    base = int8_grid.to_integer(frozen_qat_model, {})
    rng = np.random.default_rng(1)
    by_name = variables.by_name(frozen_qat_model)
    for name in base.kernels:
        noise = rng.normal(0, 6, base.kernels[name].shape) * base.scales[name]
        by_name[name].assign_add(noise.astype(np.float32))
    grid = DeltaGrid(base, 8)
    grid.snap(frozen_qat_model)
    int8_grid.snap(frozen_qat_model)
    logits = frozen_qat_model(images, training=False).numpy()
    network = int8_grid.to_integer(frozen_qat_model, {})
    for name in set(base.kernels) - {"fc/kernel"}:
        steps = network.kernels[name].astype(int) - base.kernels[name]
        step = delta_grid.whole_steps(8, delta_grid.relative_steps(base)[name])
        assert np.all((steps % step == 0) | (np.abs(network.kernels[name]) == 127)), name
        assert steps.any()
    grid.snap(frozen_qat_model)
    np.testing.assert_array_equal(frozen_qat_model(images, training=False), logits)
