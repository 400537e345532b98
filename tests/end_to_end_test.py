"""A user's whole path through the scripts: photos, killed training, evaluation, prediction."""

import json
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

_ROOT = pathlib.Path(__file__).parents[1]
_TREE = {"dog": ["husky", "malamute"], "camión": ["fire engine", "van", "tow"], "ship": ["ferry"]}
_FLAGS = [
    "--dataset=folder",
    "--image_size=16",
    "--minival_fraction=0.1",
    "--augment=flip",
    "--resnet_blocks=1,1,1,1",
    "--flat_backbone=none",
    "--base_width=4",
    "--batch_size=8",
    "--flat_epochs=2",
    "--super_epochs=2",
    "--sub_epochs=2",
    "--sub_qat_epochs=2",
    "--deterministic",
    "--checkpoint_minutes=0",
]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Writes a photo tree in which colour gives the superclass and brightness the subclass."""
    root = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for channel, (superclass, subclasses) in enumerate(_TREE.items()):
        for index, subclass in enumerate(subclasses):
            folder = root / superclass / subclass
            folder.mkdir(parents=True)
            for number in range(20):
                pixels = generator.integers(0, 60, (20, 24, 3), np.uint8)
                pixels[..., channel] += 80 + 50 * index
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return root


def _command(script, *arguments):
    return [sys.executable, _ROOT / script, *arguments]


def _run(script, *arguments):
    result = subprocess.run(
        _command(script, *arguments), capture_output=True, text=True, check=False, cwd=_ROOT
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


def _train_and_kill_when(appears, arguments):
    """Starts a training and kills it, as `kill -9` does, when a file appears."""
    with subprocess.Popen(
        _command("train.py", *arguments), cwd=_ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 120
        while not appears.exists():
            assert process.poll() is None, process.stderr.read()[-2000:]
            assert time.monotonic() < deadline, f"{appears} never appeared"
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL


def _results(run_dir):
    results = json.loads((run_dir / "report" / "results.json").read_text(encoding="utf-8"))
    for key in ("seconds", "command"):
        results.pop(key)
    return results


@pytest.mark.timeout(600)
def test_a_run_killed_in_each_stage_ends_like_an_uninterrupted_one(photos, tmp_path):
    arguments = [*_FLAGS, f"--data_dir={photos}", "--stage=all"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    _run("train.py", *arguments, f"--run_dir={whole}")
    table = _run("eval.py", f"--run_dir={whole}")
    assert "oracle" in table
    assert "not evaluated" in table  # There is no second flat network.

    networks = killed / "networks"
    for checkpoint in (
        networks / "flat" / "float_checkpoint.safetensors",
        networks / "super" / "qat_checkpoint.safetensors",
        networks / "sub" / "dog" / "float_checkpoint.safetensors",
        networks / "sub" / "dog" / "qat_checkpoint.safetensors",
    ):
        _train_and_kill_when(checkpoint, [*arguments, f"--run_dir={killed}"])
    _run("train.py", f"--run_dir={killed}", "--stage=all")
    _run("eval.py", f"--run_dir={killed}")
    assert _results(killed) == _results(whole)

    lines = _run("predict.py", f"--run_dir={whole}", photos / "ship" / "ferry" / "0.png")
    assert "ship" in lines
    assert "ferry" in lines

    with pytest.raises(AssertionError, match=r"with --base_width=4, got --base_width=8"):
        _run("train.py", f"--run_dir={whole}", "--base_width=8")
