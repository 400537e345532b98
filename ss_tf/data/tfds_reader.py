"""Data sets that TFDS prepares, read wholly into memory."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow_datasets as tfds

# Registers this project's own builders.
import tfds_superclass  # noqa: F401
from ss_tf.config import DataConfig
from ss_tf.data import splits
from ss_tf.data.examples import Dataset, Examples, ImageFormat
from ss_tf.hierarchy.superclass_map import SuperclassMap

# Examples per read: large enough that the cost per call does not count.
_READ_BATCH = 1024


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """Which features and splits of a TFDS data set mean what.

    Attributes:
      superclass: name of the ClassLabel feature that holds the superclass.
      key: name of the text feature that identifies an image within its split.
      validation: name of the split that is reported on.
    """

    superclass: str
    key: str
    validation: str


def load(config: DataConfig, image_format: ImageFormat, *, source: Source) -> Dataset:
    """Reads the data set `config.name` through TFDS, building it first where it is missing.

    Raises:
      ValueError: if the superclasses do not partition the labels.
    """
    builder = tfds.builder(config.name, data_dir=config.data_dir)
    builder.download_and_prepare()
    fit, fit_superclasses = _read(builder, "train", source)
    validation, validation_superclasses = _read(builder, source.validation, source)
    superclass_map = derive_map(
        np.concatenate([fit.labels, validation.labels]),
        np.concatenate([fit_superclasses, validation_superclasses]),
        label_names=builder.info.features["label"].names,
        superclass_names=builder.info.features[source.superclass].names,
    )
    held_out = splits.hold_out(fit.keys, fit.labels, fraction=config.minival_fraction, at_least=0)
    return Dataset(
        name=config.name,
        superclass_map=superclass_map,
        train=fit.select(~held_out),
        minival=fit.select(held_out),
        validation=validation,
        unreadable=(),
        **vars(image_format),
    )


def derive_map(
    labels: np.ndarray,
    superclasses: np.ndarray,
    *,
    label_names: list[str],
    superclass_names: list[str],
) -> SuperclassMap:
    """Derives which superclass each label belongs to from labelled examples.

    Args:
      labels: int64 `[n]`.
      superclasses: int64 `[n]`, the superclass of each example.
      label_names: name of each label.
      superclass_names: name of each superclass.

    Raises:
      ValueError: naming a label with no example, or with examples of several superclasses.
    """
    pairs = np.unique(np.stack([labels, superclasses], axis=1), axis=0)
    found: list[list[int]] = [[] for _ in label_names]
    for label, superclass in pairs.tolist():
        found[label].append(superclass)
    for name, of_label in zip(label_names, found, strict=True):
        if len(of_label) != 1:
            got = ", ".join(superclass_names[superclass] for superclass in of_label) or "no example"
            raise ValueError(f"Label {name!r} has {got}, expected examples of one superclass.")
    return SuperclassMap(
        superclass_names=tuple(superclass_names),
        label_names=tuple(label_names),
        superclass_of_label=tuple(of_label[0] for of_label in found),
    )


def _read(
    builder: tfds.core.DatasetBuilder, split: str, source: Source
) -> tuple[Examples, np.ndarray]:
    """Reads a split into memory; returns its examples and the superclass of each.

    They are sorted by key, so that nothing depends on how TFDS shuffles and shards.
    """
    batches = tfds.as_numpy(builder.as_dataset(split=split).batch(_READ_BATCH))
    columns = ["image", "label", source.superclass, source.key]
    parts = [[batch[column] for column in columns] for batch in batches]
    images, labels, superclasses, keys = map(np.concatenate, zip(*parts, strict=True))
    keys = np.array([key.decode("utf-8") for key in keys], np.str_)
    order = np.argsort(keys)
    examples = Examples(images, labels.astype(np.int64), keys).select(order)
    return examples, superclasses[order]
