"""Sub networks that stay near their base: what is frozen, where kernels may be, their deltas."""

from __future__ import annotations

import bisect
import functools
from collections.abc import Mapping

import numpy as np
import tf_keras as keras

from ss_tf.config import FREE_BITS, RunConfig
from ss_tf.data.examples import Dataset
from ss_tf.deltas import bank, layout, sizes
from ss_tf.models import delta_grid, heads, int8_grid, integer_network, quantization, variables
from ss_tf.models.delta_grid import DeltaGrid
from ss_tf.models.int8_grid import LARGEST, all_values
from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.models.resnet import layers_through
from ss_tf.training import networks, plan, provenance
from ss_tf.training.run_dir import RunDir


def freeze(model: keras.Model, config: RunConfig) -> None:
    """Makes the layers of a float model untrainable that sub networks share with the base.

    Batch norm then computes as in inference, with the base's averages, in training too.
    """
    shared = layers_through(model, config.delta.freeze_through)
    for layer in model.layers:
        layer.trainable = layer.name not in shared


def grid_of(config: RunConfig, base: IntegerNetwork) -> DeltaGrid | None:
    """Returns the points where kernels of sub networks may be, or None if that is anywhere."""
    return DeltaGrid(base) if config.delta.bits < FREE_BITS else None


def bits_of(superclass: str, config: RunConfig, dataset: Dataset) -> float:
    """Returns the most bits per weight that the delta of a superclass may take.

    What a coarse delta adds to the validation loss was seen to fall with about the square of its
    bits (single superclasses of the typefaces, full width). Then the sum of these losses, weighted
    by images, is smallest where bits grow with the cube root of the images.
    """
    owner = np.asarray(dataset.superclass_map.superclass_of_label)[dataset.train.labels]
    share = np.mean(owner == dataset.superclass_map.superclass_index(superclass))
    return config.delta.bits * float(np.cbrt(share * dataset.superclass_map.num_superclasses))


def finest_step(base: IntegerNetwork, weights: Mapping[str, np.ndarray], *, bits: float) -> float:
    """Returns a step of a grid on which the delta of a float network is just small enough.

    It is small enough at that step and not at the one before. A wider step leaves fewer kinds of
    values, so that the entropy falls, but for rare and small exceptions; without them no smaller
    step is small enough either. The step is searched for by halving, as if there were none.

    Args:
      base: the network that the delta is relative to.
      weights: float kernels, by the base's names.
      bits: most bits per weight, as the order-0 entropy of each kernel's rounded residuals.

    Returns:
      What `DeltaGrid.step` takes, 1 to 127 in eighths; 127 also if that is not enough.
    """
    residuals = {
        name: np.clip(weights[name] / base.scales[name], -LARGEST, LARGEST) - kernel
        for name, kernel in layout.body_kernels(base).items()
    }
    most_bytes = bits / 8 * sum(residual.size for residual in residuals.values())
    relative = delta_grid.relative_steps(base)

    # Searched are the steps of the largest kernel; several give the same ones to a small kernel.
    @functools.cache
    def num_bytes(name: str, step: int) -> float:
        # As in a bank, modulo 256.
        rounded = np.rint(residuals[name] / step).astype(np.int16).astype(np.int8)
        return sizes.entropy_bytes(rounded)

    def is_small(eighths: int) -> bool:
        steps = {
            name: int(delta_grid.whole_steps(eighths / 8, relative[name])) for name in relative
        }
        return sum(num_bytes(name, step) for name, step in steps.items()) <= most_bytes

    return (8 + bisect.bisect_left(range(8, 8 * LARGEST), True, key=is_small)) / 8


def build_qat(
    config: RunConfig, dataset: Dataset, network: str, *, grid: DeltaGrid | None
) -> keras.Model:
    """Builds the quantization-aware model that all sub networks share, with arbitrary weights."""
    model = networks.build(config, dataset, network)
    return quantization.quantize(
        model,
        freeze_kernel_ranges=True,
        delta_grid=grid,
        frozen_layers=layers_through(model, config.delta.freeze_through),
    )


def start_qat(
    qat_model: keras.Model,
    network: str,
    weights: Mapping[str, np.ndarray],
    *,
    base: IntegerNetwork,
    grid: DeltaGrid | None,
    config: RunConfig,
    dataset: Dataset,
) -> None:
    """Makes the shared model ready to go on with a float sub network: weights, ranges and grid.

    Args:
      qat_model: of `build_qat`.
      network: name of the sub network.
      weights: its float tensors.
      base: the network that it is relative to.
      grid: of the model; its step is set to the finest that the network's bits allow.
      config: the run's settings.
      dataset: gives the images that ranges are calibrated on.
    """
    labels_map = dataset.superclass_map
    resized = heads.resize(weights, plan.widest_sub(labels_map))
    int8_grid.start_from(qat_model, base=base, weights=resized)
    if grid:
        bits = bits_of(plan.superclass_of(network), config, dataset)
        grid.step.assign(finest_step(base, weights, bits=bits))
    examples = plan.examples_of(network, dataset.train, labels_map)
    networks.calibrate(qat_model, examples, dataset=dataset, config=config)
    restore_frozen(qat_model, base=base)


def restore_frozen(qat_model: keras.Model, *, base: IntegerNetwork) -> None:
    """Sets the frozen layers' variables, activation ranges among them, to the base's."""
    frozen = [layer for layer in qat_model.layers if not layer.trainable]
    values = all_values(base) if frozen else {}
    for layer in frozen:
        for variable in layer.weights:
            name = variables.name_of(variable)
            if name in values:
                variable.assign(values[name])


def store(run: RunDir, name: str, *, network: IntegerNetwork, base: IntegerNetwork) -> None:
    """Writes the delta of a sub network into the run's bank, unless it is there already.

    Raises:
      ValueError: if there is an entry that cannot be read; the message names it.
    """
    superclass = plan.superclass_of(name)
    if superclass in bank.names(run.bank_dir):
        entry = bank.load_entry(run.bank_dir, superclass)
        wanted = (integer_network.digest(base), integer_network.digest(network))
        if (entry.base, entry.network) == wanted:
            return
    own = provenance.for_bank(network, base=base)
    bank.write_entry(run.bank_dir, superclass, base=base, sub=own)
