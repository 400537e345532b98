import types

import numpy as np
import pytest

from ss_tf.export import plain_tflite, tflite
from ss_tf.hierarchy.superclass_map import SuperclassMap
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
