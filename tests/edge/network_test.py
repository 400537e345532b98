import dataclasses

import numpy as np
import pytest

from ss_tf.edge.network import Network


def test_logits_are_those_of_numpy(make_bundle, images):
    tiny = make_bundle()
    network = Network(tiny.base_file.read_bytes(), tiny.about, num_threads=1)
    inputs = ((images / 255 - 0.5) / 0.25).astype(np.float32)
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
