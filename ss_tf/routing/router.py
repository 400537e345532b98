"""Two-stage hard routing: the base decides the superclass, a sub network the subclass."""

from __future__ import annotations

import numpy as np

from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing.decisions import Routed
from ss_tf.routing.probabilities import softmax, superclass_probabilities
from ss_tf.routing.resident_network import ResidentNetwork


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
            opened=np.arange(probabilities.shape[1]) == superclass[:, None],
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
