"""Batches of a data set: varied anew each epoch for training, each example once for evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ss_tf.data import augmentation, image_batches, preprocessing
from ss_tf.data.examples import Examples, ImageFormat


class _EpochPlan(NamedTuple):
    """All that chance decides about one epoch.

    Attributes:
      indices: int64 `[steps, batch]`, which example stands where.
      image_seeds: int32 `[steps, batch, 2]`, for the crop of each image.
      batch_seeds: int32 `[steps, 2]`, for the augmentation of each batch.
    """

    indices: np.ndarray
    image_seeds: np.ndarray
    batch_seeds: np.ndarray


def steps_per_epoch(num_examples: int, batch_size: int) -> int:
    """Returns how many full batches it takes to show every example."""
    return -(-num_examples // batch_size)


def normalised_range(dataset: ImageFormat) -> tuple[float, float]:
    """Returns the smallest and the largest number that a network input can be."""
    ends = [
        ((0 - mean) / std, (1 - mean) / std)
        for mean, std in zip(dataset.mean, dataset.std, strict=True)
    ]
    return min(low for low, _ in ends), max(high for _, high in ends)


def train_batches(
    examples: Examples,
    dataset: ImageFormat,
    *,
    image_size: int,
    batch_size: int,
    augment: Sequence[str],
    seed: int,
    epoch: int,
    start_step: int = 0,
) -> tf.data.Dataset:
    """Builds the batches of one epoch, a pure function of its arguments.

    Every batch is full: the last one is topped up from the start of the epoch's permutation.
    Files are cropped at random; decoded images are shown whole.

    Args:
      examples: at least one.
      dataset: the format of its images.
      image_size: side of the network's input, pixels.
      batch_size: images per step.
      augment: names of `ss_tf.config.AUGMENTATIONS`, applied in that order.
      seed: not negative; with `epoch` it decides every random draw.
      epoch: not negative.
      start_step: steps left out at the start. Those that remain are the same as without it, down
        to the last random draw, so that an interrupted epoch can go on.

    Returns:
      `steps_per_epoch - start_step` pairs of images, float32 `[batch, size, size, channels]`,
      normalised, and labels, int64 `[batch]`.

    Raises:
      ValueError: if there are no examples.
    """
    if not len(examples):
        raise ValueError("There are no examples to train on, expected at least one.")
    plan = _plan_epoch(len(examples), batch_size=batch_size, seed=seed, epoch=epoch)
    plan = _EpochPlan(*(array[start_step:] for array in plan))
    augmenter = augmentation.build_augmenter(augment)

    def crop(image, image_seed):
        return preprocessing.random_crop(image, image_size=image_size, seed=image_seed)

    def finish(images, labels, batch_seed):
        images = augmenter(preprocessing.to_unit_range(images), batch_seed)
        return preprocessing.normalise(images, dataset), labels

    images = image_batches.build(
        examples,
        dataset,
        indices=plan.indices,
        image_size=image_size,
        crop=crop,
        seeds=plan.image_seeds,
    )
    labels = tf.data.Dataset.from_tensor_slices(examples.labels[plan.indices])
    seeds = tf.data.Dataset.from_tensor_slices(plan.batch_seeds)
    return _in_parallel(tf.data.Dataset.zip(images, labels, seeds), finish)


def eval_batches(
    examples: Examples, dataset: ImageFormat, *, image_size: int, batch_size: int
) -> tf.data.Dataset:
    """Builds batches that hold each example exactly once, in order.

    Args:
      examples: any number; none gives no batch.
      dataset: the format of its images.
      image_size: side of the network's input, pixels.
      batch_size: images per batch. The last batch is padded to it by repeating the first example.

    Returns:
      Dicts of image, float32 `[batch, size, size, channels]`, normalised; label, int64 `[batch]`;
      mask, float32 `[batch]`: 1, or 0 for padding, which must not be counted.
    """
    steps = steps_per_epoch(len(examples), batch_size)
    positions = np.arange(steps * batch_size).reshape(steps, batch_size)
    mask = positions < len(examples)
    indices = np.where(mask, positions, 0)

    def crop(image, _):
        return preprocessing.centre_crop(
            image, image_size=image_size, crop_fraction=dataset.crop_fraction
        )

    def finish(images, labels, mask):
        images = preprocessing.normalise(preprocessing.to_unit_range(images), dataset)
        return {"image": images, "label": labels, "mask": mask}

    images = image_batches.build(
        examples,
        dataset,
        indices=indices,
        image_size=image_size,
        crop=crop,
        seeds=np.zeros((*indices.shape, 2), np.int32),
    )
    labels = tf.data.Dataset.from_tensor_slices(examples.labels[indices])
    mask = tf.data.Dataset.from_tensor_slices(mask.astype(np.float32))
    return _in_parallel(tf.data.Dataset.zip(images, labels, mask), finish)


def _plan_epoch(num_examples: int, *, batch_size: int, seed: int, epoch: int) -> _EpochPlan:
    """Draws the plan of an epoch; a later epoch's does not depend on an earlier one's."""
    generator = np.random.default_rng([seed, epoch])
    steps = steps_per_epoch(num_examples, batch_size)
    order = np.resize(generator.permutation(num_examples), (steps, batch_size))
    top = np.iinfo(np.int32).max
    return _EpochPlan(
        indices=order,
        image_seeds=generator.integers(top, size=(steps, batch_size, 2), dtype=np.int32),
        batch_seeds=generator.integers(top, size=(steps, 2), dtype=np.int32),
    )


def _in_parallel(batches: tf.data.Dataset, function: Callable) -> tf.data.Dataset:
    """Maps batches ahead of their use, in order."""
    options = tf.data.Options()
    options.deterministic = True
    # AutoGraph would take seconds to look through keras-cv, and find nothing to convert.
    function = tf.autograph.experimental.do_not_convert(function)
    mapped = batches.map(function, tf.data.AUTOTUNE)
    return mapped.prefetch(tf.data.AUTOTUNE).with_options(options)
