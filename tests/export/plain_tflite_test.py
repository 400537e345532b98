import dataclasses
import types

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from ss_tf.config import ModelConfig
from ss_tf.export import gpu_operations, plain_tflite, tflite
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.models import int8_grid, quantization, resnet, variables
from ss_tf.routing import int8_networks
from ss_tf.training.run_dir import RunDir

MAP = SuperclassMap.from_groups({"bird": ["owl", "hen"], "boat": ["tug"], "cat": list("abcde")})


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run whose networks are only heads, and whose files tell width and form."""
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    run.map_file.write_text(MAP.to_json())

    class Converter:
        def __init__(self, model, *, form):
            self._text = f"{model.output_shape[-1]} {form}"

        def convert(self, network):
            return self._text.encode()

    named = {
        name: types.SimpleNamespace(kernels={"fc/kernel": np.zeros((7, width), np.int8)})
        for name, width in (("", 3), ("bird", 2), ("cat", 5))
    }
    monkeypatch.setattr(int8_networks, "load", lambda config, run, labels_map: named)
    monkeypatch.setattr(tflite, "Converter", Converter)
    return run


def test_each_network_has_a_head_of_its_own_width(run_config, run, tmp_path):
    output = tmp_path / "plain"
    text = plain_tflite.export_plain(run_config(), run, output=output)
    assert text.startswith(f"{output}: 6 .tflite files of {run.path}.\n")
    for stem, width in (("super", 3), ("sub_bird", 2), ("sub_cat", 5)):
        for form in ("int8", "float16"):
            assert (output / f"{stem}.{form}.tflite").read_text() == f"{width} {form}"
    assert len(list(output.iterdir())) == 6


def test_existing_folder_is_refused(run_config, run):
    with pytest.raises(ValueError, match="is there already"):
        plain_tflite.export_plain(run_config(), run, output=run.path)


@pytest.mark.slow
def test_files_run_and_say_what_keras_says(
    run_config, small_int8_model, small_int8_networks, tmp_path, monkeypatch
):
    config = run_config()
    shape = ModelConfig(backbone="resnet18", base_width=4, resnet_blocks=None, stem="small")
    data = dataclasses.replace(config.data, name="superclass_typefaces", image_size=16)
    network = small_int8_networks[0]
    monkeypatch.setattr(int8_networks, "load", lambda config, run, labels_map: {"": network})
    # To quantize takes seconds, and this one has the right shape.
    monkeypatch.setattr(quantization, "quantize", lambda *args, **kwargs: small_int8_model)
    # But it has strides in its shortcuts, which GPUs do not take.
    monkeypatch.setattr(gpu_operations, "check", lambda content: None)
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    run.map_file.write_text(MAP.to_json())
    config = dataclasses.replace(config, model=shape, data=data)
    plain_tflite.export_plain(config, run, output=tmp_path / "plain")

    int8_grid.assign_integer(network, small_int8_model)
    floats = resnet.build_resnet(shape, num_classes=5, image_size=16, channels=1)
    variables.assign(floats, int8_grid.float_weights(network))
    images = np.random.default_rng(1).normal(size=(8, 16, 16, 1)).astype(np.float32)
    # Of the spread of logits: a few of 256 steps, and rounding to 11 bits.
    for form, model, tolerance in (("int8", small_int8_model, 0.04), ("float16", floats, 0.01)):
        path = tmp_path / "plain" / f"super.{form}.tflite"
        runner = Interpreter(str(path)).get_signature_runner(tflite.SIGNATURE)
        found = np.concatenate([runner(image=image[np.newaxis])["logits"] for image in images])
        expected = model(images, training=False).numpy()
        assert found.shape == (8, 5)
        np.testing.assert_allclose(found, expected, atol=tolerance * np.ptp(expected))
