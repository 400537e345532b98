"""How much training lies behind the networks of a run."""

from __future__ import annotations

import collections

from ss_tf.evaluation.passes import SUB
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.training import metrics_log
from ss_tf.training.run_dir import FLAT, FLAT_EQUAL_COMPUTE, SUPER, RunDir, sub


def by_kind(
    run: RunDir, superclass_map: SuperclassMap, *, num_train: int
) -> dict[str, dict[str, dict[str, float]] | str]:
    """Returns how much each kind of network was trained, from the records of its epochs.

    Args:
      run: the run's folder.
      superclass_map: its partition.
      num_train: number of training images.

    Returns:
      kind ("flat", "flat_equal_compute", "super", "sub") -> phase -> `images` shown, and `passes`:
      images / num_train. An epoch of every sub network is one pass together, or less where a
      superclass has none. "not evaluated" for a kind without records.
    """
    return {
        kind: {
            phase: {"images": images, "passes": images / num_train}
            for phase, images in _images_by_phase(run, names).items()
        }
        or NOT_EVALUATED
        for kind, names in _names_by_kind(superclass_map).items()
    }


def seconds_by_kind(run: RunDir, superclass_map: SuperclassMap) -> dict[str, float]:
    """Returns kind -> seconds spent in its recorded epochs."""
    return {
        kind: sum(record["seconds"] for name in names for record in _records(run, name))
        for kind, names in _names_by_kind(superclass_map).items()
    }


def _names_by_kind(superclass_map: SuperclassMap) -> dict[str, list[str]]:
    """Returns the network names of each kind."""
    return {
        **{name: [name] for name in (FLAT, FLAT_EQUAL_COMPUTE, SUPER)},
        SUB: [sub(name) for name in superclass_map.superclass_names],
    }


def _records(run: RunDir, name: str) -> list[dict[str, object]]:
    return metrics_log.read(run.network_dir(name))


def _images_by_phase(run: RunDir, names: list[str]) -> dict[str, int]:
    """Returns phase -> images shown to some networks together."""
    images: collections.Counter[str] = collections.Counter()
    for name in names:
        # `images` counts from the start of the phase, so a network's last record has its total.
        images.update({record["phase"]: record["images"] for record in _records(run, name)})
    return dict(images)
