"""Networks of a run before they are trained: their models, and the weights they start from."""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tf_keras as keras

from ss_tf.config import RunConfig
from ss_tf.data import input_pipeline
from ss_tf.data.examples import Dataset, Examples
from ss_tf.models import heads, int8_grid, integer_network, pretrained, quantization, variables
from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.models.resnet import build_resnet, in_mixed_precision
from ss_tf.training import plan
from ss_tf.training.run_dir import FLAT, FLAT_EQUAL_COMPUTE, RunDir

# Images from which activation ranges are set: many times what their extremes need.
_CALIBRATION_IMAGES = 1024


def build(config: RunConfig, dataset: Dataset, network: str) -> keras.Model:
    """Builds a network's float model, with fresh weights that depend on the seed alone.

    It takes images of any size, for training images may be smaller than those of evaluation. Sub
    networks share a model, so each of them is as wide as the widest.
    """
    labels = dataset.superclass_map
    is_sub = plan.superclass_of(network) is not None
    return build_resnet(
        config.equal_compute_model if network == FLAT_EQUAL_COMPUTE else config.model,
        num_classes=plan.widest_sub(labels) if is_sub else plan.num_classes(network, labels),
        image_size=None,
        channels=dataset.channels,
        seed=config.seed,
    )


def build_for_float_phase(config: RunConfig, dataset: Dataset, network: str) -> keras.Model:
    """Builds a network's float model, in mixed precision if asked for."""
    model = build(config, dataset, network)
    return in_mixed_precision(model) if config.devices.mixed_precision else model


def start_float(
    model: keras.Model,
    config: RunConfig,
    dataset: Dataset,
    network: str,
    *,
    fresh: Mapping[str, np.ndarray] | None,
    base: IntegerNetwork | None,
) -> None:
    """Sets a float model to the weights that a network starts from.

    They are those of the base, or pretrained ones (which are announced then), or fresh ones.

    Args:
      model: of `build_for_float_phase`; sub networks share theirs.
      config: tells the file of pretrained weights.
      dataset: tells the classes.
      network: its name.
      fresh: the weights that the model was built with; None if it has them still, or for a base.
      base: of a sub network, or None.

    Raises:
      ValueError: if the pretrained weights do not fit; it names their file.
    """
    if base is not None:
        labels = dataset.superclass_map
        own = labels.labels_in(labels.superclass_index(plan.superclass_of(network)))
        own = own if config.base == FLAT else None
        variables.assign(model, sub_weights(base, labels=own, width=plan.widest_sub(labels)))
        return
    if fresh is not None:
        variables.assign(model, fresh)
    path = init_file(config, network)
    if path is not None:
        new = pretrained.load(path, into=model)
        head = f"; {' and '.join(new)} are new" if new else ""
        print(f"{network} starts from {path}{head}.")


def check_init(config: RunConfig, run: RunDir, *, dataset: Dataset, names: Sequence[str]) -> None:
    """Checks that networks not yet trained fit the pretrained weights they are to start from.

    Raises:
      ValueError: if a file does not fit; it names the file.
      OSError: if it cannot be read.
    """
    unfinished = [name for name in names if not run.float_file(name).is_file()]
    # Sub networks share a file and a shape: one of them stands for all.
    by_shape = {plan.superclass_of(name) is None and name: name for name in unfinished}
    for name in by_shape.values():
        path = init_file(config, name)
        if path is not None:
            pretrained.load(path, into=build(config, dataset, name))


def init_file(config: RunConfig, network: str) -> pathlib.Path | None:
    """Returns the file of pretrained weights that a network starts from, None if it does not."""
    if network == FLAT_EQUAL_COMPUTE:
        return config.equal_compute_init
    starts_from_base = plan.superclass_of(network) is not None and config.base is not None
    return None if starts_from_base else config.init


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


def origin(base: IntegerNetwork | None, init: pathlib.Path | None) -> str:
    """Returns words for what a network starts from, different for different bases and files."""
    if base is not None:
        return f"base {integer_network.digest(base)}"
    if init is None:
        return "random weights"
    with open(init, "rb") as file:
        return f"weights {hashlib.file_digest(file, 'sha256').hexdigest()}"


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
