"""superclass_imagenet: ImageNet's classes in superclasses, each with splits of its own."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from tensorflow_datasets.datasets.imagenet2012 import (
    imagenet2012_dataset_builder as imagenet2012,
)

from ss_tf.hierarchy import groupings

# Relative, because `tfds build` may import this folder as a package of its own.
from . import archives, shared_shards, table_1

_DEFAULT = "superclassing"


@dataclasses.dataclass(eq=False)
class GroupingConfig(tfds.core.BuilderConfig):
    """Which classes are in which superclass.

    Attributes:
      name: of the folder; without `roots` one of `groupings.NAMES`, with them any other (one that
        differs for different groupings if left out).
      roots: WordNet synset of each superclass: `n02084071`, `dog.n.01` or `dog`.
      rule: which classes a root gets, one of `groupings.RULES`.
    """

    name: str = ""
    roots: Sequence[str] = ()
    rule: str = "all_parents"

    def __post_init__(self):
        if self.roots:
            self.grouping = groupings.from_roots(self.roots, rule=self.rule)
            self.name = self.name or self.grouping.name
        else:
            self.grouping = groupings.by_name(self.name)
        if self.roots and (self.name in groupings.NAMES or not re.fullmatch(r"\w+", self.name)):
            raise ValueError(
                f"Got {self.name!r} as the name of a grouping by roots, expected letters, digits "
                f"and underscores, and none of {', '.join(groupings.NAMES)}."
            )
        self.description = self.description or self.grouping.description


@functools.cache
def _named_config(name: str) -> GroupingConfig:
    return GroupingConfig(name=name)


class ClassImages(NamedTuple):
    """The images of one class in one part of the data set, and their labels."""

    label: int
    superclass: str
    subclass: int
    extents: tuple[archives.Extent, ...]


class Builder(tfds.core.GeneratorBasedBuilder):
    """Builds the data set from ILSVRC2012's archives in the manual_dir."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = archives.INSTRUCTIONS
    # `tfds build` without --config builds all that are here.
    BUILDER_CONFIGS = [_named_config(_DEFAULT)]

    # Set by `_download_and_prepare`, which alone knows the build's settings.
    _uses_beam = False

    def _create_builder_config(
        self, builder_config: str | tfds.core.BuilderConfig | None, version: Any
    ) -> tfds.core.BuilderConfig | None:
        """Finds all groupings that have a name, also those not in BUILDER_CONFIGS."""
        if isinstance(builder_config, str):
            return _named_config(builder_config.partition(":")[0])
        if isinstance(builder_config, GroupingConfig) and not builder_config.roots:
            return _named_config(builder_config.name)
        return super()._create_builder_config(builder_config, version)

    def _info(self) -> tfds.core.DatasetInfo:
        grouping = self.builder_config.grouping
        labels = [wnid for wnids in grouping.groups.values() for wnid in wnids]
        metadata = {
            "grouping": self.builder_config.name,
            "label_names": {wnid: grouping.names[wnid] for wnid in labels},
            "roots": dict(grouping.roots),
        }
        self._check_is_what_was_built(metadata)
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(
                        encoding_format="jpeg", doc="The original file, but for 23 mended ones."
                    ),
                    "label": tfds.features.ClassLabel(names=labels),
                    "superclass": tfds.features.ClassLabel(names=list(grouping.groups)),
                    "subclass": tfds.features.Scalar(
                        np.int64, doc="Index of the class within its superclass."
                    ),
                    "file_name": tfds.features.Text(doc="As in ImageNet: n02085620_7.JPEG."),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://image-net.org/",
            license="For non-commercial research and educational purposes: "
            "https://image-net.org/download",
            metadata=tfds.core.MetadataDict(metadata),
        )

    def _check_is_what_was_built(self, metadata: Mapping[str, Any]) -> None:
        """Refuses roots under whose name a data set of other roots or classes was built before."""
        path = self.data_path / "metadata.json"
        if not path.exists():
            return
        built = json.loads(path.read_text())
        # Lists, because their order is that of the labels.
        (found, found_labels), (asked, asked_labels) = (
            (list(of["roots"].items()), list(of["label_names"])) for of in (built, metadata)
        )
        if (found, found_labels) != (asked, asked_labels):
            raise ValueError(
                f"{self.data_path} has {len(found_labels)} classes of {dict(found)}, got "
                f"{len(asked_labels)} classes of {dict(asked)}: give this grouping another name."
            )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        groups = self.builder_config.grouping.groups
        wnids = self.info.features["label"].names
        found = {
            "train": archives.find_train(dl_manager.manual_dir, wnids),
            "validation": archives.find_validation(dl_manager.manual_dir, wnids),
        }
        return {
            f"{part}_{superclass}": self._generate_examples(
                [
                    ClassImages(wnids.index(wnid), superclass, subclass, extents[wnid])
                    for subclass, wnid in enumerate(group)
                ]
            )
            for part, extents in found.items()
            for superclass, group in groups.items()
        }

    def _generate_examples(self, classes: Sequence[ClassImages]) -> Any:
        """Yields the examples of some classes, or has them read by Beam's workers."""
        if not self._uses_beam:
            return (example for images in classes for example in read_examples(images))
        import apache_beam as beam  # Not needed by a build without it.

        return beam.Create(classes) | beam.Reshuffle() | beam.FlatMap(read_examples)

    def _download_and_prepare(
        self,
        dl_manager: tfds.download.DownloadManager,
        download_config: tfds.download.DownloadConfig,
    ) -> None:
        """Builds a split per superclass, unites them to train and validation, and counts."""
        beam_settings = (download_config.beam_runner, download_config.beam_options)
        self._uses_beam = any(setting is not None for setting in beam_settings)
        super()._download_and_prepare(dl_manager=dl_manager, download_config=download_config)
        written = self.info.splits
        if not written:
            return  # Asked for no examples at all.
        superclasses = self.info.features["superclass"].names
        splits = [
            split
            for part in ("train", "validation")
            for split in shared_shards.unite(part, [written[f"{part}_{s}"] for s in superclasses])
        ]
        self.info.set_splits(tfds.core.SplitDict(splits))
        if self.builder_config.name == _DEFAULT and not download_config.max_examples_per_split:
            for difference in table_1.differences(self.info.splits):
                logging.warning(difference)


def read_examples(images: ClassImages) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields key and example of each image of a class."""
    for file_name, data in archives.read_images(images.extents):
        yield (
            file_name,
            {
                "image": _mended(file_name, data),
                "label": images.label,
                "superclass": images.superclass,
                "subclass": images.subclass,
                "file_name": file_name,
            },
        )


def _mended(file_name: str, data: bytes) -> bytes:
    """Returns the image as an RGB or grayscale JPEG file, which nearly all are already."""
    if file_name in imagenet2012.CMYK_IMAGES:
        return tfds.core.utils.jpeg_cmyk_to_rgb(data)
    if file_name in imagenet2012.PNG_IMAGES:
        return tfds.core.utils.png_to_jpeg(data)
    return data
