"""Fixtures shared by all rooms."""

import dataclasses
import pathlib
import sys

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from ss_tf import config, flag_checks  # noqa: F401  (defines the flags)
from ss_tf.data import examples
from ss_tf.hierarchy import superclass_map

# The modules of tools/ are not part of the package.
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tools"))


@pytest.fixture
def parse_flags():
    """Returns a function that parses arguments of train.py; the flags are restored after a test."""

    def parse(*arguments):
        flags.FLAGS.unparse_flags()
        for name in flags.FLAGS:
            flags.FLAGS[name].unparse()
        flags.FLAGS(["train.py", *arguments])

    with flagsaver.flagsaver():
        yield parse


@pytest.fixture
def fit_config():
    """Returns a function that makes a FitConfig of one short epoch, with changes."""

    def make(**changes):
        fit = config.FitConfig(
            epochs=1,
            batch_size=8,
            image_size=16,
            learning_rate=0.05,
            warmup_epochs=0.0,
            momentum=0.9,
            weight_decay=5e-4,
            label_smoothing=0.1,
            min_crop_area=0.35,
            augment=(),
            mixup=0.0,
            cutmix=0.0,
            ema_decay=0.0,
            seed=0,
            checkpoint_minutes=60.0,
        )
        return dataclasses.replace(fit, **changes)

    return make


@pytest.fixture
def run_config(fit_config):
    """Returns a function that makes the RunConfig of a tiny network, with changes."""

    def make(**changes):
        model = config.ModelConfig(
            backbone="resnet18", resnet_blocks=(1, 1, 1, 1), base_width=4, stem="small"
        )
        run = config.RunConfig(
            data=config.DataConfig(
                name="folder",
                data_dir=pathlib.Path("photos"),
                image_size=16,
                minival_fraction=0.1,
                skip_unreadable=False,
            ),
            model=model,
            equal_compute_model=dataclasses.replace(model, resnet_blocks=(1, 1, 1, 2)),
            sub_init="super",
            flat_fit=fit_config(),
            super_fit=fit_config(),
            sub_fit=fit_config(),
            base_qat_fit=fit_config(learning_rate=0.01),
            sub_qat_fit=fit_config(learning_rate=0.01),
            delta=config.DeltaConfig(bits=8.0, penalty=0.0, freeze_through=None),
            init=None,
            equal_compute_init=None,
            devices=config.DeviceConfig(
                strategy="default", mixed_precision=False, jit_compile=False
            ),
            networks_from=None,
            seed=0,
            deterministic=False,
        )
        return dataclasses.replace(run, **changes)

    return make


@pytest.fixture
def stripes():
    """Returns a data set that a tiny network learns in seconds.

    Superclasses a (three subclasses), b (one) and c (two); 16x16 grayscale noise, with a bright
    stripe whose place is the label.
    """
    from ss_tf.data import catalog  # Here, so that tests without it need not wait for TensorFlow.

    labels_map = superclass_map.SuperclassMap.from_groups(
        {"a": ["a/0", "a/1", "a/2"], "b": ["b/0"], "c": ["c/0", "c/1"]}
    )
    image_format = catalog.image_format("superclass_typefaces")
    return examples.Dataset(
        **{
            field.name: getattr(image_format, field.name)
            for field in dataclasses.fields(image_format)
        },
        name="stripes",
        superclass_map=labels_map,
        train=_stripes(96, seed=0),
        minival=_stripes(24, seed=1),
        validation=_stripes(36, seed=2),
        unreadable=(),
    )


def _stripes(count, *, seed):
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 6
    images = generator.integers(0, 80, (count, 16, 16, 1))
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 3] += 150
    return examples.Examples(
        images=images.astype(np.uint8),
        labels=labels.astype(np.int64),
        keys=np.array([f"{seed}/{index}" for index in range(count)]),
    )
