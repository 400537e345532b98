"""Where a network comes from: the facts that are written beside its integers."""

from __future__ import annotations

import dataclasses

import ss_tf
from ss_tf.config import FitConfig, RunConfig
from ss_tf.data.examples import Dataset
from ss_tf.models import network_facts
from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.models.network_facts import NetworkFacts
from ss_tf.training import plan, run_dir


def facts(config: RunConfig, dataset: Dataset, *, network: str, origin: str) -> NetworkFacts:
    """Returns the facts about the integer form of a network of a run.

    Args:
      config: the run's settings.
      dataset: what it is trained on.
      network: name of the base or of a sub network.
      origin: what its training started from.
    """
    labels_map = dataset.superclass_map
    superclass = plan.superclass_of(network)
    if superclass is None:
        is_super = network == run_dir.SUPER
        names = labels_map.superclass_names if is_super else labels_map.label_names
    else:
        labels = labels_map.labels_in(labels_map.superclass_index(superclass))
        names = tuple(labels_map.label_names[label] for label in labels)
    float_fit, qat_fit = _fits(config, network)
    return NetworkFacts(
        network=network,
        origin=origin,
        version=ss_tf.__version__,
        superclass_map=None if superclass else labels_map,
        superclass=superclass,
        class_names=names,
        model=config.model,
        image_size=config.data.image_size,
        channels=dataset.channels,
        mean=tuple(dataset.mean),
        std=tuple(dataset.std),
        crop_fraction=dataset.crop_fraction,
        dataset=dataset.name,
        train_digest=run_dir.examples_digest(dataset.train),
        float_epochs=float_fit.epochs,
        qat_epochs=qat_fit.epochs,
        seed=config.seed,
    )


def for_bank(network: IntegerNetwork, *, base: IntegerNetwork) -> IntegerNetwork:
    """Returns a sub network that says only what its base does not: bank entries are small.

    `network_facts.completed_by_base` gives the metadata back.
    """
    own = network_facts.relative_to_base(network.metadata, base.metadata)
    return dataclasses.replace(network, metadata=own)


def _fits(config: RunConfig, network: str) -> tuple[FitConfig, FitConfig]:
    """Returns the settings of a network's float and quantization-aware phases."""
    if plan.superclass_of(network) is not None:
        return config.sub_fit, config.sub_qat_fit
    is_super = network == run_dir.SUPER
    return config.super_fit if is_super else config.flat_fit, config.base_qat_fit
