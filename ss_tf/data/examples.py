"""Examples: images with their labels, decoded in memory or still to be read from files."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable

import numpy as np

from ss_tf.hierarchy import superclass_map

# Where an encoded image lies: the number of a file, and its place in it in bytes.
RECORD = np.dtype([("file", np.int32), ("offset", np.int64), ("length", np.int64)])


class Kind(enum.Enum):
    """What `Examples.images` holds."""

    PIXELS = "uint8 [n, height, width, channels]"
    PATHS = "a str array [n] of paths"
    RECORDS = "a RECORD array [n]"


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """Labelled images, all of one kind.

    Attributes:
      images: decoded, uint8 `[n, height, width, channels]`; or image files, a str array `[n]` of
        their paths; or JPEG images inside larger files, a RECORD array `[n]`.
      labels: int64 `[n]`, labels of the data set's SuperclassMap.
      keys: str array `[n]`: the name of each image, unique within the data set.
      files: path of each larger file, for RECORD images only; `file` of RECORD counts in it.
    """

    images: np.ndarray
    labels: np.ndarray
    keys: np.ndarray
    files: tuple[str, ...] = ()

    def __post_init__(self):
        num_images = len(self.images)
        if self.kind is Kind.RECORDS:
            numbers = self.images["file"]
            if num_images and not 0 <= numbers.min() <= numbers.max() < len(self.files):
                raise ValueError(
                    f"images lie in files {numbers.min()} to {numbers.max()}, expected numbers "
                    f"of the {len(self.files)} files."
                )
        for name, array, kind in (("labels", self.labels, "i"), ("keys", self.keys, "U")):
            if array.shape != (num_images,) or array.dtype.kind != kind:
                expected = {"i": "integers", "U": "str"}[kind]
                raise ValueError(
                    f"{name} is {array.dtype} of shape {array.shape}, "
                    f"expected {expected} of shape ({num_images},), one per image."
                )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def kind(self) -> Kind:
        """What `images` holds."""
        if self.images.ndim == 4 and self.images.dtype == np.uint8:
            return Kind.PIXELS
        if self.images.ndim == 1 and self.images.dtype.kind == "U":
            return Kind.PATHS
        if self.images.ndim == 1 and self.images.dtype == RECORD:
            return Kind.RECORDS
        expected = " or ".join(kind.value for kind in Kind)
        raise ValueError(
            f"images is {self.images.dtype} of shape {self.images.shape}, expected {expected}."
        )

    @property
    def is_decoded(self) -> bool:
        """Whether `images` holds pixels."""
        return self.kind is Kind.PIXELS

    def select(self, indices: np.ndarray) -> Examples:
        """Returns the examples at `indices` (positions, or a boolean mask `[n]`), copied."""
        return Examples(self.images[indices], self.labels[indices], self.keys[indices], self.files)

    def of_labels(self, labels: Iterable[int]) -> Examples:
        """Returns the examples whose label is in `labels`, in their order here."""
        return self.select(np.isin(self.labels, list(labels)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageFormat:
    """What a network trained on a data set expects of an image.

    Attributes:
      channels: 1 (grayscale) or 3 (RGB).
      mean, std: per channel, of images in [0, 1]; a network sees `(image - mean) / std`.
      crop_fraction: side of the centre square that evaluation looks at, as a share of the short
        side.
    """

    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop_fraction: float


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Dataset(ImageFormat):
    """A data set: the format of its images, its classes and its splits.

    Attributes:
      name: a name of `ss_tf.data.catalog`.
      superclass_map: the partition of its labels.
      train: examples to fit on.
      minival: held out of the training images; every choice is made on it.
      validation: reported once.
      unreadable: (path, reason) of each image that was left out.
    """

    name: str
    superclass_map: superclass_map.SuperclassMap
    train: Examples
    minival: Examples
    validation: Examples
    unreadable: tuple[tuple[str, str], ...]
