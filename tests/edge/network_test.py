import dataclasses

import numpy as np
import pytest
from ai_edge_litert.compiled_model import CompiledModel, HardwareAccelerator

from ss_tf.edge.network import CompiledRunner, Network, NoGpuError


def _inputs(images):
    return ((images / 255 - 0.5) / 0.25).astype(np.float32)


@pytest.fixture
def tiny(make_bundle):
    """Returns a bundle of tiny networks."""
    return make_bundle()


@pytest.fixture
def has_gpu(tiny):
    """Whether LiteRT finds a GPU here."""
    content = tiny.base_file.read_bytes()
    try:
        CompiledModel.from_buffer(content, hardware_accel=HardwareAccelerator.GPU)
    except RuntimeError:
        return False
    return True


def test_logits_are_those_of_numpy(make_bundle, images):
    tiny = make_bundle()
    network = Network(tiny.base_file.read_bytes(), tiny.about, num_threads=1)
    inputs = _inputs(images)
    found = network.logits(inputs, width=3)
    np.testing.assert_allclose(found, tiny.logits("", images)[:, :3], rtol=1e-4, atol=1e-5)
    assert network.logits(inputs[:0], width=3).shape == (0, 3)


def test_other_signatures_are_refused(make_bundle):
    tiny = make_bundle()
    content = tiny.base_file.read_bytes()
    for change, message in (
        ({"image_size": 5}, r"expected image: float32 \[1, 5, 5, 1\]"),
        ({"head_width": 9}, r"expected logits: float32 \[1, 9\]"),
        ({"signature": "other"}, "LiteRT cannot use the network"),
    ):
        with pytest.raises(ValueError, match=message):
            Network(content, dataclasses.replace(tiny.about, **change), num_threads=1)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_logits_that_are_no_numbers_are_refused(make_bundle, images, number):
    tiny = make_bundle()
    content = tiny.base_file.read_bytes()
    weights = tiny.weights[""].copy()
    weights[1, 4] = number
    damaged = content.replace(tiny.weights[""].tobytes(), weights.tobytes())
    network = Network(damaged, tiny.about, num_threads=1)
    with pytest.raises(ValueError, match="logits that are not finite"):
        network.logits((images[:1] / 255).astype(np.float32), width=3)


def test_bytes_that_are_no_network_are_refused(make_bundle):
    with pytest.raises(ValueError, match="LiteRT cannot use the network"):
        Network(b"no network" * 10, make_bundle().about, num_threads=1)


def test_compiled_networks_say_the_same(make_bundle, images):
    """What runs on GPUs, on LiteRT's accelerator of that kind which every machine has."""
    tiny = make_bundle()
    content, signature = tiny.base_file.read_bytes(), tiny.about.signature
    runner = CompiledRunner(content, signature, hardware=HardwareAccelerator.CPU)
    found = [runner.run(image[np.newaxis]) for image in _inputs(images)]
    np.testing.assert_allclose(found, tiny.logits("", images), rtol=1e-4, atol=1e-5)
    ((name, details),) = runner.inputs().items()
    assert (name, list(details["shape"])) == ("image", [1, 3, 3, 1])
    assert list(runner.outputs()) == ["logits"]


def test_missing_gpu_says_what_to_do(tiny, has_gpu):
    if has_gpu:
        pytest.skip("There is a GPU here.")
    with pytest.raises(NoGpuError, match=r"on a GPU \(.+\), expected .* use the accelerator cpu"):
        Network(tiny.base_file.read_bytes(), tiny.about, num_threads=1, accelerator="gpu")


def test_gpu_says_the_same(tiny, has_gpu, images):
    if not has_gpu:
        pytest.skip("There is no GPU here.")
    network = Network(tiny.base_file.read_bytes(), tiny.about, num_threads=1, accelerator="gpu")
    found = network.logits(_inputs(images), width=3)
    # A GPU may compute with 16 bits.
    np.testing.assert_allclose(found, tiny.logits("", images)[:, :3], rtol=0.02, atol=0.05)
