"""Makes the router of a trained run."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator

import tf_keras as keras

from ss_tf.config import RunConfig
from ss_tf.data.examples import ImageFormat
from ss_tf.deltas import bank
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.models import integer_network, quantization, resnet, trunk
from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.models.pure_network import PureNetwork
from ss_tf.routing.all_resident import AllResident
from ss_tf.routing.flat_part import HEAD_KERNEL
from ss_tf.routing.policy import HARD, RoutingPolicy
from ss_tf.routing.resident_network import ResidentNetwork
from ss_tf.routing.router import Router
from ss_tf.training import plan
from ss_tf.training.run_dir import RunDir

# Filters of a model of which only the operations count.
_NARROW = 4


def load_router(
    config: RunConfig,
    run: RunDir,
    *,
    image_format: ImageFormat,
    policy: RoutingPolicy = HARD,
    cache_bytes: int = 0,
) -> Router:
    """Makes the router of a run's int8 base and its bank.

    Args:
      config: the run's settings.
      run: its folder.
      image_format: of the images that it was trained on.
      policy: how to route.
      cache_bytes: what sub networks that stay restored may take in memory; 0 for none.

    Raises:
      ValueError: if the run lacks a network that two-stage routing needs, one is damaged or does
        not belong to it; the message says what to do. Or if the cache is too small for a network.
    """
    superclass_map = run.superclass_map()
    base = load_base(config, run, superclass_map=superclass_map)
    model = _model(config, image_format=image_format)
    # Read twice, so that one sub network at a time is in memory.
    subs = load_subs(run, superclass_map, base=base)
    stage = trunk.shared_stage(base, (sub for sub in subs if sub is not None))
    subs = _load_subs_with_trunk(run, superclass_map, base=base, stage=stage)
    path = run.int8_file(config.base)
    shared, rest = (half and _pure(half, base, path=path) for half in trunk.split(model, stage))
    networks = ResidentNetwork(shared, rest, base=base, subs=subs, cache_bytes=cache_bytes)
    return Router(networks, superclass_map, base_kind=config.base, policy=policy)


def load_vanilla_router(
    config: RunConfig, run: RunDir, *, image_format: ImageFormat, policy: RoutingPolicy = HARD
) -> Router:
    """Makes the router that has all of a run's int8 networks in memory; else as `load_router`."""
    superclass_map = run.superclass_map()
    base = load_base(config, run, superclass_map=superclass_map)
    subs = load_subs(run, superclass_map, base=base)
    network = load_operations(config, run, base, image_format=image_format)
    networks = AllResident(network, base=base, subs=subs)
    return Router(networks, superclass_map, base_kind=config.base, policy=policy)


def load_operations(
    config: RunConfig, run: RunDir, base: IntegerNetwork, *, image_format: ImageFormat
) -> PureNetwork:
    """Makes the function that all of a run's int8 networks are, for weights of the base's shapes.

    Raises:
      ValueError: naming the base's file, if it is not of the form that the run's settings say.
    """
    model = _model(config, image_format=image_format)
    return _pure(model, base, path=run.int8_file(config.base))


def load_base(config: RunConfig, run: RunDir, *, superclass_map: SuperclassMap) -> IntegerNetwork:
    """Reads the int8 base of a run that has all that two-stage routing needs.

    Raises:
      ValueError: if a network is missing, or the base is damaged or does not belong to the run; the
        message names the file, or says what to do.
    """
    if config.base is None:
        raise ValueError(
            f"{run.path} was trained with --sub_init=scratch, so it has no base to predict with, "
            "expected a run with --sub_init=super or --sub_init=flat."
        )
    if not run.int8_file(config.base).is_file():
        raise ValueError(
            f"{run.path} has no {config.base} network: {run.int8_file(config.base)} is missing. "
            f"Run train.py --stage={config.base} first, or --stage=all."
        )
    stored = bank.names(run.bank_dir)
    missing = [
        name
        for name, count in _num_subclasses(superclass_map).items()
        if count > 1 and name not in stored
    ]
    if missing:
        raise ValueError(
            f"{run.path} has no sub network of {', '.join(missing)}. "
            f"Run train.py --stage=sub --superclass={','.join(missing)} first."
        )
    base = integer_network.load(run.int8_file(config.base))
    _check_head(base, config, run, superclass_map=superclass_map)
    return base


def load_subs(
    run: RunDir, superclass_map: SuperclassMap, *, base: IntegerNetwork
) -> Iterator[IntegerNetwork | None]:
    """Yields the sub network of each superclass, out of the bank; None where it has one label.

    Raises:
      ValueError: naming the sub network, if it is damaged or another's.
    """
    for name, count in _num_subclasses(superclass_map).items():
        yield _load_sub(run, name, base=base, num_subclasses=count) if count > 1 else None


def _load_subs_with_trunk(
    run: RunDir, superclass_map: SuperclassMap, *, base: IntegerNetwork, stage: str | None
) -> Iterator[IntegerNetwork | None]:
    """Does what `load_subs` does, for sub networks known to be the base up to a stage.

    Raises:
      ValueError: as `load_subs`, or if one is not: then its file was written since.
    """
    subs = load_subs(run, superclass_map, base=base)
    for name, sub in zip(superclass_map.superclass_names, subs, strict=True):
        tensor = sub and trunk.differing_tensor(base, sub, stage=stage)
        if tensor:
            raise ValueError(
                f"{bank.entry_path(run.bank_dir, name)} has another {tensor} than the base, "
                f"expected the base's up to {stage}: it was replaced while it was read. Try again."
            )
        yield sub


def _num_subclasses(superclass_map: SuperclassMap) -> dict[str, int]:
    return {
        name: len(superclass_map.labels_in(superclass))
        for superclass, name in enumerate(superclass_map.superclass_names)
    }


def _load_sub(run: RunDir, name: str, *, base: IntegerNetwork, num_subclasses: int):
    """Reads a sub network out of the bank."""
    sub = bank.read_entry(run.bank_dir, name, base=base)
    num_classes = integer_network.num_classes(sub)
    if num_classes != num_subclasses:
        raise ValueError(
            f"The sub network of {name!r} has {num_classes} classes, "
            f"expected its {num_subclasses} subclasses."
        )
    return sub


def _check_head(
    base: IntegerNetwork, config: RunConfig, run: RunDir, *, superclass_map: SuperclassMap
) -> None:
    """Raises ValueError naming the file unless a base has the head that a run's settings say."""
    path = run.int8_file(config.base)
    try:
        num_classes = integer_network.num_classes(base)
    except ValueError as error:
        raise ValueError(f"{path} is no network of the run: {error}") from error
    expected = plan.num_classes(config.base, superclass_map)
    if num_classes != expected:
        raise ValueError(
            f"{path} has a head of {num_classes} classes, expected {expected}: it belongs to "
            f"another run than {run.map_file.name}."
        )
    features, expected = base.kernels[HEAD_KERNEL].shape[0], resnet.num_features(config.model)
    if features != expected:
        raise ValueError(
            f"{path} has a head of {features} inputs, expected {expected} of the run's flags: it "
            "belongs to another run."
        )


def _model(config: RunConfig, *, image_format: ImageFormat) -> keras.Model:
    """Returns a quantization-aware model with the operations of the run's networks.

    It is narrow: a network of 64 filters and its quantization-aware form would take 134 MB here,
    twelve times as much as the int8 network that stays.
    """
    model = resnet.build_resnet(
        dataclasses.replace(config.model, base_width=_NARROW),
        num_classes=_NARROW,
        image_size=config.data.image_size,
        channels=image_format.channels,
    )
    return quantization.quantize(model, freeze_kernel_ranges=True)


def _pure(model: keras.Model, base: IntegerNetwork, *, path: pathlib.Path) -> PureNetwork:
    """Returns the operations of a model or a part of it, for weights of the base's shapes."""
    try:
        return PureNetwork(model, like=base)
    except ValueError as error:
        raise ValueError(
            f"{path} is not of the form that the run's flags say, one of both belongs to another "
            f"run: {error}."
        ) from error
