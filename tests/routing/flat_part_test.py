import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from ss_tf.models import integer_network
from ss_tf.routing import flat_part

_HEAD_SHAPED = {"fc/kernel", "fc/bias"}


@pytest.fixture(scope="module")
def network(draw_network):
    return draw_network(0)


def _weights(part, network):
    """Returns the weights that a graph makes of a network's vectors."""
    graph = tf.function(part.weights)
    return graph(tf.constant(part.kernel_vector(network)), tf.constant(part.float_vector(network)))


def test_weights_are_those_of_the_network_bit_for_bit(part, draw_network, weight_names):
    network = draw_network(1)
    weights = _weights(part, network)
    expected = integer_network.dequantized(network) | network.floats
    assert set(weights) == set(weight_names) - _HEAD_SHAPED
    for name, weight in weights.items():
        np.testing.assert_array_equal(weight, expected[name], strict=True)
        assert weight.numpy().tobytes() == expected[name].tobytes()


def test_of_the_head_the_scale_is_kept_and_the_rest_is_not(part, draw_network):
    network = draw_network(1)
    vector = part.float_vector(network)
    assert part.head_scale(tf.constant(vector)).numpy() == network.scales["fc/kernel"]
    kept = [*network.scales.values(), *network.floats.values()]
    assert (
        vector.size == part.num_floats == sum(t.size for t in kept) - network.floats["fc/bias"].size
    )
    values = np.concatenate([np.ravel(tensor) for tensor in kept])
    assert not np.isin(network.floats["fc/bias"], vector).any()
    assert np.isin(vector, values).all()


def test_kernels_start_at_multiples_of_64_with_zeros_between(part, network):
    """Kernels are filled with a number each, which is then found in the vector."""
    numbered = dataclasses.replace(
        network,
        kernels={
            name: np.full_like(kernel, number)
            for number, (name, kernel) in enumerate(network.kernels.items(), start=1)
        },
    )
    vector = part.kernel_vector(numbered)
    assert vector.shape == (part.num_kernel_values,)
    assert vector.dtype == np.int8
    assert vector.size % 64 == 0
    found = 0
    for name, kernel in numbered.kernels.items():
        places = np.flatnonzero(vector == kernel.flat[0])
        if name == "fc/kernel":
            assert places.size == 0
        else:
            assert places[0] % 64 == 0
            np.testing.assert_array_equal(places, places[0] + np.arange(kernel.size))
            found += kernel.size
    assert np.count_nonzero(vector) == found
    # 45, 64, 315 and 1 values.
    assert vector.size == 64 + 64 + 320 + 64


def test_networks_of_the_same_shapes_have_the_same_layout(draw_network, weight_names):
    """Another order of names and another head change nothing."""
    network = draw_network(1)
    one = flat_part.FlatPart(weight_names, network)
    other = flat_part.FlatPart(reversed(weight_names), draw_network(2, num_classes=9))
    np.testing.assert_array_equal(other.kernel_vector(network), one.kernel_vector(network))
    np.testing.assert_array_equal(other.float_vector(network), one.float_vector(network))


def test_a_part_holds_its_own_weights_only(network):
    part = flat_part.FlatPart(["conv1/kernel", "bn1/gamma"], network)
    assert (part.num_kernel_values, part.num_floats) == (64, 5 + 5)
    assert set(_weights(part, network)) == {"conv1/kernel", "bn1/gamma"}
    np.testing.assert_array_equal(
        part.kernel_vector(network)[:45], network.kernels["conv1/kernel"].ravel()
    )


def test_a_part_can_be_empty(network):
    part = flat_part.FlatPart((), network)
    assert (part.num_kernel_values, part.num_floats) == (0, 0)
    assert part.kernel_vector(network).shape == part.float_vector(network).shape == (0,)
    assert part.weights(tf.zeros(0, tf.int8), tf.zeros(0)) == {}


def test_the_network_is_left_alone(part, network):
    before = integer_network.digest(network)
    part.kernel_vector(network)[:] = 1
    part.float_vector(network)[:] = 1
    assert integer_network.digest(network) == before
