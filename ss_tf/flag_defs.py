"""Command-line flags: the only module that reads absl's FLAGS, and the only place of defaults."""

from __future__ import annotations

import dataclasses
import pathlib

from absl import flags

from ss_tf import config, flagfiles
from ss_tf.training.run_dir import RunDir

# Flags of a single call; all others are kept with the run.
_OF_ONE_CALL = ("stage", "superclass", "run_dir", "networks_from")
# Kept with the run, but free to change: they do not decide what its weights become.
_FREE_TO_CHANGE = ("data_dir", "checkpoint_minutes")
# Flags that the flat and super networks of a run do not depend on.
_OF_SUB_NETWORKS = ("sub_init", "sub_epochs", "sub_qat_epochs", "sub_learning_rate")

_STAGE = flags.DEFINE_enum(
    "stage",
    "super",
    ["flat", "super", "sub", "all"],
    "What to train: flat over all labels, super over the superclasses, sub inside the superclasses "
    "of --superclass (they start from the --sub_init network, which must be trained), or all.",
)
_SUPERCLASS = flags.DEFINE_list(
    "superclass",
    ["all"],
    "Superclasses whose sub networks --stage=sub trains, separated by commas, or 'all'.",
)
_RUN_DIR = flags.DEFINE_string(
    "run_dir",
    None,
    "Folder of the run: networks, deltas and report. A run that was stopped continues there. "
    "Default: runs/<dataset>.",
)

# Data.
_DATASET = flags.DEFINE_enum(
    "dataset",
    "superclass_typefaces",
    ["superclass_typefaces", "cifar100", "folder"],
    "superclass_typefaces: bundled, 253 typefaces of 10 scripts. cifar100: 100 classes in 20 "
    "groups, through TFDS. folder: your photos in --data_dir, as superclass/subclass/image.jpg.",
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "For --dataset=folder the photo tree; else where TFDS keeps data sets (default: its own).",
)
_IMAGE_SIZE = flags.DEFINE_integer(
    "image_size", 32, "Side of the square network input, in pixels.", lower_bound=8
)
_MINIVAL_FRACTION = flags.DEFINE_float(
    "minival_fraction",
    0.05,
    "Share of each subclass's training images held out to watch the training with.",
    lower_bound=0.0,
    upper_bound=0.9,
)
_SKIP_UNREADABLE = flags.DEFINE_bool(
    "skip_unreadable",
    False,
    "For --dataset=folder: leave unreadable images out and count them, instead of stopping.",
)

# Networks.
_BACKBONE = flags.DEFINE_enum(
    "backbone", "resnet18", list(config.BACKBONES), "ResNet of the flat, super and sub networks."
)
_RESNET_BLOCKS = flags.DEFINE_list(
    "resnet_blocks",
    [],
    "Blocks in each of the four stages, e.g. 3,4,6,3, for a depth that --backbone does not name; "
    "the kind of block stays the backbone's.",
)
_BASE_WIDTH = flags.DEFINE_integer(
    "base_width", 16, "Filters of the first stage; torchvision's networks have 64.", lower_bound=1
)
_STEM = flags.DEFINE_enum(
    "stem",
    "small",
    list(config.STEMS),
    "First layer: small (3x3, stride 1, no pool) or imagenet (7x7, stride 2, max pool).",
)
_FLAT_BACKBONE = flags.DEFINE_enum(
    "flat_backbone",
    "twice",
    ["twice", "none", *config.BACKBONES],
    "ResNet of the second flat network, which should cost about as much as two stages, for a fair "
    "comparison: twice the blocks of --backbone in each stage, or a network by name (resnet34 "
    "costs twice resnet18).",
)
_SUB_INIT = flags.DEFINE_enum(
    "sub_init",
    "super",
    list(config.SUB_INITS),
    "What sub networks start from. super (the paper) and flat also make that network the base of "
    "the deltas and the first stage; scratch trains sub networks on their own, without deltas.",
)

# Optimization.
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 64, "Images per step.", lower_bound=1)
_FLAT_EPOCHS = flags.DEFINE_integer(
    "flat_epochs", 16, "Epochs of each flat network.", lower_bound=1
)
_SUPER_EPOCHS = flags.DEFINE_integer(
    "super_epochs", 6, "Epochs of the super network.", lower_bound=1
)
_SUB_EPOCHS = flags.DEFINE_integer("sub_epochs", 10, "Epochs of each sub network.", lower_bound=1)
_BASE_QAT_EPOCHS = flags.DEFINE_integer(
    "base_qat_epochs",
    1,
    "Quantization-aware epochs of the base, after the float ones.",
    lower_bound=0,
)
_SUB_QAT_EPOCHS = flags.DEFINE_integer(
    "sub_qat_epochs",
    2,
    "Quantization-aware epochs of each sub network, after the float ones.",
    lower_bound=0,
)
_LEARNING_RATE = flags.DEFINE_float(
    "learning_rate",
    0.1,
    "Peak learning rate of networks that start from random weights, at --batch_size.",
    lower_bound=0.0,
)
_SUB_LEARNING_RATE = flags.DEFINE_float(
    "sub_learning_rate",
    0.05,
    "Peak learning rate of sub networks that start from the base.",
    lower_bound=0.0,
)
_QAT_LEARNING_RATE = flags.DEFINE_float(
    "qat_learning_rate",
    0.005,
    "Learning rate that quantization-aware epochs start at; small, because the kernels of sub "
    "networks must stay in the base's ranges.",
    lower_bound=0.0,
)
_WARMUP_EPOCHS = flags.DEFINE_float(
    "warmup_epochs",
    1.0,
    "Linear warm-up of the learning rate in float training, in epochs.",
    lower_bound=0.0,
)
_MOMENTUM = flags.DEFINE_float(
    "momentum", 0.9, "Momentum of SGD.", lower_bound=0.0, upper_bound=1.0
)
_WEIGHT_DECAY = flags.DEFINE_float(
    "weight_decay",
    5e-4,
    "Share of each kernel, times the learning rate, that is taken off per step.",
    lower_bound=0.0,
)
_LABEL_SMOOTHING = flags.DEFINE_float(
    "label_smoothing", 0.1, "Share of the target spread over all classes.", 0.0, 0.9
)
_AUGMENT = flags.DEFINE_list(
    "augment",
    ["translate"],
    f"Random changes of training images, in order: any of {', '.join(config.AUGMENTATIONS)}. "
    "Leave empty for none.",
)
_SEED = flags.DEFINE_integer("seed", 0, "Every random draw comes from it.", lower_bound=0)
_DETERMINISTIC = flags.DEFINE_bool(
    "deterministic", False, "Use only operations that give the same result every time."
)
_CHECKPOINT_MINUTES = flags.DEFINE_float(
    "checkpoint_minutes", 1.0, "Most minutes of work that a killed run loses.", lower_bound=0.0
)
_NETWORKS_FROM = flags.DEFINE_string(
    "networks_from",
    None,
    "Folder of another run whose flat and super networks are copied, not trained again, to "
    "compare one --sub_init with another. All but the sub networks' flags must agree.",
)


def stage() -> str:
    """Returns what --stage asks for."""
    return _STAGE.value


def superclasses() -> tuple[str, ...]:
    """Returns the names --superclass gives, or ("all",)."""
    return tuple(_SUPERCLASS.value)


def run_dir() -> pathlib.Path:
    """Returns the folder of the run."""
    return pathlib.Path(_RUN_DIR.value or f"runs/{_DATASET.value}")


def run_config() -> config.RunConfig:
    """Returns all flags that decide what a run trains.

    Raises:
      ValueError: if a value is out of range; it names the setting.
    """
    model = _model_config(_BACKBONE.value)
    from_scratch = _SUB_INIT.value == "scratch"
    sub_rate = _LEARNING_RATE.value if from_scratch else _SUB_LEARNING_RATE.value
    return config.RunConfig(
        data=data_config(),
        model=model,
        equal_compute_model=_equal_compute_model(model),
        sub_init=_SUB_INIT.value,
        flat_fit=_fit_config(_FLAT_EPOCHS.value, _LEARNING_RATE.value),
        super_fit=_fit_config(_SUPER_EPOCHS.value, _LEARNING_RATE.value),
        sub_fit=_fit_config(_SUB_EPOCHS.value, sub_rate),
        base_qat_fit=_qat_fit_config(_BASE_QAT_EPOCHS.value),
        sub_qat_fit=_qat_fit_config(_SUB_QAT_EPOCHS.value),
        networks_from=pathlib.Path(_NETWORKS_FROM.value) if _NETWORKS_FROM.value else None,
        seed=_SEED.value,
        deterministic=_DETERMINISTIC.value,
    )


def data_config() -> config.DataConfig:
    """Returns the flags that choose and read the data set."""
    return config.DataConfig(
        name=_DATASET.value,
        data_dir=pathlib.Path(_DATA_DIR.value) if _DATA_DIR.value else None,
        image_size=_IMAGE_SIZE.value,
        minival_fraction=_MINIVAL_FRACTION.value,
        skip_unreadable=_SKIP_UNREADABLE.value,
    )


def _model_config(backbone: str) -> config.ModelConfig:
    blocks = tuple(int(number) for number in _RESNET_BLOCKS.value)
    return config.ModelConfig(
        backbone=backbone,
        resnet_blocks=blocks or None,
        base_width=_BASE_WIDTH.value,
        stem=_STEM.value,
    )


def _equal_compute_model(model: config.ModelConfig) -> config.ModelConfig | None:
    """Returns the shape of the second flat network."""
    if _FLAT_BACKBONE.value == "none":
        return None
    if _FLAT_BACKBONE.value == "twice":
        return dataclasses.replace(model, resnet_blocks=tuple(2 * n for n in model.blocks))
    return dataclasses.replace(model, backbone=_FLAT_BACKBONE.value, resnet_blocks=None)


def _qat_fit_config(epochs: int) -> config.FitConfig:
    """Returns the settings of a quantization-aware phase: trained weights need no warm-up."""
    return dataclasses.replace(_fit_config(epochs, _QAT_LEARNING_RATE.value), warmup_epochs=0.0)


def _fit_config(epochs: int, learning_rate: float) -> config.FitConfig:
    return config.FitConfig(
        epochs=epochs,
        batch_size=_BATCH_SIZE.value,
        learning_rate=learning_rate,
        warmup_epochs=_WARMUP_EPOCHS.value,
        momentum=_MOMENTUM.value,
        weight_decay=_WEIGHT_DECAY.value,
        label_smoothing=_LABEL_SMOOTHING.value,
        augment=tuple(name for name in _AUGMENT.value if name),
        seed=_SEED.value,
        checkpoint_minutes=_CHECKPOINT_MINUTES.value,
    )


@flags.multi_flags_validator(
    [_STAGE, _SUPERCLASS], message="--superclass goes with --stage=sub; name at least one, or all"
)
def _superclasses_go_with_sub(values: dict[str, object]) -> bool:
    names = values["superclass"]
    if values["stage"] != "sub":
        return names == ["all"]
    return bool(names) and all(names) and ("all" not in names or names == ["all"])


@flags.validator(_RESNET_BLOCKS, message="expected four whole numbers, e.g. 3,4,6,3")
def _are_four_numbers(values: list[str]) -> bool:
    return not values or (len(values) == 4 and all(value.isdigit() for value in values))


@flags.validator(_AUGMENT, message=f"expected any of {', '.join(config.AUGMENTATIONS)}")
def _are_augmentations(values: list[str]) -> bool:
    return all(value in config.AUGMENTATIONS for value in values if value)


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
        stored = flagfiles.read(flagfile, like=flags.FLAGS)
        flagfiles.adopt(
            flags.FLAGS, stored, _run_flag_names(), free=_FREE_TO_CHANGE, run=flagfile.parent
        )


def check_networks_from() -> None:
    """Checks that the run of --networks_from, if given, made its networks as this one would.

    Raises:
      ValueError: naming the first flag that differs.
    """
    if not _NETWORKS_FROM.value:
        return
    other = RunDir(pathlib.Path(_NETWORKS_FROM.value))
    if not other.flags_file.is_file():
        raise ValueError(f"--networks_from={other.path} is no run: {other.flags_file} is missing.")
    stored = flagfiles.read(other.flags_file, like=flags.FLAGS)
    free = (*_FREE_TO_CHANGE, *_OF_SUB_NETWORKS)
    for name in flagfiles.differences(flags.FLAGS, stored, _run_flag_names()):
        if name not in free:
            raise ValueError(
                f"--networks_from={other.path} was trained with {flagfiles.shown(stored[name])}, "
                f"this run has {flagfiles.shown(flags.FLAGS[name])}. They must agree."
            )


def _run_flag_names() -> list[str]:
    """Returns the flags kept with a run: all of this module but those of a single call."""
    own = flags.FLAGS.get_flags_for_module(__name__)
    return [flag.name for flag in own if flag.name not in _OF_ONE_CALL]
