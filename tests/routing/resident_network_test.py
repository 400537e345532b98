import concurrent.futures

import numpy as np
import pytest
import tensorflow as tf

from ss_tf.models import heads, integer_network, trunk, variables
from ss_tf.models.pure_network import PureNetwork
from ss_tf.routing.all_resident import AllResident
from ss_tf.routing.resident_network import ResidentNetwork

pytestmark = pytest.mark.slow


def _resident(model, networks, stage, **settings):
    first, rest = (half and PureNetwork(half) for half in trunk.split(model, stage))
    subs = [networks.get(superclass) for superclass in range(max(networks.keys() - {None}) + 1)]
    return ResidentNetwork(first, rest, base=networks[None], subs=subs, **settings)


@pytest.fixture(scope="module")
def resident(model, networks):
    return _resident(model, networks, None)


def _functions(resident):
    """Returns (base logits of images, logits of a superclass and images), compiled."""
    base = tf.function(lambda images: resident.base_logits(resident.features(images)))
    sub = tf.function(
        lambda superclass, images: resident.sub_logits(superclass, resident.features(images))
    )
    return base, sub


@pytest.mark.parametrize("stage", [None, "stem", "layer1"])
def test_logits_are_those_of_keras_models_bit_for_bit(model, networks, images, keras_logits, stage):
    base, sub = _functions(_resident(model, networks, stage))
    for superclass, network in networks.items():
        expected = keras_logits(network, images)
        found = base(images) if superclass is None else sub(tf.constant(superclass), images)
        np.testing.assert_array_equal(found, expected, strict=True)
    assert sub.experimental_get_tracing_count() == 1


def test_all_networks_in_memory_give_the_same_logits(model, networks, images, resident):
    subs = [networks.get(superclass) for superclass in range(3)]
    vanilla = AllResident(PureNetwork(model), base=networks[None], subs=subs)
    base, sub = _functions(resident)
    vanilla_base, vanilla_sub = _functions(vanilla)
    np.testing.assert_array_equal(base(images), vanilla_base(images))
    for superclass in (0, 2):
        found = sub(tf.constant(superclass), images)
        np.testing.assert_array_equal(found, vanilla_sub(tf.constant(superclass), images))


def test_restored_kernels_are_the_sub_networks(networks, resident):
    body = sorted(set(networks[None].kernels) - {"fc/kernel"})
    for superclass in (0, 2):
        restored = resident.restore(tf.constant(superclass))
        found = resident._tail_part.weights(restored.kernels, restored.floats)
        dequantized = integer_network.dequantized(networks[superclass])
        for name in body:
            np.testing.assert_array_equal(found[name], dequantized[name])
        np.testing.assert_array_equal(restored.head, networks[superclass].kernels["fc/kernel"])


def test_the_base_does_not_drift(resident, images):
    before = [variable.numpy() for variable in resident.variables]
    base, sub = _functions(resident)
    first = base(images).numpy()
    for superclass in (0, 2, 2, 0, 0, 2):
        sub(tf.constant(superclass), images)
    np.testing.assert_array_equal(base(images), first)
    for value, variable in zip(before, resident.variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert resident.trainable_variables == ()


def test_kernels_are_resident_as_int8_and_deltas_compressed(model, networks, resident):
    kernels = sum(kernel.size for kernel in networks[None].kernels.values())
    by_type = {}
    for variable in resident.variables:
        if variable.dtype != tf.string:
            size = by_type.get(variable.dtype, 0)
            by_type[variable.dtype] = size + variable.shape.num_elements()
    assert kernels <= by_type[tf.int8] < 1.1 * kernels
    floats = sum(value.size for value in variables.values_by_name(model).values()) - kernels
    assert by_type[tf.float32] <= floats
    # Of a superclass without a sub network, zeros stand for its kernels' widths and steps.
    none = 4 * (2 + 2 * len(networks[None].kernels))
    assert resident.delta_bytes[1] <= none < min(resident.delta_bytes[0], resident.delta_bytes[2])
    assert max(resident.delta_bytes) < 0.6 * kernels


def test_a_shared_trunk_is_stored_once(model, networks, resident):
    shared = _resident(model, networks, "layer1")
    assert sum(shared.delta_bytes) < sum(resident.delta_bytes)


@pytest.fixture(scope="module")
def more_networks(networks):
    """Sub networks of four superclasses: 0, 2, 3, 4."""
    return networks | {
        3: heads.resize_network(networks[0], 4),
        4: heads.resize_network(networks[2], 3),
    }


@pytest.fixture(scope="module")
def stateless_logits(model, more_networks, images):
    _, sub = _functions(_resident(model, more_networks, None))
    return {n: sub(tf.constant(n), images).numpy() for n in more_networks.keys() - {None}}


def test_threads_get_the_answers_of_serial_calls(resident, images):
    base, sub = _functions(resident)

    def run(call):
        superclass, batch = call
        return (base(batch) if superclass is None else sub(tf.constant(superclass), batch)).numpy()

    batches = [images, images[:1], images[2:5]]
    calls = [(superclass, batch) for superclass in (0, 2, None) for batch in batches] * 6
    expected = [run(call) for call in calls[:9]] * 6
    order = np.random.default_rng(0).permutation(len(calls))
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        found = threads.map(lambda number: run(calls[number]), order)
        for number, logits in zip(order, found, strict=True):
            np.testing.assert_array_equal(logits, expected[number], strict=True)


@pytest.mark.parametrize("num_slots", [1, 2, 3])
def test_a_cache_changes_no_bit(model, more_networks, images, stateless_logits, num_slots):
    budget = num_slots * _resident(model, more_networks, None).restored_bytes
    resident = _resident(model, more_networks, None, cache_bytes=budget + 1)
    assert resident.cache.num_slots == num_slots
    _, sub = _functions(resident)
    sequence = np.random.default_rng(num_slots).choice([0, 2, 3, 4], 30)
    for superclass in sequence:
        found = sub(tf.constant(superclass), images)
        np.testing.assert_array_equal(found, stateless_logits[superclass], strict=True)
    hits, misses = int(resident.cache.hits), int(resident.cache.misses)
    assert (hits + misses, hits > 0, misses >= 4) == (30, True, True)
    assert sub.experimental_get_tracing_count() == 1

    def run(superclass):
        return sub(tf.constant(superclass), images).numpy()

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        for superclass, found in zip(sequence, threads.map(run, sequence), strict=True):
            np.testing.assert_array_equal(found, stateless_logits[superclass], strict=True)


def test_a_cache_keeps_to_its_budget(model, more_networks, images):
    one = _resident(model, more_networks, None).restored_bytes
    resident = _resident(model, more_networks, None, cache_bytes=3 * one - 1)
    for superclass in (0, 2, 3, 4):
        resident.sub_logits(tf.constant(superclass), resident.features(tf.constant(images)))
    held = [sum(v.numpy().nbytes for v in slot) for slot in resident.cache._slots]
    assert len(held) == 2
    assert all(0.9 * one < num_bytes <= one for num_bytes in held)


def test_no_more_slots_than_sub_networks(model, networks):
    assert _resident(model, networks, None, cache_bytes=10**12).cache.num_slots == 2
    without = {None: networks[None], 0: None}
    assert _resident(model, without, None, cache_bytes=10**12).cache is None
    assert _resident(model, networks, None).cache is None


def test_a_cache_too_small_for_one_network_is_refused(model, networks, resident):
    needed = resident.restored_bytes
    message = (
        rf"\(--cache_mb\) has {needed - 1:,} bytes, expected 0 or at least the {needed:,} that"
    )
    with pytest.raises(ValueError, match=message):
        _resident(model, networks, None, cache_bytes=needed - 1)
