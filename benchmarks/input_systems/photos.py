"""Photo-like images, as files and as a TFDS data set."""

from __future__ import annotations

import io
import pathlib

import numpy as np
import tqdm
from PIL import Image

NUM_IMAGES = 128
_WIDTH, _HEIGHT, _QUALITY = 500, 375, 90


def make_photo(seed: int) -> bytes:
    """Draws a photo-like JPEG image: its detail falls with its size, as in photos."""
    generator = np.random.default_rng(seed)
    pixels = np.full((_HEIGHT, _WIDTH, 3), 128.0)
    for num_waves, contrast in ((3, 70), (8, 40), (24, 25), (80, 15), (250, 10)):
        noise = generator.normal(size=(num_waves * _HEIGHT // _WIDTH + 1, num_waves, 3))
        for channel in range(3):
            layer = Image.fromarray(noise[..., channel].astype(np.float32))
            layer = layer.resize((_WIDTH, _HEIGHT), Image.Resampling.BICUBIC)
            pixels[..., channel] += contrast * np.asarray(layer)
    y, x = np.mgrid[:_HEIGHT, :_WIDTH]
    for _ in range(12):
        angle, place = generator.uniform(0, 2 * np.pi), generator.uniform(0, 1, 2)
        side = (x - place[0] * _WIDTH) * np.cos(angle) + (y - place[1] * _HEIGHT) * np.sin(angle)
        pixels[side > 0] += generator.normal(0, 20, 3)
    pixels += generator.normal(0, 20, (_HEIGHT, _WIDTH, 1))
    buffer = io.BytesIO()
    photo = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    photo.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def prepare(folder: pathlib.Path):
    """Writes the images as files, and as TFRecords through TFDS; returns the TFDS builder."""
    import tensorflow_datasets as tfds

    photos = [make_photo(seed) for seed in tqdm.trange(NUM_IMAGES, desc="Drawing images")]
    for number, photo in enumerate(photos):
        (folder / f"{number:04d}.jpg").write_bytes(photo)

    class Photos(tfds.core.GeneratorBasedBuilder):
        """The features of superclass_imagenet."""

        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {
                "image": tfds.features.Image(encoding_format="jpeg"),
                "label": tfds.features.ClassLabel(num_classes=NUM_IMAGES),
                "superclass": tfds.features.ClassLabel(num_classes=1),
                "file_name": tfds.features.Text(),
            }
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(features),
                supervised_keys=("image", "label"),
            )

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for number, photo in enumerate(photos):
                example = {"image": io.BytesIO(photo), "label": number, "superclass": 0}
                yield number, {**example, "file_name": f"{number:04d}.jpg"}

    builder = Photos(data_dir=folder)
    builder.download_and_prepare()
    return builder
