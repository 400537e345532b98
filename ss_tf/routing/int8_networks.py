"""All int8 networks of a run, by name, and what tells them from those of another run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from ss_tf.config import RunConfig
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.models import integer_network
from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.routing import loading
from ss_tf.training.run_dir import RunDir

# Stands for the base among names of superclasses, none of which is empty.
BASE = ""


def load(
    config: RunConfig, run: RunDir, superclass_map: SuperclassMap
) -> dict[str, IntegerNetwork]:
    """Reads the base and restores the sub networks of a run's bank.

    Returns:
      Name -> network: `BASE`, then each superclass that has a sub network, in order.

    Raises:
      ValueError: if a network is missing, damaged or another run's; the message says what to do.
    """
    base = loading.load_base(config, run, superclass_map=superclass_map)
    subs = loading.load_subs(run, superclass_map, base=base)
    named = zip(superclass_map.superclass_names, subs, strict=True)
    return {BASE: base, **{name: sub for name, sub in named if sub is not None}}


def digest(networks: Mapping[str, IntegerNetwork]) -> str:
    """Returns the SHA-256, in hex, of all names and weights, in any order."""
    sha256 = hashlib.sha256()
    for name in sorted(networks):
        sha256.update(f"{name}\n{integer_network.digest(networks[name])}\n".encode())
    return sha256.hexdigest()
