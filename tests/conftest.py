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


def pytest_collection_modifyitems(items):
    """Puts files with slow tests first, so that no worker of xdist ends with one while others wait.

    Fast tests then fill the time of whoever is done. Each file stays together.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


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


@pytest.fixture(scope="session")
def small_int8_model():
    """The quantized model of `small_int8_networks`; tests change its weights."""
    # Not for tests that need no TensorFlow.
    from ss_tf.models import int8_grid, quantization, resnet

    small = config.ModelConfig(backbone="resnet18", base_width=4, resnet_blocks=None, stem="small")
    widest = max(_WIDTHS.values())
    network = resnet.build_resnet(small, num_classes=widest, image_size=16, channels=1)
    qat_model = quantization.quantize(network, freeze_kernel_ranges=True)
    images = np.random.default_rng(0).normal(size=(16, 16, 16, 1)).astype(np.float32)
    quantization.calibrate(qat_model, [images], input_range=(-4.0, 4.0))
    int8_grid.snap(qat_model)
    return qat_model


# Classes of the base, and of each superclass's sub network; the middle one has none.
_WIDTHS = {None: 3, 0: 5, 2: 2}


@pytest.fixture(scope="session")
def small_int8_networks(small_int8_model):
    """Superclass -> integer network; sub networks share the base's stages through layer1.

    That of None is the base of three superclasses, which have 5, 1 and 2 labels.
    """
    from ss_tf.models import heads, int8_grid, integer_network, resnet

    base = int8_grid.to_integer(small_int8_model, {})
    drawn = {None: base}
    for seed in _WIDTHS.keys() - {None}:
        rng = np.random.default_rng(seed)
        moved = {
            name: np.where(rng.random(kernel.shape) < 0.2, kernel // 2, kernel).astype(np.int8)
            for name, kernel in base.kernels.items()
        }
        floats = {
            name: (value + rng.uniform(0, 0.2, value.shape)).astype(np.float32)
            for name, value in base.floats.items()
        }
        for tensors, own in ((moved, base.kernels), (floats, base.floats)):
            for name in tensors:
                # Stem and layer1.
                if resnet.stage_of(name.split("/")[0]) <= 1:
                    tensors[name] = own[name]
        drawn[seed] = integer_network.IntegerNetwork(moved, base.scales, floats, {})
    return {
        superclass: heads.resize_network(drawn[superclass], width)
        for superclass, width in _WIDTHS.items()
    }
