"""SGD that holds a sub network's kernels near the base's, so that the delta is small."""

from __future__ import annotations

import dataclasses

import tensorflow as tf
import tf_keras as keras

from ss_tf.models import integer_network, variables
from ss_tf.models.integer_network import IntegerNetwork


@dataclasses.dataclass(frozen=True)
class Anchor:
    """What holds kernels near the base's.

    Attributes:
      base: the network whose convolution kernels they are held near.
      penalty: int8 steps that a step of the optimizer pulls each weight towards the base's, at a
        learning rate of 1. A weight whose gradient does not outweigh it stays the base's.
    """

    base: IntegerNetwork
    penalty: float

    def holds(self, variable: tf.Variable) -> bool:
        """Tells whether a variable is a convolution kernel."""
        name = variables.name_of(variable)
        return name in self.base.kernels and not integer_network.is_head(name)


class AnchoredSGD(keras.optimizers.SGD):
    """SGD whose weight decay draws kernels to the base's; leave them out of the decay to zero.

    Decay to the starting point is L2-SP (Li et al., arXiv 1802.01483). The penalty is the proximal
    step of an L1 norm, soft thresholding, of the difference counted in int8 steps.
    """

    def __init__(self, anchor: Anchor, *, weight_decay: float, momentum: float, **settings):
        super().__init__(weight_decay=weight_decay, momentum=momentum, **settings)
        self._anchor, self._decay = anchor, weight_decay

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        """Takes a step of one variable, and pulls it towards the base."""
        if not self._anchor.holds(variable):
            super().update_step(gradient, variable)
            return
        base, name = self._anchor.base, variables.name_of(variable)
        rate = tf.cast(self.learning_rate, variable.dtype)
        # As int8 it takes a quarter of the room in the graph.
        center = tf.cast(base.kernels[name], variable.dtype) * base.scales[name]
        variable.assign_sub(rate * self._decay * (variable - center))
        super().update_step(gradient, variable)
        if self._anchor.penalty:
            difference = variable - center
            kept = tf.abs(difference) - rate * self._anchor.penalty * base.scales[name]
            variable.assign(center + tf.sign(difference) * tf.maximum(kept, 0.0))
