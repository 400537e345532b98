"""Every ImageNet preset trains: two steps of its base, float and, but the deepest, quantized."""

import dataclasses
import pathlib

import fake_imagenet
import numpy as np
import pytest
import tensorflow_datasets as tfds

from ss_tf import run_flags
from ss_tf.data import catalog
from ss_tf.training import stages, trainer
from ss_tf.training.run_dir import RunDir

_ROOT = pathlib.Path(__file__).parents[1]
_PRESETS = sorted(path.relative_to(_ROOT) for path in (_ROOT / "flags").glob("imagenet_*.flags"))

_BATCH = 4
_SMALL = [
    "--image_size=16",
    "--base_width=4",
    f"--batch_size={_BATCH}",
    "--warmup_epochs=0",
    "--flat_epochs=1",
    "--super_epochs=1",
    "--base_qat_epochs=1",
    "--flat_backbone=none",
]
# Tracing takes longer the more blocks there are. The deepest network shows that all the presets'
# depths can be trained, in float alone; others of its kind of block have one in each stage.
_DEEPEST = pathlib.Path("flags/imagenet_resnet455.flags")
_MOST_BLOCKS = 16


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Prepares superclass_imagenet from archives of its form."""
    root = tmp_path_factory.mktemp("data")
    fake_imagenet.write(root / "archives", images_per_class=1, validation_per_class=1, side=16)
    builder = tfds.builder("superclass_imagenet", data_dir=root / "tfds")
    manual = tfds.download.DownloadConfig(manual_dir=root / "archives")
    builder.download_and_prepare(download_config=manual)
    return root / "tfds"


def _shrunk(dataset):
    """Returns the data set with two batches to train on, and one to validate."""

    def part(examples, count):
        return examples.select(np.linspace(0, len(examples) - 1, count).astype(int))

    return dataclasses.replace(
        dataset,
        train=part(dataset.train, 2 * _BATCH),
        minival=part(dataset.validation, _BATCH),
        validation=part(dataset.validation, _BATCH),
    )


@pytest.mark.slow
@pytest.mark.parametrize("preset", _PRESETS, ids=str)
def test_preset_trains_for_two_steps(preset, data_dir, tmp_path, parse_flags, monkeypatch):
    """Everything is the preset's but sizes: its augmentation, mixing, precision and averages."""
    monkeypatch.chdir(_ROOT)
    parse_flags(f"--flagfile={preset}")
    config = run_flags.run_config()
    stage = config.base if config.equal_compute_model else "flat"
    arguments = [*_SMALL, f"--data_dir={data_dir}", f"--stage={stage}"]
    if config.flat_fit.image_size != config.data.image_size:
        arguments.append("--train_image_size=8")
    if preset == _DEEPEST:
        arguments.append("--sub_init=scratch")
    elif sum(config.model.blocks) > _MOST_BLOCKS:
        arguments.append("--resnet_blocks=1,1,1,1")
    parse_flags(f"--flagfile={preset}", *arguments)
    load = catalog.load
    monkeypatch.setattr(catalog, "load", lambda config: _shrunk(load(config)))
    monkeypatch.setattr(trainer, "_SETTLING_STEPS", 2)  # Of averages; 2 steps need none else.

    run = RunDir(tmp_path / "run")
    stages.train(
        run_flags.run_config(),
        run,
        stage=stage,
        superclasses=("all",),
        flagfile=run_flags.run_flagfile(),
    )
    assert run.float_file(stage).is_file()
    assert run.int8_file(stage).is_file() == (preset != _DEEPEST)
