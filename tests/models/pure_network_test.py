import dataclasses
import re

import numpy as np
import pytest
import tensorflow as tf

from ss_tf.models import int8_grid, integer_network, quantization, trunk, variables
from ss_tf.models.pure_network import PureNetwork


@pytest.fixture
def snapped(qat_model):
    int8_grid.snap(qat_model)
    return qat_model


@pytest.fixture
def pure(snapped):
    return PureNetwork(snapped)


def _weights(model):
    return variables.values_by_name(model)


def _given(pure, model):
    """Returns the weights of a model that a network or a part of it needs, as tensors."""
    weights = _weights(model)
    return {name: tf.constant(weights[name]) for name in pure.weights}


def _graph(pure, weights):
    """Returns a function of images and weights, traced for batches of any size."""
    return tf.function(
        pure.__call__,
        input_signature=[
            tf.TensorSpec([None, *pure.input_shape], tf.float32),
            {name: tf.TensorSpec(weights[name].shape, tf.float32) for name in pure.weights},
        ],
    )


def _outputs(pure, images, weights):
    return _graph(pure, weights)(images, {name: weights[name] for name in pure.weights}).numpy()


def _redrawn(model, seed):
    """Gives a model other weights, snapped, with ranges that fit the kernels."""
    rng = np.random.default_rng(seed)
    for name, variable in variables.by_name(model).items():
        if not name.endswith(("_min", "_max")):
            variable.assign(variable * rng.uniform(0.5, 1.5, variable.shape))
        elif f"{name[:-4]}/kernel" not in name:
            variable.assign(variable * 1.25)
    int8_grid.fit_kernel_ranges(model)
    int8_grid.snap(model)
    return model


def test_outputs_are_the_models_bit_for_bit(pure, snapped, images):
    outputs = _outputs(pure, images, _weights(snapped))
    np.testing.assert_array_equal(outputs, snapped.predict_on_batch(images), strict=True)
    assert outputs.any()


def test_one_graph_computes_batches_of_any_size(pure, snapped, images):
    weights = {name: _weights(snapped)[name] for name in pure.weights}
    graph = _graph(pure, weights)
    for size in (3, 1):
        np.testing.assert_array_equal(
            graph(images[:size], weights), snapped.predict_on_batch(images[:size]), strict=True
        )
    # TensorFlow's own convolutions get the shape of no images wrong.
    np.testing.assert_array_equal(
        graph(images[:0], weights), np.zeros((0, 5), np.float32), strict=True
    )
    assert graph.experimental_get_tracing_count() == 1


def test_other_weights_make_it_another_network(pure, frozen_qat_model, snapped, images):
    other = _redrawn(frozen_qat_model, 1)
    outputs = _outputs(pure, images, _weights(other))
    np.testing.assert_array_equal(outputs, other.predict_on_batch(images), strict=True)
    assert not np.array_equal(outputs, snapped.predict_on_batch(images))


def test_a_head_of_another_width_works_as_well(pure, other_head_qat_model, images):
    other = _redrawn(other_head_qat_model, 2)
    outputs = _outputs(pure, images, _weights(other))
    assert outputs.shape == (6, 7)
    np.testing.assert_array_equal(outputs, other.predict_on_batch(images), strict=True)


def test_dequantized_integers_are_weights_that_will_do(pure, snapped, images):
    network = int8_grid.to_integer(snapped, {})
    weights = network.floats | integer_network.dequantized(network)
    np.testing.assert_array_equal(
        _outputs(pure, images, weights), snapped.predict_on_batch(images), strict=True
    )


def test_weights_are_the_variables_but_for_the_ranges_of_kernels(pure, snapped):
    expected = {
        name: tuple(variable.shape)
        for name, variable in variables.by_name(snapped).items()
        if not re.search(r"/kernel_(min|max)$", name)
    }
    assert pure.weights == expected
    assert list(pure.weights) == sorted(expected)
    assert pure.input_shape == (16, 16, 1)


def test_the_graph_has_no_variables_and_quantizes_activations_only(pure, snapped):
    function = _graph(pure, _weights(snapped)).get_concrete_function()
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for inner in graph.library.function for node in inner.node_def)]
    types = [node.op for node in nodes]
    activations = [name for name in pure.weights if name.endswith("_max")]
    assert sum(t.startswith("FakeQuant") for t in types) == len(activations) > 0
    assert function.captured_inputs == []
    assert not {"ReadVariableOp", "VarHandleOp"} & set(types)
    assert types.count("Conv2D") == 12


def test_it_can_be_in_a_graph_more_than_once(pure, frozen_qat_model, snapped, images):
    own = {name: _weights(snapped)[name] for name in pure.weights}
    others = _weights(_redrawn(frozen_qat_model, 3))
    others = {name: others[name] for name in pure.weights}
    both = tf.function(lambda images, one, other: (pure(images, one), pure(images, other)))
    one, other = both(images, own, others)
    np.testing.assert_array_equal(one, snapped.predict_on_batch(images))
    np.testing.assert_array_equal(other, frozen_qat_model.predict_on_batch(images))


def test_it_keeps_nothing_of_the_model(pure, snapped, images):
    weights, expected = _weights(snapped), snapped.predict_on_batch(images)
    for variable in variables.by_name(snapped).values():
        variable.assign(tf.zeros_like(variable))
    np.testing.assert_array_equal(_outputs(pure, images, weights), expected)


@pytest.mark.parametrize("stage", ["stem", "layer2", "layer4"])
def test_parts_one_after_the_other_are_the_whole(snapped, images, stage):
    first, second = map(PureNetwork, trunk.split(snapped, stage))
    weights = _weights(snapped)
    assert not first.weights.keys() & second.weights.keys()
    features = _outputs(first, images, weights)
    np.testing.assert_array_equal(
        _outputs(second, features, weights), snapped.predict_on_batch(images), strict=True
    )


def test_a_narrow_model_gives_the_operations_of_a_wide_one(build_small, snapped, images):
    """The wide model computes what the narrow one's operations make of the wide one's weights."""
    network = int8_grid.to_integer(snapped, {})
    narrow = quantization.quantize(build_small(base_width=2), freeze_kernel_ranges=True)
    expected = snapped.predict_on_batch(images)
    pure = PureNetwork(narrow, like=network)
    assert pure.weights["conv1/kernel"] == network.kernels["conv1/kernel"].shape
    np.testing.assert_array_equal(_outputs(pure, images, _weights(snapped)), expected)
    first, second = (PureNetwork(half, like=network) for half in trunk.split(narrow, "layer2"))
    features = tf.function(first.__call__)(tf.constant(images), _given(first, snapped))
    logits = tf.function(second.__call__)(features, _given(second, snapped))
    np.testing.assert_array_equal(logits, expected)


def test_weights_that_do_not_fit_are_refused(pure, snapped):
    network = int8_grid.to_integer(snapped, {})
    floats = {name: value for name, value in network.floats.items() if name != "bn1/gamma"}
    with pytest.raises(ValueError, match="the network has no bn1/gamma"):
        PureNetwork(snapped, like=dataclasses.replace(network, floats=floats))
    kernel = network.kernels["layer1.0.conv2/kernel"][:, :, :-1]
    other = dataclasses.replace(
        network, kernels=network.kernels | {"layer1.0.conv2/kernel": kernel}
    )
    with pytest.raises(ValueError, match=r"layer1\.0\.conv2|Dimensions must be equal"):
        PureNetwork(snapped, like=other)
