import dataclasses

import numpy as np
import pytest

from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.report import weights


def test_the_widest_sub_network_is_shown_and_all_are_counted(run, network):
    found = weights.read(run.int8_file("super"), run.bank_dir)
    assert found.superclass == "bird $x_{"
    assert set(found.delta_counts) == {"bird $x_{", "boat <&>"}
    base, sub = network(3), network(3, seed=1)
    kernel = "layer1.0.conv2/kernel"
    assert found.convolution.name == "layer1.0.conv2"
    np.testing.assert_array_equal(found.convolution.base, weights.filters(base.kernels[kernel]))
    difference = sub.kernels[kernel].astype(int) - base.kernels[kernel]
    np.testing.assert_array_equal(found.convolution.difference, weights.filters(difference))


def test_batch_norm_has_a_row_per_variable_relative_to_its_largest(run, network):
    layer = weights.read(run.int8_file("super"), run.bank_dir).batch_norm
    assert layer.name == "layer1.0.bn2"
    assert layer.row_names == ("gamma", "beta", "moving_mean", "moving_variance")
    np.testing.assert_allclose(np.abs([layer.base, layer.sub]).max(axis=(0, 2)), 1)
    gammas = [
        net.floats["layer1.0.bn2/gamma"].astype(float) for net in (network(3), network(3, seed=1))
    ]
    np.testing.assert_allclose(layer.base[0], gammas[0] / np.abs(gammas).max())


def test_deltas_are_counted_one_by_one_and_without_the_head(network):
    base, sub = network(3), network(4, seed=1)
    expected = {}
    for name in base.kernels:
        if name != "fc/kernel":
            for one, other in zip(base.kernels[name].flat, sub.kernels[name].flat, strict=True):
                expected[int(other) - int(one)] = expected.get(int(other) - int(one), 0) + 1
    counts = weights.count_deltas(base, sub)
    found = {int(place) - 254: int(counts[place]) for place in np.flatnonzero(counts)}
    assert found == expected


def test_the_largest_deltas_do_not_wrap(network):
    base, sub = network(3), network(3)
    base.kernels["conv1/kernel"][...] = -127
    sub.kernels["conv1/kernel"][...] = 127
    assert weights.count_deltas(base, sub)[-1] == 3 * 3 * 3 * 8
    assert weights.count_deltas(sub, base)[0] == 3 * 3 * 3 * 8


def test_filters_lie_at_their_input_and_output_channel():
    kernel = np.arange(3 * 2 * 4 * 5).reshape(3, 2, 4, 5)
    image = weights.filters(kernel)
    assert image.shape == (4 * 3, 5 * 2)
    np.testing.assert_array_equal(image[2 * 3 : 3 * 3, 4 * 2 : 5 * 2], kernel[:, :, 2, 4])


def test_a_stem_is_shown_where_there_is_nothing_else(network):
    only_stem = dataclasses.replace(
        network(3),
        kernels={
            name: kernel
            for name, kernel in network(3).kernels.items()
            if not name.startswith("layer")
        },
        scales={
            name: scale for name, scale in network(3).scales.items() if not name.startswith("layer")
        },
    )
    assert weights.convolution_name(only_stem) == "conv1"


def test_a_network_without_convolutions_is_refused():
    headed = IntegerNetwork(
        kernels={"fc/kernel": np.zeros((2, 2), np.int8)},
        scales={"fc/kernel": np.array(1, np.float32)},
        floats={},
        metadata={},
    )
    with pytest.raises(ValueError, match=r"kernels are \[\], expected a convolution"):
        weights.convolution_name(headed)


def test_without_base_or_bank_there_is_nothing(run, tmp_path):
    assert weights.read(tmp_path / "no.safetensors", run.bank_dir) is None
    assert weights.read(run.int8_file("super"), tmp_path / "no bank") is None


def test_a_damaged_entry_is_named(run):
    path = run.bank_dir / "boat <&>.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match=r"boat <&>\.safetensors is not a whole"):
        weights.read(run.int8_file("super"), run.bank_dir)
