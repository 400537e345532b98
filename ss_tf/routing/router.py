"""Router: two-stage inference in one graph, with one resident network."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import tensorflow as tf

from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing.label_tables import LabelTables, exactly, softmax
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

    The numbers are those of `ss_tf.routing.decisions`: from logits on, in float64, and rounded to
    float32 at the end.

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
        self._tables = LabelTables(superclass_map, policy)
        signature = tf.TensorSpec([None, *networks.image_shape], tf.float32)
        # AutoGraph would take half of the tracing to rewrite code that has nothing to convert.
        self.route = tf.function(self._route, input_signature=[signature], autograph=False)
        oracle = [signature, tf.TensorSpec([None], tf.int64)]
        self._oracle = tf.function(self._route_as_told, input_signature=oracle, autograph=False)

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
        """Classifies images whose superclass is known: opens that one alone.

        The superclass is certain, so its probability is 1, whatever the base says, and an answer is
        a label of it. Of the policy, only the temperatures apply: no answer abstains or exits, and
        a flat base has no weight.

        Args:
          images: as a call.
          superclasses: integers `[batch]`.

        Returns:
          As a call; `superclass_probability` is 1, and scores are p(subclass | superclass).

        Raises:
          ValueError: as a call; or if superclasses are no integers, there is not one per image, or
            one is not known.
        """
        check_images(images, self.networks.image_shape)
        count = self._tables.num_superclasses
        given = np.asarray(superclasses)
        if not np.issubdtype(given.dtype, np.integer):
            raise ValueError(f"Superclasses are {given.dtype}, expected integers.")
        if given.shape != images.shape[:1] or not np.all((given >= 0) & (given < count)):
            raise ValueError(
                f"Superclasses have shape {given.shape} and values in "
                f"{given.min(initial=0)}..{given.max(initial=0)}, expected one of 0..{count - 1} "
                f"for each of {len(images)} images."
            )
        return self._oracle(images, given.astype(np.int64))

    def _route(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Builds the graph of a call."""
        features = self._features(images)
        base = softmax(self.networks.base_logits(features))
        by_superclass = self._by_superclass(base)
        is_open = self._opened(by_superclass, base)
        scores, best = self._two_stage_scores(features, by_superclass, is_open)
        if self._is_flat:
            is_staged = tf.reduce_any(is_open, axis=1, keepdims=True)
            weight = tf.where(is_staged, exactly(self._policy.base_weight), exactly(1))
            scores = weight * base + (1 - weight) * scores
        label = tf.argmax(scores, axis=1)
        if self._policy.base_weight == 0:
            label = self._tables.told_apart(label, best)
        abstains = tf.reduce_max(scores, axis=1) < exactly(self._policy.abstain_below)
        superclass = tf.gather(self._tables.superclass_of_label, label)
        superclass = tf.where(abstains, tf.argmax(by_superclass, axis=1), superclass)
        return self._tables.answers(label, superclass, scores, abstains=abstains, is_open=is_open)

    def _route_as_told(self, images: tf.Tensor, superclasses: tf.Tensor) -> dict[str, tf.Tensor]:
        """Builds the graph of the oracle."""
        count = self._tables.num_superclasses
        certain = tf.one_hot(superclasses, count, dtype=tf.float64)
        is_open = certain > 0
        scores, best = self._two_stage_scores(self._features(images), certain, is_open)
        label = self._tables.told_apart(tf.argmax(scores, axis=1), best)
        never = tf.zeros_like(superclasses, tf.bool)
        return self._tables.answers(label, superclasses, scores, abstains=never, is_open=is_open)

    def superclass_probabilities(self, images: tf.Tensor) -> tf.Tensor:
        """Returns what the first stage says, float32 `[batch, num_superclasses]`.

        Args:
          images: as a call gets them. Of their checks, only that they are finite is done here, as
            the graph runs, with a tf.errors.InvalidArgumentError.
        """
        base = softmax(self.networks.base_logits(self._features(images)))
        return tf.cast(self._by_superclass(base), tf.float32)

    def _features(self, images: tf.Tensor) -> tf.Tensor:
        images = tf.debugging.assert_all_finite(images, "images hold NaN or infinity.")
        return self.networks.features(images)

    def _by_superclass(self, base: tf.Tensor) -> tf.Tensor:
        return base @ self._tables.membership if self._is_flat else base

    def _opened(self, by_superclass: tf.Tensor, base: tf.Tensor) -> tf.Tensor:
        """Returns which superclasses are opened, bool `[batch, num_superclasses]`."""
        policy, count = self._policy, self._tables.num_superclasses
        # Equal ones in order of their index.
        values, order = tf.math.top_k(by_superclass, min(policy.top_k, count))
        before = tf.cumsum(values, axis=1, exclusive=True)
        is_wanted = tf.concat(
            [tf.ones_like(before[:, :1], tf.bool), before[:, 1:] < exactly(policy.tau)], axis=1
        )
        is_open = tf.reduce_any(
            tf.one_hot(order, count, True, False) & is_wanted[..., None], axis=1
        )
        if policy.early_exit is None:
            return is_open
        surest = tf.reduce_max(base, axis=1, keepdims=True)
        return is_open & (surest < exactly(policy.early_exit))

    def _two_stage_scores(
        self, features: tf.Tensor, by_superclass: tf.Tensor, is_open: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Runs the sub networks that are needed.

        Returns:
          The joint probabilities, float64 `[batch, num_labels]`, 0 where nothing was opened; and
          the label of the largest logit of each sub network, int64 `[batch, num_superclasses]`, -1
          of one that was not run.
        """
        tables = self._tables
        alone = tf.where(is_open & ~tables.has_sub, by_superclass, exactly(0))
        scores = tf.matmul(alone, tables.membership, transpose_b=True)
        best = tf.fill(tf.shape(by_superclass), tf.cast(-1, tf.int64))
        if not tables.has_sub.any():
            return scores, best
        needed = tf.where(tf.reduce_any(is_open & tables.has_sub, axis=0))[:, 0]

        def add_superclass(number, scores, best):
            superclass = needed[number]
            rows = tf.where(is_open[:, superclass])
            logits = self.networks.sub_logits(superclass, tf.gather(features, rows[:, 0]))
            within = softmax(logits, temperature=tables.temperatures[superclass])
            joint = tf.gather(by_superclass[:, superclass], rows) * within
            labels = tables.labels_in(superclass)
            scores = tf.tensor_scatter_nd_add(scores, rows, tables.spread(joint, labels))
            places = tf.concat([rows, tf.fill(tf.shape(rows), superclass)], axis=1)
            favourite = tf.gather(labels, tf.argmax(logits, axis=1))
            return number + 1, scores, tf.tensor_scatter_nd_update(best, places, favourite)

        _, scores, best = tf.while_loop(
            lambda number, *_: number < tf.size(needed),
            add_superclass,
            (0, scores, best),
            # While one sub network computes, the next is restored: 15 % more images per second in
            # batches of 64 over ten superclasses; a third in flight adds nothing. It costs the
            # float32 kernels of a second network for that time.
            parallel_iterations=2,
        )
        return scores, best


def check_images(images: np.ndarray, image_shape: tuple[int, int, int]) -> None:
    """Raises ValueError unless `images` is a finite float32 batch of images of that shape."""
    if images.dtype != np.float32 or len(images.shape) != 4 or images.shape[1:] != image_shape:
        raise ValueError(
            f"Images are {images.dtype} of shape {images.shape}, "
            f"expected float32 of shape {('batch', *image_shape)}."
        )
    if not np.isfinite(images).all():
        raise ValueError("Images hold NaN or infinity, expected finite values.")
