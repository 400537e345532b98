"""Router: two-stage inference in one graph, with one resident network."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import tensorflow as tf

from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing.policy import HARD, RoutingPolicy
from ss_tf.routing.probabilities import FLAT, SUPER


class Networks(Protocol):
    """What a router needs of the networks; `ResidentNetwork` is one such."""

    image_shape: tuple[int, int, int]

    def features(self, images: tf.Tensor) -> tf.Tensor:
        """Returns what all networks begin with, for images `[batch, *image_shape]`."""

    def base_logits(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the base's logits."""

    def sub_logits(self, superclass: tf.Tensor, features: tf.Tensor) -> tf.Tensor:
        """Returns the logits of a superclass's sub network."""


class Router(tf.Module):
    """Decides superclass and subclass of images.

    A batch is grouped by superclass: each sub network is restored at most once per call, and runs
    over the images that opened it. A superclass with a single label needs no sub network.

    The numbers are those of `ss_tf.routing.decisions`, in float32.

    Attributes:
      networks: what the logits come from.
      route: the tf.function behind a call, without its checks: for use in other graphs.
    """

    def __init__(
        self,
        networks: Networks,
        superclass_map: SuperclassMap,
        *,
        base_kind: str,
        policy: RoutingPolicy = HARD,
    ):
        """Prepares the graph, which is traced by the first call.

        Args:
          networks: the base, and a sub network for every superclass with several labels.
          superclass_map: the partition that they were trained with.
          base_kind: what the base's logits stand for: "super", superclasses, or "flat", labels.
          policy: which superclasses are opened, and how answers are weighed.

        Raises:
          ValueError: if there is no such kind, or the policy needs another.
        """
        super().__init__(name="router")
        if base_kind not in (SUPER, FLAT):
            raise ValueError(f"base_kind is {base_kind!r}, expected {SUPER} or {FLAT}.")
        self._is_flat = base_kind == FLAT
        policy.check_base(is_flat=self._is_flat)
        policy.check_names(superclass_map.superclass_names)
        self.networks = networks
        self._policy = policy
        self._tables = _Tables(superclass_map, policy)
        signature = tf.TensorSpec([None, *networks.image_shape], tf.float32)
        self.route = tf.function(self._route, input_signature=[signature])
        oracle = [signature, tf.TensorSpec([None], tf.int64)]
        self._oracle = tf.function(self._route, input_signature=oracle)

    def __call__(self, images: np.ndarray) -> dict[str, tf.Tensor]:
        """Classifies images.

        Args:
          images: float32 `[batch, *image_shape]`, normalised as for training; a batch of 0 gives
            an empty result.

        Returns:
          Tensors by the names of the fields of `decisions.Routed`.

        Raises:
          ValueError: if the images have another shape or dtype, or are not finite.
        """
        check_images(images, self.networks.image_shape)
        return self.route(images)

    def oracle(self, images: np.ndarray, superclasses: np.ndarray) -> dict[str, tf.Tensor]:
        """Classifies images whose superclass is known, int64 `[batch]`: opens that one alone.

        Raises:
          ValueError: as a call; or if there is not one superclass per image, or one is not known.
        """
        check_images(images, self.networks.image_shape)
        count = self._tables.num_superclasses
        given = np.asarray(superclasses)
        if given.shape != images.shape[:1] or not np.all((given >= 0) & (given < count)):
            raise ValueError(
                f"Superclasses have shape {given.shape} and values in "
                f"{given.min(initial=0)}..{given.max(initial=0)}, expected one of 0..{count - 1} "
                f"for each of {len(images)} images."
            )
        return self._oracle(images, given.astype(np.int64))

    def _route(
        self, images: tf.Tensor, superclasses: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Builds the graph; with `superclasses`, of the oracle."""
        images = tf.debugging.assert_all_finite(images, "images hold NaN or infinity.")
        features = self.networks.features(images)
        base = tf.nn.softmax(self.networks.base_logits(features))
        by_superclass = self._by_superclass(base)
        if superclasses is None:
            is_open = self._opened(by_superclass, base)
        else:
            is_open = tf.one_hot(superclasses, self._tables.num_superclasses, True, False)
        scores = self._two_stage_scores(features, by_superclass, is_open)
        if self._is_flat:
            is_staged = tf.reduce_any(is_open, axis=1, keepdims=True)
            weight = tf.where(is_staged, self._policy.base_weight, 1.0)
            scores = weight * base + (1 - weight) * scores
        return self._decided(scores, by_superclass) | {"opened": is_open, "scores": scores}

    def superclass_probabilities(self, images: tf.Tensor) -> tf.Tensor:
        """Returns what the first stage says, float32 `[batch, num_superclasses]`.

        Args:
          images: as a call gets them, but not checked here.
        """
        logits = self.networks.base_logits(self.networks.features(images))
        return self._by_superclass(tf.nn.softmax(logits))

    def _by_superclass(self, base: tf.Tensor) -> tf.Tensor:
        return base @ self._tables.membership if self._is_flat else base

    def _opened(self, by_superclass: tf.Tensor, base: tf.Tensor) -> tf.Tensor:
        """Returns which superclasses are opened, bool `[batch, num_superclasses]`."""
        policy, count = self._policy, self._tables.num_superclasses
        # Equal ones in order of their index.
        values, order = tf.math.top_k(by_superclass, min(policy.top_k, count))
        before = tf.cumsum(values, axis=1, exclusive=True)
        is_wanted = tf.concat(
            [tf.ones_like(before[:, :1], tf.bool), before[:, 1:] < policy.tau], axis=1
        )
        is_open = tf.reduce_any(
            tf.one_hot(order, count, True, False) & is_wanted[..., None], axis=1
        )
        if policy.early_exit is None:
            return is_open
        return is_open & (tf.reduce_max(base, axis=1, keepdims=True) < policy.early_exit)

    def _two_stage_scores(
        self, features: tf.Tensor, by_superclass: tf.Tensor, is_open: tf.Tensor
    ) -> tf.Tensor:
        """Returns the joint probabilities `[batch, num_labels]`, 0 where nothing was opened."""
        tables = self._tables
        alone = tf.where(is_open & ~tables.has_sub, by_superclass, 0.0)
        needed = tf.where(tf.reduce_any(is_open & tables.has_sub, axis=0))[:, 0]

        def add_superclass(number, scores):
            superclass = needed[number]
            rows = tf.where(is_open[:, superclass])
            logits = self.networks.sub_logits(superclass, tf.gather(features, rows[:, 0]))
            within = tf.nn.softmax(logits / tables.temperatures[superclass])
            within = tf.gather(tf.pad(within, [[0, 0], [1, 0]]), tables.columns[superclass], axis=1)
            joint = tf.gather(by_superclass[:, superclass], rows) * within
            return number + 1, tf.tensor_scatter_nd_add(scores, rows, joint)

        _, scores = tf.while_loop(
            lambda number, _: number < tf.size(needed),
            add_superclass,
            (0, alone @ tf.transpose(tables.membership)),
            # One network at a time: two would need twice the memory.
            parallel_iterations=1,
        )
        return scores

    def _decided(self, scores: tf.Tensor, by_superclass: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the most probable labels, or where that is too little, superclasses alone."""
        tables = self._tables
        label = tf.argmax(scores, axis=1)
        joint = tf.reduce_max(scores, axis=1)
        abstains = joint < self._policy.abstain_below
        superclass = tf.where(
            abstains, tf.argmax(by_superclass, axis=1), tf.gather(tables.superclass_of_label, label)
        )
        probability = tf.gather(scores @ tables.membership, superclass, axis=1, batch_dims=1)
        return {
            "label": tf.where(abstains, tf.cast(-1, tf.int64), label),
            "superclass": superclass,
            "superclass_probability": probability,
            "subclass": tf.where(
                abstains, tf.cast(-1, tf.int64), tf.gather(tables.subclass_of_label, label)
            ),
            "subclass_probability": tf.where(abstains, 0.0, joint / probability),
        }


def check_images(images: np.ndarray, image_shape: tuple[int, int, int]) -> None:
    """Raises ValueError unless `images` is a finite float32 batch of images of that shape."""
    if images.dtype != np.float32 or len(images.shape) != 4 or images.shape[1:] != image_shape:
        raise ValueError(
            f"Images are {images.dtype} of shape {images.shape}, "
            f"expected float32 of shape {('batch', *image_shape)}."
        )
    if not np.isfinite(images).all():
        raise ValueError("Images hold NaN or infinity, expected finite values.")


class _Tables:
    """The superclass map and the temperatures, as constants of a graph."""

    def __init__(self, superclass_map: SuperclassMap, policy: RoutingPolicy):
        names, superclass_of = superclass_map.superclass_names, superclass_map.superclass_of_label
        subclass_of = np.asarray(superclass_map.subclass_of_label())
        self.num_superclasses = len(names)
        membership = np.eye(len(names), dtype=np.float32)[list(superclass_of)]
        # [labels, superclasses], 1 where the label is of the superclass.
        self.membership = tf.constant(membership)
        self.has_sub = tf.constant(membership.sum(0) > 1)
        self.superclass_of_label = tf.constant(superclass_of, tf.int64)
        self.subclass_of_label = tf.constant(subclass_of, tf.int64)
        # [superclasses, labels]: 1 + the label's subclass, 0 where it is of another superclass.
        self.columns = tf.constant((membership.T * (1 + subclass_of)).astype(np.int32))
        self.temperatures = tf.constant(
            [policy.temperatures.get(name, 1.0) for name in names], tf.float32
        )
