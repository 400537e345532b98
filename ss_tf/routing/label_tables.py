"""LabelTables: what a graph knows of superclasses and labels; and its arithmetic, in float64.

Where float32 saturates, decisions in it would not be those of `ss_tf.routing.decisions`.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing.policy import RoutingPolicy


class LabelTables:
    """The superclass map and the temperatures, as constants of a graph."""

    def __init__(self, superclass_map: SuperclassMap, policy: RoutingPolicy):
        names, superclass_of = superclass_map.superclass_names, superclass_map.superclass_of_label
        self.num_superclasses = len(names)
        self.has_sub = np.bincount(superclass_of, minlength=len(names)) > 1
        self.superclass_of_label = tf.constant(superclass_of, tf.int64)
        self.subclass_of_label = tf.constant(superclass_map.subclass_of_label(), tf.int64)
        self.temperatures = tf.constant(
            [policy.temperatures.get(name, 1.0) for name in names], tf.float64
        )

    @property
    def membership(self) -> tf.Tensor:
        """float64 `[labels, superclasses]`, 1 where the label is of the superclass.

        Made by the graph that asks: as a constant, it would be in memory once for each of a graph's
        copies, of which TensorFlow makes several.
        """
        return tf.one_hot(self.superclass_of_label, self.num_superclasses, dtype=tf.float64)

    def labels_in(self, superclass: tf.Tensor) -> tf.Tensor:
        """Returns the labels of a superclass in order of their subclasses, int64."""
        return tf.where(self.superclass_of_label == superclass)[:, 0]

    def spread(self, values: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Puts the columns of values of some labels where all labels have one; others are 0."""
        # Times 1 and plus 0, so not a bit is rounded.
        return values @ tf.one_hot(labels, len(self.superclass_of_label), dtype=values.dtype)

    def told_apart(self, label: tf.Tensor, best: tf.Tensor) -> tf.Tensor:
        """Returns the label of the largest logit among those of the same superclass.

        Rounding can make scores equal where logits are not. See `decisions.decide`.
        """
        superclass = tf.gather(self.superclass_of_label, label)
        best = tf.gather(best, superclass, axis=1, batch_dims=1)
        return tf.where(best < 0, label, best)

    def answers(
        self,
        label: tf.Tensor,
        superclass: tf.Tensor,
        scores: tf.Tensor,
        *,
        abstains: tf.Tensor,
        is_open: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Returns the fields of `decisions.Routed`."""
        none = tf.cast(-1, tf.int64)
        joint = tf.gather(scores, label, axis=1, batch_dims=1)
        probability = tf.gather(scores @ self.membership, superclass, axis=1, batch_dims=1)
        within = tf.where(abstains, exactly(0), joint / probability)
        return {
            "label": tf.where(abstains, none, label),
            "superclass": superclass,
            "superclass_probability": tf.cast(probability, tf.float32),
            "subclass": tf.where(abstains, none, tf.gather(self.subclass_of_label, label)),
            "subclass_probability": tf.cast(within, tf.float32),
            "opened": is_open,
            "scores": tf.cast(scores, tf.float32),
        }


def exactly(value: float) -> tf.Tensor:
    """Returns a number as float64; TensorFlow would round it to float32."""
    return tf.constant(value, tf.float64)


def softmax(logits: tf.Tensor, *, temperature: tf.Tensor | None = None) -> tf.Tensor:
    """Does what `probabilities.softmax` does, in float64, with logits over a temperature."""
    logits = tf.cast(logits, tf.float64)
    if temperature is not None:
        logits /= temperature
    exponentials = tf.exp(logits - tf.reduce_max(logits, axis=1, keepdims=True))
    return exponentials / tf.reduce_sum(exponentials, axis=1, keepdims=True)
