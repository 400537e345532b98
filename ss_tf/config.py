"""Settings of a run as frozen, validated dataclasses. No defaults: those stand in flag_defs.py."""

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
STEMS = ("imagenet", "small")
SUB_INITS = ("super", "flat", "scratch")
AUGMENTATIONS = ("translate", "rotate", "zoom", "flip", "color")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which data set, and how its images are read.

    Attributes:
      name: a name of `ss_tf.data.catalog`.
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
      batch_size: images per step.
      learning_rate: peak rate for this batch size.
      warmup_epochs: epochs of linear warm-up from zero.
      momentum: of SGD.
      weight_decay: decoupled, not on batch norm or biases.
      label_smoothing: share of the target spread over all classes.
      augment: names of AUGMENTATIONS, applied in that order.
      seed: every random draw of the phase comes from it.
      checkpoint_minutes: longest time between two checkpoints.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    warmup_epochs: float
    momentum: float
    weight_decay: float
    label_smoothing: float
    augment: tuple[str, ...]
    seed: int
    checkpoint_minutes: float

    def __post_init__(self):
        _check(self.epochs >= 0, "epochs", self.epochs, "at least 0")
        _check(self.batch_size >= 1, "batch_size", self.batch_size, "at least 1")
        _check(self.learning_rate >= 0, "learning_rate", self.learning_rate, "at least 0")
        for name in self.augment:
            _check(name in AUGMENTATIONS, "augment", name, " or ".join(AUGMENTATIONS))


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
    networks_from: pathlib.Path | None
    seed: int
    deterministic: bool

    def __post_init__(self):
        _check(self.sub_init in SUB_INITS, "sub_init", self.sub_init, " or ".join(SUB_INITS))

    @property
    def base(self) -> str | None:
        """Name of the network that deltas are relative to, or None without deltas."""
        return None if self.sub_init == "scratch" else self.sub_init


def _check(good: bool, name: str, got: object, expected: str) -> None:
    """Raises ValueError naming the setting unless `good`."""
    if not good:
        raise ValueError(f"{name} is {got!r}, expected {expected}.")
