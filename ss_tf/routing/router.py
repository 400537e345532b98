"""Two-stage hard routing: the base decides the superclass, a sub network the subclass."""

from __future__ import annotations

import dataclasses

import numpy as np

from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing.resident_network import ResidentNetwork

SUPER, FLAT = "super", "flat"


@dataclasses.dataclass(frozen=True)
class Routed:
    """Decisions for a batch; every array is `[batch]`, in the order of the images.

    Attributes:
      superclass: int64, the most probable superclass.
      superclass_probability: float32.
      subclass: int64, the most probable index within that superclass.
      subclass_probability: float32, given the superclass; 1 where it has a single subclass.
      label: int64, the label of superclass and subclass.
    """

    superclass: np.ndarray
    superclass_probability: np.ndarray
    subclass: np.ndarray
    subclass_probability: np.ndarray
    label: np.ndarray


class Router:
    """Routes batches through one resident network.

    A superclass with a single subclass needs no sub network, and none is looked for.
    """

    def __init__(self, resident: ResidentNetwork, superclass_map: SuperclassMap, *, base_kind: str):
        """Checks that the base fits the map.

        Args:
          resident: network that holds the base; switched by every call.
          superclass_map: the partition that the networks were trained with.
          base_kind: what the base's logits stand for: "super", superclasses, or "flat", labels.

        Raises:
          ValueError: if there is no such kind, or the base has another number of classes.
        """
        self._resident = resident
        self._map = superclass_map
        self._base_kind = base_kind
        resident.switch(None)
        superclass_probabilities(
            np.zeros((0, resident.num_classes)), superclass_map, base_kind=base_kind
        )

    def __call__(self, images: np.ndarray) -> Routed:
        """Classifies a batch. The base is resident before and after, also if this fails.

        Each sub network that the batch needs is switched to once.

        Args:
          images: float32 `[batch, height, width, channels]`, normalised as for training; a batch
            of 0 gives an empty result.

        Raises:
          ValueError: if the images have another shape or dtype, or an entry of the bank is
            missing, damaged or does not fit the superclass.
        """
        with self._resident.lock:
            try:
                self._resident.switch(None)
                return self._route(images)
            finally:
                self._resident.switch(None)

    def _route(self, images: np.ndarray) -> Routed:
        probabilities = superclass_probabilities(
            self._resident.logits(images), self._map, base_kind=self._base_kind
        )
        superclass = probabilities.argmax(axis=1)
        subclass = np.zeros_like(superclass)
        subclass_probability = np.ones(superclass.shape, np.float32)
        label = np.zeros_like(superclass)
        for decided in np.unique(superclass):
            rows = np.flatnonzero(superclass == decided)
            labels = np.asarray(self._map.labels_in(decided))
            if len(labels) > 1:
                within = self._subclass_probabilities(decided, images[rows])
                subclass[rows] = within.argmax(axis=1)
                subclass_probability[rows] = within.max(axis=1)
            label[rows] = labels[subclass[rows]]
        return Routed(
            superclass=superclass,
            superclass_probability=probabilities.max(axis=1, initial=0).astype(np.float32),
            subclass=subclass,
            subclass_probability=subclass_probability,
            label=label,
        )

    def _subclass_probabilities(self, superclass: int, images: np.ndarray) -> np.ndarray:
        """Returns float64 `[batch, num_subclasses]` of one superclass's sub network."""
        name = self._map.superclass_names[superclass]
        self._resident.switch(name)
        num_subclasses = len(self._map.labels_in(superclass))
        if self._resident.num_classes != num_subclasses:
            raise ValueError(
                f"The sub network of {name!r} has {self._resident.num_classes} classes, "
                f"expected its {num_subclasses} subclasses."
            )
        return softmax(self._resident.logits(images))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Returns the probabilities of logits `[batch, classes]`, as float64 of the same shape."""
    # float64, so that a sum over a hundred classes keeps close superclasses apart.
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def superclass_probabilities(
    base_logits: np.ndarray, superclass_map: SuperclassMap, *, base_kind: str
) -> np.ndarray:
    """Turns the logits of a base into probabilities of superclasses.

    Args:
      base_logits: float `[batch, num_superclasses]` of a super network, or `[batch, num_labels]`
        of a flat one.
      superclass_map: the partition that the base was trained with.
      base_kind: "super" or "flat". For a flat base the probability of a superclass is the sum of
        those of its labels.

    Returns:
      float64 `[batch, num_superclasses]`; rows sum to 1.

    Raises:
      ValueError: if there is no such kind, or the logits have another width.
    """
    widths = {SUPER: superclass_map.num_superclasses, FLAT: superclass_map.num_labels}
    if base_kind not in widths:
        raise ValueError(f"base_kind is {base_kind!r}, expected {' or '.join(widths)}.")
    if base_logits.shape[1:] != (widths[base_kind],):
        raise ValueError(
            f"Logits of the {base_kind} base have shape {base_logits.shape}, "
            f"expected {('batch', widths[base_kind])}."
        )
    probabilities = softmax(base_logits)
    if base_kind == SUPER:
        return probabilities
    # [labels, superclasses], 1 where the label is of the superclass.
    membership = np.eye(superclass_map.num_superclasses)[list(superclass_map.superclass_of_label)]
    return probabilities @ membership
