"""Where the time goes: a system's parts, each timed as a function of its own."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from routing_systems.systems import System
from ss_tf.routing.all_resident import AllResident
from ss_tf.routing.resident_network import ResidentNetwork

_SUPERCLASS = tf.TensorSpec([], tf.int64)


def switch(
    networks: ResidentNetwork,
    flat: AllResident,
    images: np.ndarray,
    *,
    opened: np.ndarray,
    repetitions: int,
) -> dict[str, list[float]]:
    """Times restoring a sub network, and a forward pass in float32, in turns.

    The restored tensors are what the function returns: no copy is made, and none can be left out.
    Superclasses that are `opened` take turns, too.
    """
    restore = _restorer(networks)
    forward = _graph(flat.base_logits).get_concrete_function(_spec(images))
    images = tf.constant(images)
    seconds = {"restore": [], "forward": []}
    for turn in range(repetitions + 3):
        superclass = tf.constant(opened[turn % len(opened)], tf.int64)
        seconds["restore"].append(_seconds(lambda s=superclass: restore(s)))
        seconds["forward"].append(_seconds(lambda: forward(images)))
    return {name: values[3:] for name, values in seconds.items()}


def parts(
    system: System,
    images: np.ndarray,
    superclasses: np.ndarray,
    *,
    opened: np.ndarray,
    repetitions: int,
) -> dict[str, float]:
    """Returns the seconds of each part of a call; medians.

    Args:
      system: of two stages.
      images: float32 batch.
      superclasses: int64 `[batch]`.
      opened: those among them that have sub networks.
      repetitions: of each part, after one that warms up.

    Returns:
      "features", "base logits", "restore" (0 where nothing is restored), "sub networks" without
      that, "rest", what is left of the "call", and that; and how many sub networks it "opened".
    """
    networks = system.networks
    features = _graph(networks.features).get_concrete_function(_spec(images))
    made = features(tf.constant(images))
    base = _graph(networks.base_logits).get_concrete_function(_spec(made))
    sub = _graph(networks.sub_logits).get_concrete_function(_SUPERCLASS, _spec(made))
    restore = _restorer(networks) if hasattr(networks, "restore") else None
    groups = [
        (
            tf.constant(superclass, tf.int64),
            tf.gather(made, np.flatnonzero(superclasses == superclass)),
        )
        for superclass in opened
    ]
    work = {
        "call": lambda: system.classify(images, superclasses),
        "features": lambda: features(tf.constant(images)),
        "base logits": lambda: base(made),
        "restore": lambda: restore and [restore(superclass) for superclass, _ in groups],
        "sub networks": lambda: [sub(*group) for group in groups],
    }
    seconds = {name: [] for name in work}
    for _ in range(1 + repetitions):
        for name, function in work.items():
            seconds[name].append(_seconds(function))
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    rest = medians["call"] - sum(medians[n] for n in ("features", "base logits", "sub networks"))
    medians["sub networks"] -= medians["restore"]
    return {**medians, "rest": rest, "opened": len(groups)}


def _restorer(networks: ResidentNetwork) -> Callable:
    def restore(superclass):
        restored = networks.restore(superclass)
        return restored.kernels, restored.floats, restored.head, restored.bias

    return _graph(restore).get_concrete_function(_SUPERCLASS)


def _graph(function: Callable) -> tf.types.experimental.PolymorphicFunction:
    # As the router has it: AutoGraph would rewrite code that has nothing to convert.
    return tf.function(function, autograph=False)


def _spec(batch) -> tf.TensorSpec:
    return tf.TensorSpec([None, *batch.shape[1:]], tf.float32)


def _seconds(function: Callable) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began
