"""Settings of a run as frozen, validated dataclasses. No defaults: those stand in flag_defs."""

from __future__ import annotations

import dataclasses
import pathlib

# He et al., "Deep Residual Learning", table 1: blocks in each of the four stages.
BACKBONES = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
}
DATASETS = ("superclass_typefaces", "superclass_imagenet", "cifar100", "folder")
STEMS = ("imagenet", "small")
SUB_INITS = ("super", "flat", "scratch")
AUGMENTATIONS = ("translate", "rotate", "zoom", "flip", "color", "randaugment")
# Parts of a ResNet in their order, as --freeze_through names them.
STAGES = ("stem", "layer1", "layer2", "layer3", "layer4")
# Bits per weight of a delta that no delta exceeds: as many as an int8 weight has.
FREE_BITS = 8
STRATEGIES = ("default", "mirrored", "multi_worker")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which data set, and how its images are read.

    Attributes:
      name: a name of `ss_tf.data.catalog`, with "/CONFIG" behind it for another TFDS config.
      data_dir: where TFDS keeps its data sets (None: TFDS's own default), or, for `folder`, the
        two-level photo tree.
      image_size: side of the square network input, pixels.
      minival_fraction: share of every subclass's training images held out of training.
      skip_unreadable: leave unreadable images out instead of stopping (`folder` only).
    """

    name: str
    data_dir: pathlib.Path | None
    image_size: int
    minival_fraction: float
    skip_unreadable: bool

    def __post_init__(self):
        _check(self.image_size >= 8, "image_size", self.image_size, "at least 8 pixels")
        _check(0 <= self.minival_fraction < 1, "minival_fraction", self.minival_fraction, "[0, 1)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Shape of a ResNet.

    Attributes:
      backbone: one of BACKBONES; gives the block kind, and the depth unless `resnet_blocks` does.
      resnet_blocks: blocks in each of the four stages, or None for the backbone's own.
      base_width: filters of the first stage; torchvision's networks have 64.
      stem: "imagenet" (7x7 stride 2, max pool) or "small" (3x3 stride 1, no pool).
    """

    backbone: str
    resnet_blocks: tuple[int, int, int, int] | None
    base_width: int
    stem: str

    def __post_init__(self):
        _check(self.backbone in BACKBONES, "backbone", self.backbone, " or ".join(BACKBONES))
        _check(self.stem in STEMS, "stem", self.stem, " or ".join(STEMS))
        _check(self.base_width >= 1, "base_width", self.base_width, "at least 1")
        if self.resnet_blocks is not None:
            good = len(self.resnet_blocks) == 4 and min(self.resnet_blocks) >= 1
            _check(good, "resnet_blocks", self.resnet_blocks, "four numbers, each at least 1")

    @property
    def blocks(self) -> tuple[int, int, int, int]:
        """Blocks in each of the four stages."""
        return self.resnet_blocks or BACKBONES[self.backbone]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitConfig:
    """One run of the optimizer: SGD with momentum, linear warm-up, then cosine decay to zero.

    Attributes:
      epochs: passes over the training images; 0 skips the phase.
      batch_size: images per step, over all devices together.
      image_size: side of the training images, pixels; evaluation has the data set's own.
      learning_rate: peak rate for this batch size.
      warmup_epochs: epochs of linear warm-up from zero.
      momentum: of SGD.
      weight_decay: decoupled, not on batch norm or biases.
      label_smoothing: share of the target spread over all classes.
      min_crop_area: smallest share of an image file's area that a training crop shows.
      augment: names of AUGMENTATIONS, applied in that order.
      mixup, cutmix: alpha of the Beta distribution that mixing shares are drawn from; 0 is off.
        With both on, each batch takes one of them.
      ema_decay: largest, per step, of the average that replaces the weights at the end; 0 is off.
      seed: every random draw of the phase comes from it.
      checkpoint_minutes: longest time between two checkpoints.
    """

    epochs: int
    batch_size: int
    image_size: int
    learning_rate: float
    warmup_epochs: float
    momentum: float
    weight_decay: float
    label_smoothing: float
    min_crop_area: float
    augment: tuple[str, ...]
    mixup: float
    cutmix: float
    ema_decay: float
    seed: int
    checkpoint_minutes: float

    def __post_init__(self):
        _check(self.epochs >= 0, "epochs", self.epochs, "at least 0")
        _check(self.batch_size >= 1, "batch_size", self.batch_size, "at least 1")
        _check(self.image_size >= 8, "image_size", self.image_size, "at least 8 pixels")
        _check(self.learning_rate >= 0, "learning_rate", self.learning_rate, "at least 0")
        _check(0 < self.min_crop_area <= 1, "min_crop_area", self.min_crop_area, "(0, 1]")
        _check(self.mixup >= 0, "mixup", self.mixup, "at least 0")
        _check(self.cutmix >= 0, "cutmix", self.cutmix, "at least 0")
        _check(0 <= self.ema_decay < 1, "ema_decay", self.ema_decay, "[0, 1)")
        for name in self.augment:
            _check(name in AUGMENTATIONS, "augment", name, " or ".join(AUGMENTATIONS))


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeviceConfig:
    """How the work is laid on devices.

    Attributes:
      strategy: "default" (one device), "mirrored" (all GPUs of this machine) or "multi_worker"
        (several machines, each told its place by the environment variable TF_CONFIG).
      mixed_precision: compute float stages in float16, with float32 weights and loss scaling.
      jit_compile: compile the steps of float stages with XLA.
    """

    strategy: str
    mixed_precision: bool
    jit_compile: bool

    def __post_init__(self):
        _check(self.strategy in STRATEGIES, "strategy", self.strategy, " or ".join(STRATEGIES))


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeltaConfig:
    """What keeps the deltas of sub networks small.

    Attributes:
      bits: most bits per weight that a delta may take as quantization-aware training begins, for
        a superclass of average size; it decides how coarse the grid is that kernels are trained
        on (`ss_tf.training.sub_networks`). FREE_BITS lets them be.
      penalty: int8 steps that each weight is pulled towards the base's, per step of the optimizer
        and unit of learning rate, in quantization-aware training (L1, as a proximal step).
      freeze_through: the last of STAGES that sub networks share with the base, or None.
    """

    bits: float
    penalty: float
    freeze_through: str | None

    def __post_init__(self):
        _check(0 < self.bits <= FREE_BITS, "delta_bits", self.bits, f"above 0, to {FREE_BITS}")
        _check(self.penalty >= 0, "delta_penalty", self.penalty, "at least 0")
        good = self.freeze_through in (None, *STAGES)
        _check(good, "freeze_through", self.freeze_through, " or ".join(STAGES))


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that decides what a run trains.

    Attributes:
      data: the data set.
      model: shape of the flat, the super and the sub networks.
      equal_compute_model: shape of the flat network that costs about as much as two stages, or
        None to train none.
      sub_init: what sub networks start from: "super" or "flat" (that network is then the base of
        the deltas), or "scratch" (no base, hence no deltas).
      flat_fit, super_fit, sub_fit: the float phase of each kind of network.
      base_qat_fit, sub_qat_fit: the quantization-aware phase that follows it.
      delta: what keeps deltas small.
      init: file of pretrained weights that the flat and the super network start from, or None;
        without a base, sub networks too.
      equal_compute_init: the same for the second flat network, whose depth is another.
      devices: how the work is laid on devices.
      networks_from: run whose flat and super networks are taken over instead of training them.
      seed: every random draw of the run comes from it.
      deterministic: use only kernels that give the same result every time.
    """

    data: DataConfig
    model: ModelConfig
    equal_compute_model: ModelConfig | None
    sub_init: str
    flat_fit: FitConfig
    super_fit: FitConfig
    sub_fit: FitConfig
    base_qat_fit: FitConfig
    sub_qat_fit: FitConfig
    delta: DeltaConfig
    init: pathlib.Path | None
    equal_compute_init: pathlib.Path | None
    devices: DeviceConfig
    networks_from: pathlib.Path | None
    seed: int
    deterministic: bool

    def __post_init__(self):
        _check(self.sub_init in SUB_INITS, "sub_init", self.sub_init, " or ".join(SUB_INITS))
        frozen = self.delta.freeze_through
        _check(
            frozen is None or self.base is not None,
            "freeze_through",
            frozen,
            "none, as --sub_init=scratch has no base to share it with",
        )

    @property
    def base(self) -> str | None:
        """Name of the network that deltas are relative to, or None without deltas."""
        return None if self.sub_init == "scratch" else self.sub_init


def _check(good: bool, name: str, got: object, expected: str) -> None:
    """Raises ValueError naming the setting unless `good`."""
    if not good:
        raise ValueError(f"{name} is {got!r}, expected {expected}.")
