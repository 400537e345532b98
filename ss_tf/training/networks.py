"""Networks of a run before they are trained: their models, and the weights they start from."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tf_keras as keras

from ss_tf.config import RunConfig
from ss_tf.data import input_pipeline
from ss_tf.data.examples import Dataset, Examples
from ss_tf.models import heads, int8_grid, integer_network, quantization
from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.models.resnet import build_resnet
from ss_tf.training import plan
from ss_tf.training.run_dir import FLAT_EQUAL_COMPUTE

# Images from which activation ranges are set: many times what their extremes need.
_CALIBRATION_IMAGES = 1024


def build(config: RunConfig, dataset: Dataset, network: str) -> keras.Model:
    """Builds a network's float model, with fresh weights that depend on the seed alone."""
    return _build(config, dataset, network, plan.num_classes(network, dataset.superclass_map))


def build_sub(config: RunConfig, dataset: Dataset) -> keras.Model:
    """Builds the float model that all sub networks share, as wide as the widest of them."""
    return _build(config, dataset, "sub", plan.widest_sub(dataset.superclass_map))


def sub_weights(
    base: IntegerNetwork, *, labels: Sequence[int] | None, width: int
) -> dict[str, np.ndarray]:
    """Returns the float weights that a sub network starts from.

    Args:
      base: the network whose trunk is taken over, as it is on its int8 grids.
      labels: for a flat base, the labels of the superclass: the head starts as their rows of the
        base's head. None for a super base, whose head answers another question: the head starts
        at zero, which favours no subclass.
      width: columns of the head in the model; those beyond the subclasses are zero.
    """
    weights = int8_grid.float_weights(base)
    if labels is None:
        empty = {name: np.zeros_like(weights[name]) for name in heads.HEAD_TENSORS}
        return heads.resize({**weights, **empty}, width)
    return heads.resize(heads.select(weights, list(labels)), width)


def calibrate(
    qat_model: keras.Model, examples: Examples, *, dataset: Dataset, config: RunConfig
) -> None:
    """Sets a model's activation ranges from some images of a fixed shuffle of `examples`."""
    order = np.random.default_rng(config.seed).permutation(len(examples))
    # The last batch's padding repeats a real image, so it widens no range.
    batches = input_pipeline.eval_batches(
        examples.select(order[:_CALIBRATION_IMAGES]),
        dataset,
        image_size=config.data.image_size,
        batch_size=config.base_qat_fit.batch_size,
    )
    quantization.calibrate(
        qat_model,
        (batch["image"] for batch in batches),
        input_range=input_pipeline.normalised_range(dataset),
    )


def origin(base: IntegerNetwork | None) -> str:
    """Returns words for what a network starts from, different for different bases."""
    return f"base {integer_network.digest(base)}" if base else "random weights"


def check_origin(metadata: Mapping[str, str], expected: str, *, folder: pathlib.Path) -> None:
    """Checks that a sub network started from the present base.

    Raises:
      ValueError: if it did not; the message names its folder, and what to do.
    """
    if metadata.get("origin") != expected:
        raise ValueError(
            f"The network in {folder} started from {metadata.get('origin')}, expected {expected}: "
            "the base was trained again since. Delete that folder and its entry in the bank, and "
            "train the sub network again."
        )


def _build(config: RunConfig, dataset: Dataset, network: str, num_classes: int) -> keras.Model:
    shape = config.equal_compute_model if network == FLAT_EQUAL_COMPUTE else config.model
    return build_resnet(
        shape,
        num_classes=num_classes,
        image_size=config.data.image_size,
        channels=dataset.channels,
        seed=config.seed,
    )
