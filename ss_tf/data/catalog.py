"""The data sets by name: how to load each, and the format of its images."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
from collections.abc import Callable

from ss_tf.config import DataConfig
from ss_tf.data import folder, imagenet, tfds_reader
from ss_tf.data.examples import Dataset, ImageFormat


@dataclasses.dataclass(frozen=True)
class _Entry:
    image_format: ImageFormat
    load: Callable[[DataConfig, ImageFormat], Dataset]
    has_configs: bool = False


# ImageNet's statistics and torchvision's 224 of 256 pixels, so that weights trained there see what
# they are used to.
_IMAGENET_FORMAT = ImageFormat(
    channels=3,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    crop_fraction=0.875,
)
_ENTRIES = {
    "superclass_typefaces": _Entry(
        # Not the statistics of the images: black and white simply become the ends of [-1, 1].
        ImageFormat(channels=1, mean=(0.5,), std=(0.5,), crop_fraction=1.0),
        functools.partial(
            tfds_reader.load,
            source=tfds_reader.Source(
                superclass="superclass", key="file_name", validation="validation"
            ),
        ),
    ),
    "cifar100": _Entry(
        # Over the 50,000 training images, as in github.com/weiaicunzai/pytorch-cifar100.
        ImageFormat(
            channels=3,
            mean=(0.5071, 0.4865, 0.4409),
            std=(0.2673, 0.2564, 0.2762),
            crop_fraction=1.0,
        ),
        functools.partial(
            tfds_reader.load,
            source=tfds_reader.Source(superclass="coarse_label", key="id", validation="test"),
        ),
    ),
    "superclass_imagenet": _Entry(_IMAGENET_FORMAT, imagenet.load, has_configs=True),
    "folder": _Entry(_IMAGENET_FORMAT, folder.load),
}


def names() -> tuple[str, ...]:
    """Returns the names that `load` knows; some may have "/CONFIG" behind them."""
    return tuple(_ENTRIES)


def load(config: DataConfig) -> Dataset:
    """Loads the data set `config.name`, prepared first by TFDS if need be and possible.

    Raises:
      ValueError: if there is no such data set, or if its loader refuses what it finds.
    """
    entry = _entry(config.name)
    return entry.load(config, entry.image_format)


def image_format(name: str) -> ImageFormat:
    """Returns the format of a data set's images without loading it.

    Raises:
      ValueError: if there is no such data set.
    """
    return _entry(name).image_format


def _entry(name: str) -> _Entry:
    family, slash, grouping = name.partition("/")
    if family in _ENTRIES and (not slash or _ENTRIES[family].has_configs):
        # It names a folder.
        if slash and not re.fullmatch(r"[A-Za-z0-9_]+", grouping):
            raise ValueError(
                f"Data set {name!r} has {grouping!r} after the slash, expected letters, digits and "
                "underscores."
            )
        return _ENTRIES[family]
    close = difflib.get_close_matches(family, _ENTRIES, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"Unknown data set {name!r}, expected one of {', '.join(_ENTRIES)}.{hint}")
