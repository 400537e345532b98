"""The grid of small deltas: kernels some multiple of `step` int8 steps away from the base's.

Trained freely, a sub network's int8 kernels differ from the base's by numbers of any size, which
take 2 to 6 bits each. On this grid most differ by nothing and the others by few, wide steps, and
quantization-aware training makes up for the coarseness: it is the one lever on the size of the
delta, for a lossless codec only collects what training leaves.

How wide a step may be depends on how far a sub network has moved from the base. One of many images
and classes moves five times as far as a small one: a step that costs the first nothing rounds the
second's delta away.
"""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from ss_tf.models import int8_grid, integer_network, variables
from ss_tf.models.integer_network import IntegerNetwork


class DeltaGrid:
    """Where convolution kernels of a sub network may be.

    Attributes:
      base: the network that the sub network is stored relative to.
      step: float32 variable: distance of neighbouring points, in whole int8 steps; 1 is the int8
        grid itself. The ends of the int8 range are points, too. It can be set for each network
        that is trained in one model.
    """

    def __init__(self, base: IntegerNetwork, step: int = 1):
        self.base = base
        self.step = tf.Variable(step, trainable=False, dtype=tf.float32, name="delta_step")

    def quantize(self, name: str, kernel: tf.Tensor) -> tf.Tensor:
        """Returns the nearest points of the grid.

        Args:
          name: of the kernel in the base.
          kernel: float32, of the base's shape.

        Returns:
          float32: (base + step * k) * scale with whole k, clipped to [-127, 127] * scale. In the
          backward pass it is the identity within that range, and zero outside.
        """
        # As int8 it takes a quarter of the room in the graph.
        scale, base = self.base.scales[name], tf.cast(self.base.kernels[name], tf.float32)
        largest = int8_grid.LARGEST
        inside = tf.clip_by_value(kernel, -largest * scale, largest * scale)
        steps = base + self.step * tf.round((inside / scale - base) / self.step)
        snapped = tf.clip_by_value(steps, -largest, largest) * scale
        return inside + tf.stop_gradient(snapped - inside)

    def snap(self, qat_model: keras.Model) -> None:
        """Puts every convolution kernel of a model on the grid; outputs stay the same."""
        for name, variable in variables.by_name(qat_model).items():
            if name in self.base.kernels and not integer_network.is_head(name):
                variable.assign(self.quantize(name, variable))
