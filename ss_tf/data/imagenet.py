"""The data set `superclass_imagenet`: its images stay in TFDS's files, and are found by number."""

from __future__ import annotations

import collections
import dataclasses
import json
import pathlib
import re
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow_datasets as tfds

# Registers this project's own builders.
import tfds_superclass  # noqa: F401
from ss_tf.config import DataConfig
from ss_tf.data import records, splits, tfds_reader
from ss_tf.data.examples import Dataset, Examples, ImageFormat
from ss_tf.hierarchy import groupings


def load(config: DataConfig, image_format: ImageFormat) -> Dataset:
    """Finds the images of the prepared data set `config.name`, which may end in "/CONFIG".

    A label's name is "superclass/name", with the name that people use for the class.

    Raises:
      ValueError: if the data set is not prepared, with what prepares it; or if a file of it is
        missing or damaged.
    """
    builder = _prepared(config)
    parts = {split: records.index_of(builder, split) for split in ("train", "validation")}
    features = builder.info.features
    superclass_map = tfds_reader.derive_map(
        np.concatenate([part.labels for part in parts.values()]),
        np.concatenate([part.superclasses for part in parts.values()]),
        label_names=features["label"].names,
        superclass_names=features["superclass"].names,
    )
    names = label_names(
        superclass_map.label_names,
        [superclass_map.superclass_names[index] for index in superclass_map.superclass_of_label],
        names=_names(pathlib.Path(builder.data_dir) / "metadata.json"),
    )
    fit, validation = (_examples(part) for part in parts.values())
    held_out = splits.hold_out(fit.keys, fit.labels, fraction=config.minival_fraction, at_least=0)
    return Dataset(
        name=config.name,
        superclass_map=dataclasses.replace(superclass_map, label_names=names),
        train=fit.select(~held_out),
        minival=fit.select(held_out),
        validation=validation,
        unreadable=(),
        **vars(image_format),
    )


def label_names(
    wnids: Sequence[str], superclasses: Sequence[str], *, names: Mapping[str, str]
) -> tuple[str, ...]:
    """Makes a readable, unique name for each label.

    Args:
      wnids: one per label.
      superclasses: name of each label's superclass.
      names: wnid -> name that people use; a wnid without one is its own name.

    Returns:
      "superclass/name", with the wnid behind it where two labels would have the same.
    """
    plain = [
        f"{superclass}/{names.get(wnid, wnid)}"
        for wnid, superclass in zip(wnids, superclasses, strict=True)
    ]
    counts = collections.Counter(plain)
    return tuple(
        name if counts[name] == 1 else f"{name} ({wnid})"
        for name, wnid in zip(plain, wnids, strict=True)
    )


def _names(path: pathlib.Path) -> dict[str, str]:
    """Reads wnid -> the name that people use, from the data set's metadata.

    Raises:
      ValueError: if they are not there.
    """
    try:
        return dict(json.loads(path.read_bytes())["label_names"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        reason = getattr(error, "strerror", None) or "it is damaged"
        raise ValueError(
            f"{path} cannot be read ({reason}), expected the names of the classes. Build the data "
            "set again, or copy the file from where it was built."
        ) from error


def _examples(index: records.RecordIndex) -> Examples:
    """Returns the images of a split, sorted by key: nothing depends on how TFDS shuffles."""
    everything = Examples(index.records, index.labels, index.keys, index.files)
    return everything.select(np.argsort(index.keys))


def _prepared(config: DataConfig) -> tfds.core.DatasetBuilder:
    """Returns the builder of the prepared data set.

    Raises:
      ValueError: if it is not prepared (the message says what prepares it), or in no folder.
    """
    # A Path has one slash left of two.
    if re.match(r"[a-z][a-z0-9+.-]+:/", str(config.data_dir)):
        raise ValueError(
            f"data_dir is {str(config.data_dir)!r}, expected a folder on a local or mounted disk: "
            "images are read from it one by one."
        )
    name, _, grouping = config.name.partition("/")
    if not grouping or grouping in groupings.NAMES:
        builder = tfds.builder(config.name, data_dir=config.data_dir)
        if builder.is_prepared():
            return builder
        options = [f"--config={grouping}"] if grouping else []
        options += [f"--data_dir={config.data_dir}"] if config.data_dir else []
        command = " ".join(["tfds build", name, "--imports=tfds_superclass", *options])
        raise ValueError(
            f"Data set {config.name!r} is not prepared in {builder.data_dir}. Prepare it with: "
            f"{command} --manual_dir=FOLDER_OF_THE_ARCHIVES"
        )
    # Somebody's own grouping: only its files know what is in it.
    builder = tfds.builder(name, data_dir=config.data_dir)
    folder = builder.data_path.parents[1] / grouping / str(builder.version)
    if not (folder / "dataset_info.json").exists():
        raise ValueError(
            f"There is no grouping {grouping!r} in {folder}, expected one of "
            f"{', '.join(groupings.NAMES)}, or the name of one of your own that is prepared."
        )
    return tfds.builder_from_directory(folder)
