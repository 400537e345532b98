"""What the flags ask for, as configs: the only module that reads absl's FLAGS."""

from __future__ import annotations

import dataclasses
import os
import pathlib

from absl import flags

from ss_tf import config, flag_checks, flagfiles  # noqa: F401  (registers the checks)
from ss_tf import flag_defs as defs
from ss_tf import inference_flag_defs as inference_defs
from ss_tf.training.run_dir import RunDir

# Flags of a single call; all others are kept with the run.
_OF_ONE_CALL = (
    "stage",
    "superclass",
    "run_dir",
    "networks_from",
    # What stage runs on how many devices may differ.
    "strategy",
    "jit_compile",
)
# Kept with the run, but free to change: they do not decide what its weights become.
_FREE_TO_CHANGE = ("data_dir", "checkpoint_minutes")
# Flags that the flat and super networks of a run do not depend on.
_OF_SUB_NETWORKS = (
    "sub_init",
    "sub_epochs",
    "sub_qat_epochs",
    "sub_learning_rate",
    "sub_qat_learning_rate",
    "delta_bits",
    "delta_penalty",
    "freeze_through",
)


def stage() -> str:
    """Returns what --stage asks for."""
    return defs.STAGE.value


def superclasses() -> tuple[str, ...]:
    """Returns the names --superclass gives, or ("all",)."""
    return tuple(defs.SUPERCLASS.value)


def run_dir() -> pathlib.Path:
    """Returns the folder of the run."""
    return pathlib.Path(defs.RUN_DIR.value or f"runs/{defs.DATASET.value}")


def open_run() -> tuple[config.RunConfig, RunDir]:
    """Returns settings and folder of --run_dir's run; raises as `adopt_run_flags`, `run_config`."""
    run = RunDir(run_dir())
    adopt_run_flags(run.flags_file)
    return run_config(), run


def run_config() -> config.RunConfig:
    """Returns all flags that decide what a run trains.

    Raises:
      ValueError: if a value is out of range; it names the setting.
    """
    model = _model_config(defs.BACKBONE.value)
    from_scratch = defs.SUB_INIT.value == "scratch"
    sub_rate = defs.LEARNING_RATE.value if from_scratch else defs.SUB_LEARNING_RATE.value
    return config.RunConfig(
        data=data_config(),
        model=model,
        equal_compute_model=_equal_compute_model(model),
        sub_init=defs.SUB_INIT.value,
        flat_fit=_fit_config(defs.FLAT_EPOCHS.value, defs.LEARNING_RATE.value),
        super_fit=_fit_config(defs.SUPER_EPOCHS.value, defs.LEARNING_RATE.value),
        sub_fit=_fit_config(defs.SUB_EPOCHS.value, sub_rate),
        base_qat_fit=_qat_fit_config(defs.BASE_QAT_EPOCHS.value, defs.QAT_LEARNING_RATE.value),
        sub_qat_fit=_qat_fit_config(defs.SUB_QAT_EPOCHS.value, defs.SUB_QAT_LEARNING_RATE.value),
        delta=_delta_config(),
        init=_path(defs.INIT.value),
        equal_compute_init=_path(defs.EQUAL_COMPUTE_INIT.value),
        devices=config.DeviceConfig(
            strategy=defs.STRATEGY.value,
            mixed_precision=defs.MIXED_PRECISION.value,
            jit_compile=defs.JIT_COMPILE.value,
        ),
        networks_from=_path(defs.NETWORKS_FROM.value),
        seed=defs.SEED.value,
        deterministic=defs.DETERMINISTIC.value,
    )


def data_config() -> config.DataConfig:
    """Returns the flags that choose and read the data set."""
    return config.DataConfig(
        name=defs.DATASET.value,
        data_dir=_path(defs.DATA_DIR.value),
        image_size=defs.IMAGE_SIZE.value,
        minival_fraction=defs.MINIVAL_FRACTION.value,
        skip_unreadable=defs.SKIP_UNREADABLE.value,
    )


def _path(value: str | None) -> pathlib.Path | None:
    return pathlib.Path(value) if value else None


def _model_config(backbone: str) -> config.ModelConfig:
    blocks = tuple(int(number) for number in defs.RESNET_BLOCKS.value)
    return config.ModelConfig(
        backbone=backbone,
        resnet_blocks=blocks or None,
        base_width=defs.BASE_WIDTH.value,
        stem=defs.STEM.value,
    )


def _equal_compute_model(model: config.ModelConfig) -> config.ModelConfig | None:
    """Returns the shape of the second flat network."""
    if defs.FLAT_BACKBONE.value == "none":
        return None
    if defs.FLAT_BACKBONE.value == "twice":
        return dataclasses.replace(model, resnet_blocks=tuple(2 * n for n in model.blocks))
    return dataclasses.replace(model, backbone=defs.FLAT_BACKBONE.value, resnet_blocks=None)


def _delta_config() -> config.DeltaConfig:
    frozen = defs.FREEZE_THROUGH.value
    return config.DeltaConfig(
        bits=defs.DELTA_BITS.value,
        penalty=defs.DELTA_PENALTY.value,
        freeze_through=None if frozen == "none" else frozen,
    )


def _qat_fit_config(epochs: int, learning_rate: float) -> config.FitConfig:
    """Returns the settings of a quantization-aware phase.

    Trained weights need no warm-up. The phase is short: an average over many steps would hold it
    back, and mixed images would move the activation ranges to values that no real image has.
    """
    fit = _fit_config(epochs, learning_rate)
    return dataclasses.replace(fit, warmup_epochs=0.0, mixup=0.0, cutmix=0.0, ema_decay=0.0)


def _fit_config(epochs: int, learning_rate: float) -> config.FitConfig:
    return config.FitConfig(
        epochs=epochs,
        batch_size=defs.BATCH_SIZE.value,
        image_size=defs.TRAIN_IMAGE_SIZE.value or defs.IMAGE_SIZE.value,
        learning_rate=learning_rate,
        warmup_epochs=defs.WARMUP_EPOCHS.value,
        momentum=defs.MOMENTUM.value,
        weight_decay=defs.WEIGHT_DECAY.value,
        label_smoothing=defs.LABEL_SMOOTHING.value,
        min_crop_area=defs.MIN_CROP_AREA.value,
        augment=tuple(name for name in defs.AUGMENT.value if name),
        mixup=defs.MIXUP.value,
        cutmix=defs.CUTMIX.value,
        ema_decay=defs.EMA_DECAY.value,
        seed=defs.SEED.value,
        checkpoint_minutes=defs.CHECKPOINT_MINUTES.value,
    )


def check_script(script: str) -> None:
    """Raises ValueError if a flag was given that other scripts alone make use of."""
    own = {flag.name for flag in flags.FLAGS.get_key_flags_for_module(script)}
    for flag in flags.FLAGS.get_flags_for_module(inference_defs.__name__):
        if flag.present and flag.name not in own:
            raise ValueError(f"--{flag.name} is no flag of {os.path.basename(script)}.")


def run_flagfile() -> str:
    """Returns the present values of a run's flags as the text of a flagfile."""
    return flagfiles.write(flags.FLAGS, _run_flag_names())


def adopt_run_flags(flagfile: pathlib.Path) -> None:
    """Takes over the flags of an existing run; without such a run, does nothing.

    Flags that the command line does not give get the run's value, so a run is continued by its
    --run_dir alone.

    Raises:
      ValueError: if the command line gives a flag another value than the run has.
    """
    if flagfile.is_file():
        stored = _stored(flagfile)
        flagfiles.adopt(
            flags.FLAGS, stored, _run_flag_names(), free=_FREE_TO_CHANGE, run=flagfile.parent
        )


def check_networks_from() -> None:
    """Checks that the run of --networks_from, if given, made its networks as this one would.

    Raises:
      ValueError: naming the first flag that differs.
    """
    if not defs.NETWORKS_FROM.value:
        return
    other = RunDir(pathlib.Path(defs.NETWORKS_FROM.value))
    if not other.flags_file.is_file():
        raise ValueError(f"--networks_from={other.path} is no run: {other.flags_file} is missing.")
    stored = _stored(other.flags_file)
    free = (*_FREE_TO_CHANGE, *_OF_SUB_NETWORKS)
    for name in flagfiles.differences(flags.FLAGS, stored, _run_flag_names()):
        if name not in free:
            raise ValueError(
                f"--networks_from={other.path} was trained with {flagfiles.shown(stored[name])}, "
                f"this run has {flagfiles.shown(flags.FLAGS[name])}. They must agree."
            )


def _stored(flagfile: pathlib.Path) -> flags.FlagValues:
    """Reads the flags of a run; what did not exist yet has the value that it was trained with."""
    stored = flagfiles.read(flagfile, like=flags.FLAGS)
    if not stored["delta_bits"].present:
        stored["delta_bits"].value = float(config.FREE_BITS)
        stored["sub_qat_learning_rate"].value = stored["qat_learning_rate"].value
    return stored


def _run_flag_names() -> list[str]:
    """Returns the flags kept with a run: all of this module but those of a single call."""
    own = flags.FLAGS.get_flags_for_module(defs.__name__)
    return [flag.name for flag in own if flag.name not in _OF_ONE_CALL]
