"""superclass_typefaces: which typeface is this? Ten scripts, 253 typefaces."""

from __future__ import annotations

import hashlib
import io
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

_FOLDER = pathlib.Path(__file__).parent
_DATA_NAME = "typefaces.npz"
_DIGEST_NAME = "sha256.txt"
_SIDE = 32
# Images are stored with 16 levels at four bits a pixel; level 15 is full ink, 255.
_LEVEL_STEP = 17
_LICENCE = (
    "Rendered from free fonts, each under its own licence: the column `licence` of manifest.tsv, "
    "beside this builder, gives them as SPDX expressions."
)


class Builder(tfds.core.GeneratorBasedBuilder):
    """Builds the data set from the file shipped beside this module: no download."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}

    # Where the data file and its digest are; tests point it to `dummy_data`.
    DATA_FOLDER = _FOLDER

    def _info(self) -> tfds.core.DatasetInfo:
        labels = read_labels(_FOLDER / "labels.txt")
        superclasses = list(dict.fromkeys(label.partition("/")[0] for label in labels))
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(
                        shape=(_SIDE, _SIDE, 1),
                        encoding_format="png",
                        doc="Ink is 255, paper 0; 16 levels.",
                    ),
                    "label": tfds.features.ClassLabel(names=labels),
                    "superclass": tfds.features.ClassLabel(names=superclasses),
                    "subclass": tfds.features.Scalar(
                        np.int64, doc="Index of the typeface within its script."
                    ),
                    "file_name": tfds.features.Text(
                        doc="Unique name: script/typeface/split_index."
                    ),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://arxiv.org/abs/2201.08098",
            license=_LICENCE,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # The data comes with the package.
        return {
            split: self._generate_examples(split, images)
            for split, images in read_images(self.DATA_FOLDER).items()
        }

    def _generate_examples(
        self, split: str, images: np.ndarray
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yields the examples of a split from uint8 `[labels, images, 32, 32]`."""
        names = self.info.features["label"].names
        first_label: dict[str, int] = {}
        for label, name in enumerate(names):
            script = name.partition("/")[0]
            first_label.setdefault(script, label)
            for index, image in enumerate(images[label]):
                file_name = f"{name}/{split}_{index:03d}"
                example = {
                    "image": image[..., np.newaxis],
                    "label": label,
                    "superclass": script,
                    "subclass": label - first_label[script],
                    "file_name": file_name,
                }
                yield file_name, example


def read_labels(path: pathlib.Path) -> list[str]:
    """Returns the label names `script/typeface`, grouped by script, in label order."""
    return path.read_text(encoding="utf-8").split()


def read_images(folder: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads and checks the data file in `folder`.

    Returns:
      split -> uint8 `[labels, images, 32, 32]`, multiples of 17.

    Raises:
      ValueError: if the file is not the one that its digest was made of.
    """
    data = (folder / _DATA_NAME).read_bytes()
    expected = (folder / _DIGEST_NAME).read_text(encoding="utf-8").split()[0]
    digest = hashlib.sha256(data).hexdigest()
    if digest != expected:
        raise ValueError(f"{folder / _DATA_NAME}: got SHA-256 {digest}, expected {expected}")
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {split: unpack(archive[split]) for split in archive.files}


def unpack(packed: np.ndarray) -> np.ndarray:
    """Splits each byte into two pixels, the high half left, and scales to 0..255.

    Args:
      packed: uint8 `[..., width / 2]`.

    Returns:
      uint8 `[..., width]`.
    """
    levels = np.stack([packed >> 4, packed & 15], axis=-1)
    return (_LEVEL_STEP * levels).reshape(*packed.shape[:-1], 2 * packed.shape[-1])
