"""What the page knows of single images: who decided what about those that a system gets wrong.

The page counts its confusion matrices from these images, so a cell and the images behind it never
disagree. Of images that all systems decide right it knows how many there are of each label.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ss_tf.evaluation import wrong_images
from ss_tf.evaluation.accuracy import Decisions
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.report.style import SHOWN, SYSTEMS

# Probabilities are stored as whole thousandths.
_PROBABILITY_STEPS = 1000


def shown_systems(decisions: Decisions) -> list[str]:
    """Returns the systems that the page shows, of those that decided, in the figures' order."""
    return [name for name in SHOWN if name in decisions.labels]


def misclassified(decisions: Decisions) -> np.ndarray:
    """Returns int64 `[m]`: images that a shown system gets wrong, the largest cells first."""
    shown = {name: decisions.labels[name] for name in shown_systems(decisions)}
    return wrong_images.largest_cells_first(shown, decisions.true)


def build(
    decisions: Decisions, keys: Sequence[str], superclass_map: SuperclassMap
) -> dict[str, object]:
    """Builds the data of the interactive part, ready for JSON.

    Args:
      decisions: of all systems, about `n` images.
      keys: `n` names of these images.
      superclass_map: their partition.

    Returns:
      `labels` and `superclasses`, names; `superclass_of_label`; `order`, labels sorted by
      superclass; `systems`, id, label and color of each shown system; `images`, `key` and `true`
      label of each image of `misclassified`; `decided`, system -> `label` of each of these images,
      and `superclass` and `both`, the probabilities of its superclass, and of superclass and
      subclass together, in thousandths, or None where the system has none; `right`, system ->
      images that it decides right, per label.

    Raises:
      ValueError: if there are more or fewer keys than images.
    """
    if len(keys) != len(decisions.true):
        raise ValueError(
            f"There are {len(keys)} keys, expected one for each of the {len(decisions.true)} "
            "images that were decided: take both from the same predictions."
        )
    images = misclassified(decisions)
    systems = shown_systems(decisions)
    superclasses = np.asarray(superclass_map.superclass_of_label)
    return {
        "labels": list(superclass_map.label_names),
        "superclasses": list(superclass_map.superclass_names),
        "superclass_of_label": superclasses.tolist(),
        "order": np.argsort(superclasses, kind="stable").tolist(),
        "systems": [
            {"id": name, "label": SYSTEMS[name].label, "color": SYSTEMS[name].color}
            for name in systems
        ],
        "images": {
            "key": [str(keys[image]) for image in images],
            "true": decisions.true[images].tolist(),
        },
        "decided": {name: _decided(decisions, name, images) for name in systems},
        "right": {name: _right(decisions, name, superclass_map) for name in systems},
    }


def _decided(decisions: Decisions, system: str, images: np.ndarray) -> dict[str, list | None]:
    """Returns label and probabilities of a system at some images."""
    probabilities = decisions.probabilities.get(system)
    if probabilities is None:
        superclass, both = None, None
    else:
        superclass, both = (_thousandths(column) for column in probabilities[images].T)
    return {
        "label": decisions.labels[system][images].tolist(),
        "superclass": superclass,
        "both": both,
    }


def _thousandths(probabilities: np.ndarray) -> list[int | None]:
    """Returns probabilities in whole thousandths; None for nan."""
    rounded = np.rint(np.nan_to_num(probabilities, nan=-1) * _PROBABILITY_STEPS).astype(int)
    return [None if value < 0 else value for value in rounded.tolist()]


def _right(decisions: Decisions, system: str, superclass_map: SuperclassMap) -> list[int]:
    """Returns how many images of each label a system decides right."""
    is_right = decisions.labels[system] == decisions.true
    return np.bincount(decisions.true[is_right], minlength=superclass_map.num_labels).tolist()
