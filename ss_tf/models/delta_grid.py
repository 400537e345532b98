"""The grid of small deltas: kernels some multiple of `step` int8 steps away from the base's.

Trained freely, a sub network's int8 kernels differ from the base's by numbers of any size, which
take 2 to 6 bits each. On this grid most differ by nothing and the others by few, wide steps, and
quantization-aware training makes up for the coarseness: it is the one lever on the size of the
delta, for a lossless codec only collects what training leaves.

How wide a step may be depends on how far a sub network has moved from the base. One of many images
and classes moves five times as far as a small one: a step that costs the first nothing rounds the
second's delta away. Within a network, large kernels take wider steps: what rounding adds to the
loss is, kernel for kernel, about the same share of the kernel's own variance, but to round a large
one finer takes more bits.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tf_keras as keras

from ss_tf.models import int8_grid, integer_network, variables
from ss_tf.models.integer_network import IntegerNetwork

# Step of a kernel over that of the largest one: the ratio of their numbers of weights, to this
# power. Of 0, 0.15, 0.3 and 0.5, at the same bits, 0.15 changed the answers of full-width sub
# networks least: the mean divergence over images was 0.69, 1.13 and 0.49 times that of 0.
_SIZE_POWER = 0.15


def relative_steps(base: IntegerNetwork) -> dict[str, np.float32]:
    """Returns the step of each convolution kernel relative to that of the largest one, 0 to 1."""
    sizes = {
        name: kernel.size
        for name, kernel in base.kernels.items()
        if not integer_network.is_head(name)
    }
    largest = max(sizes.values(), default=1)
    return {name: np.float32((size / largest) ** _SIZE_POWER) for name, size in sizes.items()}


def whole_steps(step: float, relative: np.float32) -> np.float32:
    """Returns the step of a kernel in whole int8 steps, 1 to 127, as `DeltaGrid` computes it."""
    return np.clip(np.rint(np.float32(step) * relative), 1, int8_grid.LARGEST)


class DeltaGrid:
    """Where convolution kernels of a sub network may be.

    Attributes:
      base: the network that the sub network is stored relative to.
      step: float32 variable: distance of neighbouring points of the largest kernel, in int8 steps;
        those of others are `whole_steps` of it. 1 is the int8 grid itself. The ends of the int8
        range are points, too. It can be set for each network that is trained in one model.
    """

    def __init__(self, base: IntegerNetwork, step: float = 1):
        self.base = base
        self._relative = relative_steps(base)
        self.step = tf.Variable(step, trainable=False, dtype=tf.float32, name="delta_step")

    def quantize(self, name: str, kernel: tf.Tensor) -> tf.Tensor:
        """Returns the nearest points of the grid.

        Args:
          name: of the kernel in the base.
          kernel: float32, of the base's shape.

        Returns:
          float32: (base + step of the kernel * k) * scale with whole k, clipped to
          [-127, 127] * scale. In the backward pass it is the identity within that range, and zero
          outside.
        """
        # As int8 it takes a quarter of the room in the graph.
        scale, base = self.base.scales[name], tf.cast(self.base.kernels[name], tf.float32)
        largest = int8_grid.LARGEST
        inside = tf.clip_by_value(kernel, -largest * scale, largest * scale)
        step = tf.clip_by_value(tf.round(self.step * self._relative[name]), 1, largest)
        steps = base + step * tf.round((inside / scale - base) / step)
        snapped = tf.clip_by_value(steps, -largest, largest) * scale
        return inside + tf.stop_gradient(snapped - inside)

    def snap(self, qat_model: keras.Model) -> None:
        """Puts every convolution kernel of a model on the grid; outputs stay the same."""
        for name, variable in variables.by_name(qat_model).items():
            if name in self.base.kernels and not integer_network.is_head(name):
                variable.assign(self.quantize(name, variable))
