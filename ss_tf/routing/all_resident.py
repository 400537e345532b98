"""AllResident: every network in memory in float32, as in the paper's vanilla inference."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf

from ss_tf.models import int8_grid
from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.models.pure_network import PureNetwork


class AllResident(tf.Module):
    """Computes the logits of a base and of sub networks, none of which is ever restored.

    What `ResidentNetwork` is compared with: the same networks, and the same answers bit for bit.

    Attributes:
      image_shape: `[height, width, channels]` of an image.
    """

    def __init__(
        self, network: PureNetwork, *, base: IntegerNetwork, subs: Iterable[IntegerNetwork | None]
    ):
        """Puts all networks into memory.

        Args:
          network: the operations that they share.
          base: the network of the first stage.
          subs: for each superclass its sub network, or None where there is none.
        """
        super().__init__(name="all_resident")
        self._network = network
        self.image_shape = network.input_shape
        self._base = self._variables(base)
        weights = [sub and self._variables(sub) for sub in subs]
        self._subs = [of_sub for of_sub in weights if of_sub is not None]
        # Superclass -> place in `_subs`; of one that has no sub network, any.
        self._places = np.cumsum([of_sub is not None for of_sub in weights]) - 1

    def features(self, images: tf.Tensor) -> tf.Tensor:
        """Returns the images: networks have nothing in common."""
        return images

    def base_logits(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the base's logits, float32 `[batch, classes of the base]`."""
        return self._network(features, self._base)

    def sub_logits(self, superclass: tf.Tensor, features: tf.Tensor) -> tf.Tensor:
        """Returns the logits of a sub network, float32 `[batch, its subclasses]`."""

        def logits_of(weights: dict[str, tf.Variable]) -> Callable[[], tf.Tensor]:
            return lambda: self._network(features, weights)

        place = tf.gather(tf.constant(self._places, tf.int32), superclass)
        return tf.switch_case(place, list(map(logits_of, self._subs)))

    def _variables(self, network: IntegerNetwork) -> dict[str, tf.Variable]:
        values = int8_grid.float_weights(network)
        return {
            name: tf.Variable(values.get(name, network.floats.get(name)), trainable=False)
            for name in self._network.weights
        }
