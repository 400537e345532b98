"""A researcher's whole path on archives of ImageNet's form: tfds build, train.py, eval.py."""

import json
import pathlib
import subprocess
import sys

import fake_imagenet
import numpy as np
import pytest
import safetensors.numpy

_ROOT = pathlib.Path(__file__).parents[1]
# Starting TensorFlow and tracing take nearly all the time, so everything else is tiny.
_SHORTENED = [
    "--flagfile=flags/imagenet_resnet18.flags",
    "--image_size=16",
    "--resnet_blocks=1,1,1,1",
    "--flat_backbone=none",
    "--base_width=4",
    "--batch_size=64",
    "--flat_epochs=1",
    "--super_epochs=3",
    "--sub_epochs=1",
    "--base_qat_epochs=1",
    "--sub_qat_epochs=1",
    "--warmup_epochs=0",
    "--learning_rate=0.1",
]
pytestmark = pytest.mark.slow


def _run(*command, cwd):
    result = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, encoding="utf-8", check=False
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def _write_pretrained(path):
    """Writes weights of a network of the shortened shape, in torchvision's names and layout."""
    generator = np.random.default_rng(0)
    shapes = {"conv1": (4, 3, 7, 7)}
    norms = {"bn1": 4}
    inputs = 4
    for stage in range(4):
        width, block = 4 * 2**stage, f"layer{stage + 1}.0"
        shapes[f"{block}.conv1"] = (width, inputs, 3, 3)
        shapes[f"{block}.conv2"] = (width, width, 3, 3)
        norms |= {f"{block}.bn1": width, f"{block}.bn2": width}
        if stage:
            shapes[f"{block}.downsample.0"] = (width, inputs, 1, 1)
            norms[f"{block}.downsample.1"] = width
        inputs = width
    tensors = {
        f"{name}.weight": generator.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
        for name, shape in shapes.items()
    }
    for name, width in norms.items():
        start = {"weight": 1, "bias": 0, "running_mean": 0, "running_var": 1}
        tensors |= {f"{name}.{part}": np.full(width, value) for part, value in start.items()}
    tensors |= {"fc.weight": generator.normal(size=(1000, inputs)), "fc.bias": np.zeros(1000)}
    single = {name: value.astype(np.float32) for name, value in tensors.items()}
    safetensors.numpy.save_file(single, path)


def test_archives_become_a_report(tmp_path):
    archives, data_dir, run_dir = tmp_path / "archives", tmp_path / "data", tmp_path / "run"
    fake_imagenet.write(archives, images_per_class=4, validation_per_class=1, side=32)
    _run(
        pathlib.Path(sys.executable).with_name("tfds"),
        "build",
        "superclass_imagenet",
        "--imports=tfds_superclass",
        f"--manual_dir={archives}",
        f"--data_dir={data_dir}",
        cwd=tmp_path,
    )
    _write_pretrained(tmp_path / "weights.safetensors")
    _run(
        sys.executable,
        _ROOT / "train.py",
        *_SHORTENED,
        f"--data_dir={data_dir}",
        f"--run_dir={run_dir}",
        f"--init={tmp_path / 'weights.safetensors'}",
        "--stage=all",
        cwd=_ROOT,
    )
    table = _run(sys.executable, _ROOT / "eval.py", f"--run_dir={run_dir}", cwd=_ROOT)
    assert "two-stage, hard" in table
    assert "oracle" in table

    results = json.loads((run_dir / "report" / "results.json").read_text(encoding="utf-8"))
    assert results["num_examples"] == 253
    class_names = json.loads((run_dir / "superclass_map.json").read_text(encoding="utf-8"))
    counts = np.bincount(class_names["superclass_of_label"])
    found = dict(zip(class_names["superclass_names"], counts.tolist(), strict=True))
    assert found == {
        "bird": 52,
        "boat": 6,
        "car": 10,
        "cat": 8,
        "dog": 116,
        "fruit": 7,
        "fungus": 7,
        "insect": 27,
        "monkey": 13,
        "truck": 7,
    }
    deltas = sorted(path.stem for path in (run_dir / "bank").glob("*.safetensors"))
    assert deltas == sorted(found)
