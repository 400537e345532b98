"""Batches of a data set: varied anew each epoch for training, each example once for evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ss_tf.config import FitConfig
from ss_tf.data import augmentation, image_batches, mixing, preprocessing
from ss_tf.data.examples import Examples, ImageFormat


class Shard(NamedTuple):
    """The part of every batch that one of several processes reads.

    A batch is cut into `count * replicas` equal parts, one for each device.

    Attributes:
      index: of this process, from 0.
      count: of processes.
      replicas: devices that this process feeds.
    """

    index: int
    count: int
    replicas: int


# One process that feeds one device.
WHOLE = Shard(index=0, count=1, replicas=1)


class _EpochPlan(NamedTuple):
    """All that chance decides about one epoch.

    Attributes:
      indices: int64 `[steps, batch]`, which example stands where.
      image_seeds: int32 `[steps, batch, 2]`, for the crop of each image.
      part_seeds: int32 `[steps, parts, 2]`, for the augmentation of each part of a batch.
      mixing_seeds: int32 `[steps, parts, 2]`, for the mixing of images within each part.
    """

    indices: np.ndarray
    image_seeds: np.ndarray
    part_seeds: np.ndarray
    mixing_seeds: np.ndarray


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
    fit: FitConfig,
    epoch: int,
    num_epochs: int = 1,
    start_step: int = 0,
    shard: Shard = WHOLE,
) -> tf.data.Dataset:
    """Builds the batches of an epoch, or of several, a pure function of its arguments.

    Every batch is full: an epoch's last one is topped up from the start of its permutation.
    Encoded images are cropped at random; decoded ones are shown whole.

    Args:
      examples: at least one.
      dataset: the format of its images.
      fit: gives batch size, image size, how images are varied, and the seed which, with `epoch`,
        decides every random draw.
      epoch: the first one, not negative.
      num_epochs: how many. One pipeline for all starts once, which takes longer than a short epoch.
      start_step: steps left out at the start; those that remain stay the same, down to the last
        random draw, so that an interrupted epoch can go on.
      shard: the part of every batch to read. Order and crops of the images do not depend on it.

    Returns:
      For each step and each device of this process a `mixing.Batch` of `batch_size / (count *
      replicas)` images, normalised.

    Raises:
      ValueError: if there are no examples, or the shard's parts are not equal.
    """
    if not len(examples):
        raise ValueError("There are no examples to train on, expected at least one.")
    epochs = range(epoch, epoch + num_epochs)
    plan = _own_plan(len(examples), fit, epochs=epochs, start_step=start_step, shard=shard)
    augment = augmentation.build_augmenter(fit.augment)
    mix = mixing.build_mixer(mixup=fit.mixup, cutmix=fit.cutmix)

    def choose_box(height, width, seed):
        return preprocessing.random_crop_box(height, width, min_area=fit.min_crop_area, seed=seed)

    def finish(images, labels, part_seed, mixing_seed):
        images = augment(preprocessing.to_unit_range(images), part_seed[0])
        return mix(preprocessing.normalise(images, dataset), labels, mixing_seed[0])

    images = image_batches.build(
        examples,
        dataset,
        indices=plan.indices,
        image_size=fit.image_size,
        min_crop_area=fit.min_crop_area,
        antialias=False,
        choose_box=choose_box,
        seeds=plan.image_seeds,
    )
    others = (examples.labels[plan.indices], plan.part_seeds, plan.mixing_seeds)
    return _in_parallel(images, others, finish)


def eval_batches(
    examples: Examples,
    dataset: ImageFormat,
    *,
    image_size: int,
    batch_size: int,
    shard: Shard = WHOLE,
) -> tf.data.Dataset:
    """Builds batches that hold each example exactly once, in order.

    Args:
      examples: any number; none gives no batch.
      dataset: the format of its images.
      image_size: side of the network's input, pixels.
      batch_size: images per step. The last step is padded to it by repeating the first example.
      shard: which part of every step to read.

    Returns:
      Dicts of image, float32 `[part, size, size, channels]`, normalised; label, int64 `[part]`;
      mask, float32 `[part]`: 1, or 0 for padding, which must not be counted. A step has one for
      each device of this process, of `batch_size / (count * replicas)` images.

    Raises:
      ValueError: if the shard's parts are not equal.
    """
    _num_parts(batch_size, shard)
    steps = steps_per_epoch(len(examples), batch_size)
    positions = np.arange(steps * batch_size).reshape(steps, batch_size)
    positions = _own_parts(positions, shard)
    mask = positions < len(examples)
    indices = np.where(mask, positions, 0)

    def choose_box(height, width, _):
        return preprocessing.centre_box(height, width, crop_fraction=dataset.crop_fraction)

    def finish(images, labels, mask):
        images = preprocessing.normalise(preprocessing.to_unit_range(images), dataset)
        return {"image": images, "label": labels, "mask": mask}

    images = image_batches.build(
        examples,
        dataset,
        indices=indices,
        image_size=image_size,
        min_crop_area=1.0,
        antialias=True,
        choose_box=choose_box,
        seeds=np.zeros((*indices.shape, 2), np.int32),
    )
    others = (examples.labels[indices], mask.astype(np.float32))
    return _in_parallel(images, others, finish)


def _num_parts(batch_size: int, shard: Shard) -> int:
    """Returns into how many equal parts a batch is cut.

    Raises:
      ValueError: if it cannot be.
    """
    parts = shard.count * shard.replicas
    if batch_size % parts:
        raise ValueError(
            f"batch_size is {batch_size}, expected a multiple of {parts}: each batch is shared out "
            f"to {shard.count} processes with {shard.replicas} devices each."
        )
    return parts


def _own_parts(batches: np.ndarray, shard: Shard) -> np.ndarray:
    """Cuts the parts of this process out of `[steps, n, ...]`: `[steps * replicas, part, ...]`."""
    steps, num_columns, *rest = batches.shape
    part = num_columns // (shard.count * shard.replicas)
    parts = batches.reshape(steps, shard.count, shard.replicas, part, *rest)
    return parts[:, shard.index].reshape(steps * shard.replicas, part, *rest)


def _plan_epoch(num_examples: int, fit: FitConfig, *, epoch: int, parts: int) -> _EpochPlan:
    """Draws the plan of an epoch; a later epoch's does not depend on an earlier one's."""
    generator = np.random.default_rng([fit.seed, epoch])
    steps = steps_per_epoch(num_examples, fit.batch_size)
    order = np.resize(generator.permutation(num_examples), (steps, fit.batch_size))
    top = np.iinfo(np.int32).max
    # The number of parts must not change what is drawn for each image, hence this order.
    return _EpochPlan(
        indices=order,
        image_seeds=generator.integers(top, size=(steps, fit.batch_size, 2), dtype=np.int32),
        part_seeds=generator.integers(top, size=(steps, parts, 2), dtype=np.int32),
        mixing_seeds=generator.integers(top, size=(steps, parts, 2), dtype=np.int32),
    )


def _own_plan(
    num_examples: int, fit: FitConfig, *, epochs: range, start_step: int, shard: Shard
) -> _EpochPlan:
    """Draws the plans of some epochs, joins them, and cuts out the parts of this process."""
    parts = _num_parts(fit.batch_size, shard)
    plans = [_plan_epoch(num_examples, fit, epoch=epoch, parts=parts) for epoch in epochs]
    arrays = map(np.concatenate, zip(*plans, strict=True))
    return _EpochPlan(*(_own_parts(array[start_step:], shard) for array in arrays))


def _in_parallel(
    images: tf.data.Dataset, others: Sequence[np.ndarray], function: Callable
) -> tf.data.Dataset:
    """Maps batches of images, with the rows of other arrays, ahead of their use and in order."""
    options = tf.data.Options()
    options.deterministic = True
    # AutoGraph would take seconds to look through keras-cv, and find nothing to convert.
    function = tf.autograph.experimental.do_not_convert(function)
    rows = map(tf.data.Dataset.from_tensor_slices, others)
    mapped = tf.data.Dataset.zip(images, *rows).map(function, tf.data.AUTOTUNE)
    return mapped.prefetch(tf.data.AUTOTUNE).with_options(options)
