"""Input pipelines over the same images: ours, of TFDS, and of torch."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterable

import numpy as np
from PIL import Image

from input_systems import photos

IMAGE_SIZE, BATCH_SIZE = 224, 32
CORES = len(os.sched_getaffinity(0))
# Times that the images are repeated in an epoch of ours, so that it does not end while it is timed.
_REPEATS = 128
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MIN_CROP_AREA = 0.35


def ours(builder, *, batch_size: int, min_crop_area: float = _MIN_CROP_AREA) -> Iterable:
    """Returns an epoch of ours over many times the images."""
    from ss_tf import config
    from ss_tf.data import catalog, examples, input_pipeline, records

    index = records.index_of(builder, "train")
    once = examples.Examples(index.records, index.labels, index.keys, index.files)
    fit = config.FitConfig(
        epochs=1,
        batch_size=batch_size,
        image_size=IMAGE_SIZE,
        learning_rate=0.1,
        warmup_epochs=0.0,
        momentum=0.9,
        weight_decay=0.0,
        label_smoothing=0.0,
        min_crop_area=min_crop_area,
        augment=("flip",),
        mixup=0.0,
        cutmix=0.0,
        ema_decay=0.0,
        seed=0,
        checkpoint_minutes=60.0,
    )
    return input_pipeline.train_batches(
        once.select(np.tile(np.arange(photos.NUM_IMAGES), _REPEATS)),
        catalog.image_format("superclass_imagenet"),
        fit=fit,
        epoch=0,
    )


def plain_tfds(builder, *, is_normalised: bool) -> Iterable:
    """Returns what a few lines of TFDS make; `as_dataset` is what tfds.load calls."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    def resize(image, label):
        return tf.image.resize(image, [IMAGE_SIZE, IMAGE_SIZE]), label

    def resize_and_normalise(image, label):
        image = tf.image.resize(image, [IMAGE_SIZE, IMAGE_SIZE])
        return (image / 255.0 - _MEAN) / _STD, label

    # TFDS would keep so few images decoded in memory, but not those of ImageNet.
    uncached = tfds.ReadConfig(try_autocache=False)
    images = builder.as_dataset(
        split="train", shuffle_files=True, as_supervised=True, read_config=uncached
    ).repeat()
    images = images.map(resize_and_normalise if is_normalised else resize, tf.data.AUTOTUNE)
    return images.batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE)


class PillowFiles:
    """The image files as a torch data set, whose items are cropped and mirrored at random."""

    def __init__(self, paths: list[str]):
        """Takes the paths of the files."""
        self._paths = paths * _REPEATS

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int):
        """Returns one image, normalised, float32 `[3, size, size]`."""
        import torch

        with Image.open(self._paths[index]) as file:
            image = file.convert("RGB")
        image = image.resize(
            (IMAGE_SIZE, IMAGE_SIZE),
            Image.Resampling.BILINEAR,
            box=_random_box(*image.size),
        )
        if torch.rand(()) < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
        mean, std = (torch.tensor(values)[:, None, None] for values in (_MEAN, _STD))
        return (pixels.float() / 255 - mean) / std


def _random_box(width: int, height: int) -> tuple[int, int, int, int]:
    """Draws a box as torchvision's RandomResizedCrop does, of the area that ours has."""
    import torch

    for _ in range(10):
        area = width * height * float(torch.empty(()).uniform_(_MIN_CROP_AREA, 1.0))
        aspect = float(torch.empty(()).uniform_(float(np.log(3 / 4)), float(np.log(4 / 3))).exp())
        box_width, box_height = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if box_width <= width and box_height <= height:
            left = int(torch.randint(width - box_width + 1, ()))
            top = int(torch.randint(height - box_height + 1, ()))
            return left, top, left + box_width, top + box_height
    return 0, 0, width, height


def pillow(folder: pathlib.Path) -> Iterable:
    """Returns torch's DataLoader over the files."""
    import torch.utils.data

    return torch.utils.data.DataLoader(
        PillowFiles([str(path) for path in sorted(folder.glob("*.jpg"))]),
        batch_size=BATCH_SIZE,
        shuffle=True,
        num_workers=CORES,
        # TensorFlow's threads do not survive a fork.
        multiprocessing_context="spawn",
        persistent_workers=True,
    )
