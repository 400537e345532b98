"""All int8 networks of a run, by name, and what tells them from those of another run."""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Mapping

from ss_tf.config import RunConfig
from ss_tf.deltas import bank
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
    return _of_all({name: integer_network.digest(one) for name, one in networks.items()})


def stored_digest(run: RunDir, superclass_map: SuperclassMap, *, base: str | None) -> str:
    """Returns the `digest` of the networks that a run has, whether or not all it should.

    Those of the bank are read, but not restored: an entry names the digest of its network.

    Args:
      run: its folder.
      superclass_map: of the run; bank entries of other superclasses do not count.
      base: name of the base's network; None if there is none.

    Raises:
      ValueError: naming the file, if one is damaged.
    """
    digests = {}
    if base is not None and run.int8_file(base).is_file():
        digests[BASE] = integer_network.digest(integer_network.load(run.int8_file(base)))
    labels = collections.Counter(superclass_map.superclass_of_label)
    for superclass, name in enumerate(superclass_map.superclass_names):
        if labels[superclass] > 1 and bank.entry_path(run.bank_dir, name).is_file():
            digests[name] = bank.load_entry(run.bank_dir, name).network
    return _of_all(digests)


def _of_all(digests: Mapping[str, str]) -> str:
    """Returns one digest of networks' names and digests."""
    sha256 = hashlib.sha256()
    for name in sorted(digests):
        sha256.update(f"{name}\n{digests[name]}\n".encode())
    return sha256.hexdigest()
