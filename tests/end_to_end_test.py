"""A user's whole path: photos, killed training, evaluation, prediction, export, a device."""

import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

_ROOT = pathlib.Path(__file__).parents[1]
_TREE = {"dog": ["husky", "malamute"], "camión": ["fire engine", "van", "tow"], "ship": ["ferry"]}
_PHOTOS_PER_SUBCLASS = 10
# Nearly all the time goes into starting TensorFlow and tracing, so everything is tiny.
# --deterministic makes the two runs comparable bit for bit.
_FLAGS = [
    "--dataset=folder",
    "--image_size=8",
    "--minival_fraction=0.25",
    "--augment=",
    "--resnet_blocks=1,1,1,1",
    "--flat_backbone=none",
    "--base_width=4",
    "--batch_size=4",
    "--flat_epochs=2",
    "--super_epochs=1",
    "--sub_epochs=1",
    "--base_qat_epochs=1",
    "--sub_qat_epochs=2",
    "--deterministic",
    "--checkpoint_minutes=0",
]
# In the order of training: classes are sorted, and `dog` is the last one with a sub network.
_KILLED_IN = [("flat", "float"), ("super", "qat"), ("sub/dog", "qat")]
_SECONDS_TO_A_CHECKPOINT = 300
# In a process that cannot import this package.
_CLIENT = """
import sys
sys.modules["ss_tf"] = None
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
result = model.signatures["serving_jpeg"](encoded=[tf.io.read_file(sys.argv[2])])
print(result["superclass_name"][0].numpy().decode(), "|", result["label_name"][0].numpy().decode())
for stage in ("superclass", "subclass"):
    print(100 * float(result[stage + "_probability"][0]))
"""
# Of a record. Its loss and train_top1 cover what was trained since the last start.
_COMPARED = ("phase", "epoch", "images", "minival_top1")
pytestmark = pytest.mark.slow


@pytest.fixture
def photos(tmp_path):
    """Writes a photo tree in which colour gives the superclass and brightness the subclass."""
    root = tmp_path / "photos"
    generator = np.random.default_rng(0)
    for channel, (superclass, subclasses) in enumerate(_TREE.items()):
        for index, subclass in enumerate(subclasses):
            folder = root / superclass / subclass
            folder.mkdir(parents=True)
            for number in range(_PHOTOS_PER_SUBCLASS):
                pixels = generator.integers(0, 60, (10, 12, 3), np.uint8)
                pixels[..., channel] += 80 + 50 * index
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return root


def _command(script, *arguments):
    if script == "-m":
        return [sys.executable, script, *arguments]
    return [sys.executable, _ROOT / script, *arguments]


def _run(script, *arguments, log):
    """Runs a script to its end; returns its standard output, and leaves the rest in `log`."""
    with log.open("wb") as errors:
        result = subprocess.run(
            _command(script, *arguments),
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
            check=False,
            cwd=_ROOT,
        )
    assert result.returncode == 0, _end_of(log)
    return result.stdout


def _train_and_kill_when(appears, arguments, *, log):
    """Starts a training and kills it, as `kill -9` does, when a file appears."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            _command("train.py", *arguments), cwd=_ROOT, stdout=output, stderr=output
        ) as process,
    ):
        try:
            deadline = time.monotonic() + _SECONDS_TO_A_CHECKPOINT
            while not appears.exists():
                assert process.poll() is None, f"{appears} never appeared: {_end_of(log)}"
                assert time.monotonic() < deadline, f"{appears} is late: {_end_of(log)}"
                time.sleep(0.01)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL, f"The training ended before the kill at {appears}"


def _end_of(log):
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]


def _first_shown(log, phase):
    """Returns at how many images the progress of a phase began."""
    text = log.read_text(encoding="utf-8", errors="replace")
    found = re.search(rf"\[\d/\d\] {phase}: +\d+%\|.*?\| (\d+)/\d+ \[", text)
    assert found, f"No progress of {phase}: {_end_of(log)}"
    return int(found[1])


def _weights(run_dir):
    """Returns file -> content of all networks and deltas; checkpoints would be among them."""
    return {
        path.relative_to(run_dir).as_posix(): path.read_bytes()
        for path in sorted(run_dir.rglob("*.safetensors"))
    }


def _accuracies(run_dir, network):
    """Returns one row per epoch of a network, to be compared with another run's."""
    text = (run_dir / "networks" / network / "metrics.jsonl").read_text(encoding="utf-8")
    records = [json.loads(line) for line in text.splitlines()]
    return [[record[name] for name in _COMPARED] for record in records]


def test_a_run_killed_in_each_stage_ends_like_an_uninterrupted_one(photos, tmp_path):
    arguments = [*_FLAGS, f"--data_dir={photos}", "--stage=all"]
    whole, killed, log = tmp_path / "whole", tmp_path / "killed", tmp_path / "log.txt"
    _run("train.py", *arguments, f"--run_dir={whole}", log=log)
    for network, phase in _KILLED_IN:
        assert _first_shown(log, f"{network} {phase}") == 0

    killed_in = None
    for network, phase in _KILLED_IN:
        checkpoint = killed / "networks" / network / f"{phase}_checkpoint.safetensors"
        _train_and_kill_when(checkpoint, [*arguments, f"--run_dir={killed}"], log=log)
        if killed_in:
            assert _first_shown(log, killed_in) > 0
        killed_in = f"{network} {phase}"
    _run("train.py", f"--run_dir={killed}", "--stage=all", log=log)
    assert _first_shown(log, killed_in) > 0
    assert "flat float" not in log.read_text(encoding="utf-8")  # It was finished already.

    assert _weights(killed) == _weights(whole)
    for network in ("flat", "super", "sub/dog", "sub/camión"):
        assert _accuracies(killed, network) == _accuracies(whole, network)

    table = _run("eval.py", f"--run_dir={killed}", log=log)
    assert "oracle" in table
    assert "not evaluated" in table  # There is no second flat network.

    # A neutral name: the names of the classes must come from the networks.
    image = shutil.copy(photos / "ship" / "ferry" / "0.png", tmp_path / "x.png")
    images = [str(photos / name / "0.png") for name in ("dog/husky", "camión/van", "ship/ferry")]
    printed = _run("predict.py", f"--run_dir={killed}", "--json", image, *images, log=log)
    found, *predicted = map(json.loads, printed.splitlines())
    superclass, _, subclass = found["subclass"].partition("/")
    assert (found["path"], found["superclass"]) == (str(image), superclass)
    assert subclass in _TREE[superclass]
    assert 1 / len(_TREE) - 1e-3 <= found["superclass_probability"] <= 1
    assert 1 / len(_TREE[superclass]) - 1e-3 <= found["subclass_probability"] <= 1

    exported = tmp_path / "exported"
    told = _run("export.py", f"--run_dir={killed}", f"--output={exported}", log=log)
    assert "serving_jpeg(encoded: string [batch])" in told
    client = tmp_path / "client.py"
    client.write_text(_CLIENT, encoding="utf-8")
    names, *percents = _run(client, exported, image, log=log).splitlines()
    assert names == f"{superclass} | {found['subclass']}"
    shown = [100 * found[f"{stage}_probability"] for stage in ("superclass", "subclass")]
    assert [float(percent) for percent in percents] == pytest.approx(shown, abs=0.2)

    bundle = tmp_path / "bundle"
    arguments = ["--format=tflite", f"--output={bundle}"]
    told = _run("export.py", f"--run_dir={killed}", *arguments, log=log)
    assert f"python -m ss_tf.edge {bundle} photo.jpg" in told
    assert sorted(path.name for path in bundle.iterdir()) == [
        "deltas",
        "manifest.json",
        "super.tflite",
    ]
    answered = _run("-m", "ss_tf.edge", bundle, *images, log=log).splitlines()
    for one, answer in zip(predicted, answered, strict=True):
        # Joint probability; int8 arithmetic rounds otherwise than fake quantization in float32.
        joint = 100 * one["superclass_probability"] * one["subclass_probability"]
        found = re.fullmatch(r"(.+): (.+) \((.+)\) ([\d.]+) %", answer)
        assert found, answer
        names = (one["path"], one["subclass"], one["superclass"])
        assert found.groups()[:3] == names
        assert float(found[4]) == pytest.approx(joint, abs=5)
