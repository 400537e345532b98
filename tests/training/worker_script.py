"""What one worker of two_workers_test.py runs: RUN_DIR EPOCHS STRATEGY NETWORK...

After each phase it prints a digest of every variable on each of its devices. With DIE_AFTER_STEPS
in the environment it kills itself after so many steps.
"""

import dataclasses
import hashlib
import os
import pathlib
import signal

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf

from ss_tf import command_line, config
from ss_tf.data import catalog, examples
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.training import stages, trainer
from ss_tf.training.run_dir import RunDir

SIDE = 8


def main(argv):
    """Trains the named networks."""
    _, run_dir, epochs, strategy, *names = argv
    if strategy == "mirrored":
        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * 2
        )
    stages.catalog.load = lambda _: _dataset()
    fit = trainer.Trainer.fit

    def fit_and_tell(self, task):
        fit(self, task)
        print(f"{task.title}: {_digests(self)}", flush=True)

    trainer.Trainer.fit = fit_and_tell
    if "DIE_AFTER_STEPS" in os.environ:
        _die_after(int(os.environ["DIE_AFTER_STEPS"]))
    trainer._SETTLING_STEPS = 8  # Many small collectives take their time.
    stages.plan.networks_of_stage = lambda *_, **__: names
    settings, run = _config(int(epochs), strategy), RunDir(pathlib.Path(run_dir))
    stages.train(settings, run, stage="all", superclasses=["all"], flagfile="")


def _die_after(num_steps):
    take_step, steps = trainer.Steps.train, iter(range(num_steps))

    def step_or_die(self, batch, rate):
        if next(steps, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        take_step(self, batch, rate)

    trainer.Steps.train = step_or_die


def _digests(of):
    """Returns a digest for each device of this process."""
    digests = {}
    for variable in of._steps.state():
        for device, local in enumerate(of._devices._strategy.experimental_local_results(variable)):
            digest = digests.setdefault(device, hashlib.sha256())
            digest.update(local.numpy().tobytes())
    return " ".join(digest.hexdigest() for digest in digests.values())


def _dataset():
    image_format = catalog.image_format("superclass_typefaces")
    splits = {
        name: _stripes(40, seed) for seed, name in enumerate(("train", "minival", "validation"))
    }
    return examples.Dataset(
        **vars(image_format),
        **splits,
        name="stripes",
        superclass_map=SuperclassMap.from_groups({"a": ["a/0", "a/1", "a/2"], "b": ["b/0"]}),
        unreadable=(),
    )


def _stripes(count, seed):
    """Returns noise from black to white, with a bright stripe whose place is the label."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    images = generator.integers(0, 256, (count, SIDE, SIDE, 1))
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 2] = 255
    keys = np.array([f"{seed}/{index}" for index in range(count)])
    return examples.Examples(images=images.astype(np.uint8), labels=labels, keys=keys)


def _config(epochs, strategy):
    super_fit = config.FitConfig(
        epochs=epochs,
        batch_size=8,
        image_size=SIDE,
        learning_rate=0.05,
        warmup_epochs=0.0,
        momentum=0.9,
        weight_decay=5e-4,
        label_smoothing=0.1,
        min_crop_area=0.35,
        augment=("translate",),
        mixup=0.2,
        cutmix=0.0,
        ema_decay=0.9,
        seed=0,
        checkpoint_minutes=0.0,
    )
    fit = dataclasses.replace(super_fit, epochs=1, ema_decay=0.0)
    return config.RunConfig(
        data=config.DataConfig(
            name="folder",
            data_dir=None,
            image_size=SIDE,
            minival_fraction=0.1,
            skip_unreadable=False,
        ),
        model=config.ModelConfig(
            backbone="resnet18", resnet_blocks=(1, 1, 1, 1), base_width=2, stem="small"
        ),
        equal_compute_model=None,
        sub_init="super",
        flat_fit=fit,
        super_fit=super_fit,
        sub_fit=dataclasses.replace(fit, epochs=0),
        base_qat_fit=fit,
        sub_qat_fit=fit,
        delta=config.DeltaConfig(bits=0.05, penalty=1.0, freeze_through="stem"),
        init=None,
        equal_compute_init=None,
        devices=config.DeviceConfig(strategy=strategy, mixed_precision=False, jit_compile=False),
        networks_from=None,
        seed=0,
        deterministic=False,
    )


command_line.run(main)
