import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from ss_tf import files
from ss_tf.models import integer_network
from ss_tf.models.integer_network import IntegerNetwork


def _network(**changes):
    rng = np.random.default_rng(0)
    fields = {
        "kernels": {
            "conv1/kernel": rng.integers(-127, 128, (3, 3, 2, 4), np.int8),
            "fc/kernel": rng.integers(-127, 128, (4, 5), np.int8),
        },
        "scales": {
            "conv1/kernel": np.array([0.5, 0.25, 1, 2], np.float32),
            "fc/kernel": np.array(0.125, np.float32),
        },
        "floats": {"bn1/gamma": rng.normal(size=4).astype(np.float32)},
        "metadata": {"network": "super"},
    }
    return IntegerNetwork(**{**fields, **changes})


def _with(group, name, tensor):
    """Returns the network with one tensor replaced or added."""
    network = _network()
    return dataclasses.replace(network, **{group: {**getattr(network, group), name: tensor}})


def test_load_restores_every_tensor_and_the_metadata(tmp_path):
    network = _network()
    integer_network.save(network, tmp_path / "n.safetensors")
    loaded = integer_network.load(tmp_path / "n.safetensors")
    assert integer_network.digest(loaded) == integer_network.digest(network)
    assert loaded.metadata == network.metadata
    for group in ("kernels", "scales", "floats"):
        for name, tensor in getattr(network, group).items():
            np.testing.assert_array_equal(getattr(loaded, group)[name], tensor, strict=True)


def test_dequantized_is_kernel_times_scale_of_the_output_channel():
    network = _network()
    floats = integer_network.dequantized(network)
    kernel = network.kernels["conv1/kernel"]
    assert floats["conv1/kernel"][2, 1, 0, 3] == kernel[2, 1, 0, 3] * 2.0
    assert floats["fc/kernel"][3, 4] == network.kernels["fc/kernel"][3, 4] * 0.125
    assert {value.dtype for value in floats.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("group", ["kernels", "scales", "floats"])
def test_digest_changes_with_any_bit_of_any_tensor(group):
    for name, tensor in getattr(_network(), group).items():
        changed = tensor.copy()
        changed.reshape(-1).view(np.uint8)[-1] ^= 1
        other = _with(group, name, changed)
        assert integer_network.digest(other) != integer_network.digest(_network())


def test_digest_ignores_metadata_order_and_memory_layout():
    network = _network()
    other = _network(
        metadata={},
        kernels={
            name: np.asfortranarray(kernel) for name, kernel in reversed(network.kernels.items())
        },
    )
    assert integer_network.digest(other) == integer_network.digest(network)


def test_digest_tells_shapes_and_names_apart():
    wide = _with("floats", "x", np.zeros((2, 3), np.float32))
    tall = _with("floats", "x", np.zeros((3, 2), np.float32))
    renamed = _with("floats", "y", np.zeros((2, 3), np.float32))
    assert len({integer_network.digest(network) for network in (wide, tall, renamed)}) == 3


@pytest.mark.parametrize(
    ("group", "name", "tensor", "message"),
    [
        ("kernels", "fc/kernel", np.zeros((4, 5), np.int16), "kernels/fc/kernel is int16"),
        ("floats", "bn1/gamma", np.zeros(4), "floats/bn1/gamma is float64, expected float32"),
        ("kernels", "odd", np.zeros((4, 5), np.int8), "'odd' has a kernel or a scale"),
        ("scales", "fc/kernel", np.zeros(5, np.float32), r"fc/kernel has shape .*scale \(5,\)"),
        ("scales", "conv1/kernel", np.zeros((), np.float32), r"conv1/kernel .*scale \(\)"),
        ("kernels", "fc/kernel", np.full((4, 5), -128, np.int8), r"fc/kernel holds -128"),
        (
            "floats",
            "bn1/gamma",
            np.array([1, np.nan, 3, 4], np.float32),
            r"^floats/bn1/gamma holds nan, expected finite values\.$",
        ),
        (
            "scales",
            "conv1/kernel",
            np.array([1, 2, 3, -np.inf], np.float32),
            r"^scales/conv1/kernel holds -inf, expected finite",
        ),
        ("scales", "fc/kernel", np.array(np.nan, np.float32), r"fc/kernel holds nan, expected fin"),
    ],
)
def test_tensors_that_are_no_int8_network_are_refused(group, name, tensor, message):
    with pytest.raises(ValueError, match=message):
        _with(group, name, tensor)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"conv1/kernel": np.zeros(3, np.float32)}, "holds 'conv1/kernel', expected names that"),
        ({"kernels/fc/kernel": np.zeros((2, 2), np.int8)}, "'fc/kernel' has a kernel or a scale"),
    ],
)
def test_a_file_of_something_else_is_refused_by_name(tmp_path, tensors, message):
    files.write_tensors(tmp_path / "n.safetensors", tensors, metadata={})
    with pytest.raises(ValueError, match=rf"n\.safetensors .*{message}"):
        integer_network.load(tmp_path / "n.safetensors")


def test_a_file_with_nan_is_refused_by_name(tmp_path):
    tensors = dict(integer_network.named_tensors(_network()))
    tensors["floats/bn1/gamma"] = np.full(4, np.nan, np.float32)
    files.write_tensors(tmp_path / "n.safetensors", tensors, metadata={})
    with pytest.raises(ValueError, match=r"n\.safetensors is no .*: floats/bn1/gamma holds nan"):
        integer_network.load(tmp_path / "n.safetensors")


def test_only_tensors_of_the_last_layer_are_the_head():
    assert integer_network.is_head("fc/kernel")
    assert not integer_network.is_head("fc2/kernel")
    assert not integer_network.is_head("layer1.0.conv1/kernel")


def test_module_imports_without_tensorflow():
    code = "import sys, ss_tf.models.integer_network; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
