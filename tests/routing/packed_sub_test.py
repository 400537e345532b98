import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from ss_tf.models import integer_network
from ss_tf.routing import flat_part, packed_sub


@pytest.fixture(scope="module")
def base(draw_network):
    return draw_network(0)


@pytest.fixture(scope="module")
def restore(base, part):
    """Restores any sub network in one graph; the base is in variables."""
    kernels = tf.Variable(part.kernel_vector(base))
    floats = tf.Variable(part.float_vector(base))

    @tf.function(
        input_signature=[
            tf.TensorSpec([packed_sub.STREAMS], tf.string),
            tf.TensorSpec([], tf.string),
            tf.TensorSpec([2 + 2 * len(part.kernel_sizes)], tf.int32),
        ]
    )
    def graph(streams, rest, numbers):
        restored = packed_sub.restore(
            streams,
            rest,
            numbers,
            part,
            base_kernels=kernels,
            base_floats=floats,
            num_features=base.kernels["fc/kernel"].shape[0],
        )
        return restored.kernels, restored.floats, restored.head, restored.bias

    def restore(packed):
        tensors = graph(list(packed.kernel_streams), packed.rest, list(packed.numbers))
        np.testing.assert_array_equal(kernels, part.kernel_vector(base))
        np.testing.assert_array_equal(floats, part.float_vector(base))
        return packed_sub.Restored(*(tensor.numpy() for tensor in tensors))

    return restore


def _near(base, steps, *, seed=0):
    """Returns a network whose kernels, but for the head's, are drawn steps off the base's."""
    rng = np.random.default_rng(seed)
    kernels = {
        name: np.clip(kernel + rng.choice(steps, kernel.shape), -127, 127).astype(np.int8)
        for name, kernel in base.kernels.items()
        if not integer_network.is_head(name)
    }
    return dataclasses.replace(base, kernels=base.kernels | kernels)


def _assert_restored(restored, part, sub):
    """Compares bytes, so that 0 differs from -0."""
    pairs = [
        (restored.kernels, part.kernel_vector(sub)),
        (restored.floats, part.float_vector(sub)),
        (restored.head, sub.kernels["fc/kernel"]),
        (restored.bias, sub.floats["fc/bias"]),
    ]
    for tensor, expected in pairs:
        np.testing.assert_array_equal(tensor, expected, strict=True)
        assert tensor.tobytes() == expected.tobytes()


@pytest.mark.parametrize("num_classes", [1, 2, 3, 300])
def test_restore_undoes_pack_for_heads_of_any_width(part, base, restore, draw_network, num_classes):
    sub = draw_network(1, num_classes=num_classes)
    packed = packed_sub.pack(part, base=base, sub=sub)
    assert packed.num_classes == num_classes
    _assert_restored(restore(packed), part, sub)


@pytest.mark.parametrize(
    ("steps", "bits"),
    [([0] * 20 + [4, -4], 2), (range(-7, 9), 4), (range(-127, 128), 8)],
)
def test_restore_undoes_pack_for_fields_of_any_width(part, base, restore, steps, bits):
    sub = _near(base, steps)
    packed = packed_sub.pack(part, base=base, sub=sub)
    assert packed.bits[:3] == (bits,) * 3  # Of four kernels; the last has a single value.
    _assert_restored(restore(packed), part, sub)


def test_kernels_have_steps_of_their_own(part, base, restore):
    names = sorted(name for name in base.kernels if not integer_network.is_head(name))
    steps = {name: 2 + number for number, name in enumerate(names)}
    near = {step: _near(base, [0] * 9 + [step, -step]) for step in steps.values()}
    kernels = {
        name: np.where(
            np.abs(near[step].kernels[name]) == 127, base.kernels[name], near[step].kernels[name]
        )
        for name, step in steps.items()
    }
    sub = dataclasses.replace(base, kernels=base.kernels | kernels)
    packed = packed_sub.pack(part, base=base, sub=sub)
    # The smallest may take fewer bytes in another width.
    assert packed.steps[:2] == (2, 3)
    _assert_restored(restore(packed), part, sub)


def test_exceptions_are_restored(part, base, restore):
    sub = _near(base, [0] * 20 + [4, -4])
    far = base.kernels["conv1/kernel"].copy()
    far.flat[[0, 7, 44]] = np.where(far.flat[[0, 7, 44]] > 0, -127, 127)
    sub = dataclasses.replace(sub, kernels=sub.kernels | {"conv1/kernel": far})
    packed = packed_sub.pack(part, base=base, sub=sub)
    assert packed.num_exceptions >= 3
    _assert_restored(restore(packed), part, sub)


def test_odd_floats_are_restored_bit_for_bit(part, base, restore):
    odd = np.float32([-0.0, 1e-45, -1e-40, 3.4e38, 0.0])
    floats = {
        "bn1/gamma": odd,
        "image/output_max": np.float32(-0.0).reshape(()),
        "fc/bias": odd[:3],
    }
    sub = dataclasses.replace(base, floats=base.floats | floats)
    _assert_restored(restore(packed_sub.pack(part, base=base, sub=sub)), part, sub)


def test_an_equal_network_takes_few_bytes(part, base, restore):
    packed = packed_sub.pack(part, base=base, sub=base)
    # Its head and its bias are stored whole: 6 * 3 + 4 * 3 bytes.
    # So are a width and a step of each kernel, and two numbers.
    assert packed.num_bytes < 70 + 30 + 4 * (2 + 2 * len(part.kernel_sizes))
    _assert_restored(restore(packed), part, base)


def test_a_smaller_delta_takes_fewer_bytes(part, base):
    sizes = [
        packed_sub.pack(part, base=base, sub=_near(base, steps)).num_bytes
        for steps in ([0], [0] * 30 + [4], [0, 4, -4], range(-127, 128))
    ]
    assert sizes == sorted(set(sizes))


def test_num_bytes_counts_everything(part, base, draw_network):
    packed = packed_sub.pack(part, base=base, sub=draw_network(1))
    # Numbers of int32: of classes and exceptions, and a width and a step for each kernel.
    numbers = 4 * (2 + 2 * len(part.kernel_sizes))
    streams = sum(len(stream) for stream in packed.kernel_streams)
    assert packed.num_bytes == streams + len(packed.rest) + numbers


def test_packing_leaves_both_networks_alone(part, base, draw_network):
    sub = draw_network(1)
    before = integer_network.digest(base), integer_network.digest(sub)
    packed_sub.pack(part, base=base, sub=sub)
    assert (integer_network.digest(base), integer_network.digest(sub)) == before


def test_a_part_of_the_head_alone_is_restored(base, draw_network):
    part = flat_part.FlatPart(["fc/kernel", "fc/bias"], base)
    sub = draw_network(1, num_classes=4)
    packed = packed_sub.pack(part, base=base, sub=sub)
    assert len(packed.numbers) == len(packed_sub.none(part).numbers) == 2
    restored = packed_sub.restore(
        tf.constant(packed.kernel_streams),
        tf.constant(packed.rest),
        tf.constant(packed.numbers),
        part,
        base_kernels=tf.constant(part.kernel_vector(base)),
        base_floats=tf.constant(part.float_vector(base)),
        num_features=base.kernels["fc/kernel"].shape[0],
    )
    fields = (restored.kernels, restored.floats, restored.head, restored.bias)
    _assert_restored(packed_sub.Restored(*(field.numpy() for field in fields)), part, sub)


def test_stages_outside_the_part_are_not_stored(base, draw_network):
    part = flat_part.FlatPart(["layer2.0.conv1/kernel", "fc/kernel", "fc/bias"], base)
    sub = draw_network(1)
    trunk = {name: sub.kernels[name] for name in ("layer2.0.conv1/kernel", "fc/kernel")}
    same = dataclasses.replace(sub, kernels=base.kernels | trunk)
    one, other = (packed_sub.pack(part, base=base, sub=network) for network in (sub, same))
    assert one == other
