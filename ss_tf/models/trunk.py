"""The trunk of a network: the stages at its beginning that several networks have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import tf_keras as keras

from ss_tf import config
from ss_tf.models import resnet
from ss_tf.models.integer_network import IntegerNetwork, named_tensors


def differing_tensor(base: IntegerNetwork, sub: IntegerNetwork, *, stage: str | None) -> str | None:
    """Finds a tensor of the stages up to one that is not the base's, bit for bit.

    Args:
      base: int8 network.
      sub: another of the same geometry.
      stage: one of `config.STAGES`, or None.

    Returns:
      Its name, with the group; None if there is no such tensor.
    """
    last = -1 if stage is None else config.STAGES.index(stage)
    differing = (name for name, place in _differing(base, sub) if place <= last)
    return next(differing, None)


def shared_stage(base: IntegerNetwork, subs: Iterable[IntegerNetwork]) -> str | None:
    """Returns the last stage up to which all networks are the base, bit for bit.

    Args:
      base: int8 network.
      subs: others of the same geometry.

    Returns:
      One of `config.STAGES`, or None if the networks differ in the first one already.
    """
    differing = {place for sub in subs for _, place in _differing(base, sub)}
    first = min(differing, default=len(config.STAGES))
    return config.STAGES[first - 1] if first else None


def split(model: keras.Model, stage: str | None) -> tuple[keras.Model | None, keras.Model]:
    """Splits a ResNet after a stage.

    Args:
      model: network of `resnet.build_resnet`, or its quantization-aware form.
      stage: one of `config.STAGES`, or None.

    Returns:
      Two models that compute the same one after the other; the first is None for no stage. They
      share the model's variables.
    """
    if stage is None:
        return None, model
    place = config.STAGES.index(stage)
    last = [
        layer
        for layer in model.layers
        if resnet.stage_of(layer.name.removeprefix("quant_")) <= place
    ][-1]
    return keras.Model(model.input, last.output), keras.Model(last.output, model.output)


def _differing(base: IntegerNetwork, sub: IntegerNetwork) -> Iterator[tuple[str, int]]:
    """Yields each tensor that is not the base's, bit for bit, and the place of its stage."""
    base_tensors = dict(named_tensors(base))
    for name, tensor in named_tensors(sub):
        if tensor.tobytes() != base_tensors[name].tobytes():
            yield name, resnet.stage_of(name.split("/")[1])
