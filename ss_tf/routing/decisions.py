"""Labels from the logits of a base and of sub networks. The reference for faster forms of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing.policy import RoutingPolicy
from ss_tf.routing.probabilities import FLAT, softmax, sums_by_superclass, superclass_probabilities
from ss_tf.routing.sub_logits import SubLogits, rows_of


@dataclasses.dataclass(frozen=True)
class Routed:
    """Decisions for a batch; arrays are `[batch]` unless told, in the order of the images.

    Attributes:
      superclass: int64, that of the label; the most probable one where there is no label.
      superclass_probability: float32.
      subclass: int64, index within that superclass, or -1.
      subclass_probability: float32, given the superclass; 1 where it has a single subclass, 0
        without a label.
      label: int64, the label of superclass and subclass, or -1 where the policy abstains.
      opened: bool `[batch, num_superclasses]`, whose sub networks were asked. A superclass with a
        single subclass can be opened too, but there is no sub network to run.
      scores: float32 `[batch, num_labels]`, what the label is the largest of, abstaining or not:
        joint probabilities of superclass and subclass, p(superclass) * p(subclass | superclass).
        0 for labels of a superclass that was not opened; so with hard routing only those of one
        superclass have a score. A flat base, where the policy weighs it in or lets an image exit,
        gives a score to every label. Rows sum to at most 1.
    """

    superclass: np.ndarray
    superclass_probability: np.ndarray
    subclass: np.ndarray
    subclass_probability: np.ndarray
    label: np.ndarray
    opened: np.ndarray
    scores: np.ndarray


def opened(
    superclass_probabilities: np.ndarray,
    policy: RoutingPolicy,
    *,
    base_label_probabilities: np.ndarray | None = None,
) -> np.ndarray:
    """Decides which superclasses each image opens; of equally probable ones the first comes first.

    Args:
      superclass_probabilities: float64 `[n, num_superclasses]`.
      policy: decides how many: none for an image that exits early, else one at least.
      base_label_probabilities: float64 `[n, num_labels]` of a flat base, None with a super base.

    Returns:
      bool `[n, num_superclasses]`. One with a single label counts, though it has no sub network.

    Raises:
      ValueError: if the policy wants what a super base does not give.
    """
    policy.check_base(is_flat=base_label_probabilities is not None)
    order = np.argsort(-superclass_probabilities, axis=1, kind="stable")
    ranked = np.take_along_axis(superclass_probabilities, order, axis=1)
    wanted = np.ones(ranked.shape, bool)
    wanted[:, 1:] = np.cumsum(ranked, axis=1)[:, :-1] < policy.tau
    wanted[:, policy.top_k :] = False
    is_open = np.empty_like(wanted)
    np.put_along_axis(is_open, order, wanted, axis=1)
    if policy.early_exit is not None:
        is_open[base_label_probabilities.max(axis=1) >= policy.early_exit] = False
    return is_open


def label_scores(
    superclass_probabilities: np.ndarray,
    is_open: np.ndarray,
    sub_logits: Mapping[int, SubLogits],
    superclass_map: SuperclassMap,
    *,
    policy: RoutingPolicy,
    base_label_probabilities: np.ndarray | None = None,
) -> np.ndarray:
    """Computes the joint probability of superclass and subclass, 0 where nothing was opened.

    Args:
      superclass_probabilities: float64 `[n, num_superclasses]`.
      is_open: bool `[n, num_superclasses]`, of `opened`.
      sub_logits: superclass -> logits of its sub network, for all examples that open it.
      superclass_map: the partition the networks were trained with.
      policy: gives the temperatures and the weight of the base.
      base_label_probabilities: float64 `[n, num_labels]` of a flat base, None with a super base.
        They are the scores of images that opened nothing, and are averaged into those of others.

    Returns:
      float64 `[n, num_labels]`; rows sum to at most 1.

    Raises:
      ValueError: if the policy wants what a super base does not give, or as `rows_of`.
    """
    policy.check_base(is_flat=base_label_probabilities is not None)
    scores = np.zeros((len(is_open), superclass_map.num_labels))
    for superclass in np.flatnonzero(is_open.any(axis=0)):
        rows = np.flatnonzero(is_open[:, superclass])
        members = np.asarray(superclass_map.labels_in(superclass))
        within = np.ones((len(rows), 1))
        if len(members) > 1:
            logits = rows_of(superclass, rows, sub_logits, superclass_map).astype(np.float64)
            name = superclass_map.superclass_names[superclass]
            within = softmax(logits / policy.temperatures.get(name, 1.0))
        scores[np.ix_(rows, members)] = superclass_probabilities[rows, superclass, None] * within
    if base_label_probabilities is None:
        return scores
    weight = np.where(is_open.any(axis=1), policy.base_weight, 1.0)[:, None]
    return weight * base_label_probabilities + (1 - weight) * scores


def decide(
    base_logits: np.ndarray,
    sub_logits: Mapping[int, SubLogits],
    superclass_map: SuperclassMap,
    *,
    base_kind: str,
    policy: RoutingPolicy,
) -> Routed:
    """Decides for each image the label with the largest score.

    The probability of its superclass is the sum of the scores in it: what the base says, or less
    where the superclass was not opened.

    Args:
      base_logits: float `[n, num_superclasses]`, or `[n, num_labels]` of a flat base.
      sub_logits: superclass -> logits of its sub network, for all examples that open it.
      superclass_map: the partition the networks were trained with.
      base_kind: "super" or "flat".
      policy: the settings.

    Raises:
      ValueError: if logits are missing or of another shape, or the policy does not fit them.
    """
    policy.check_names(superclass_map.superclass_names)
    probabilities = superclass_probabilities(base_logits, superclass_map, base_kind=base_kind)
    base = softmax(base_logits) if base_kind == FLAT else None
    is_open = opened(probabilities, policy, base_label_probabilities=base)
    scores = label_scores(
        probabilities,
        is_open,
        sub_logits,
        superclass_map,
        policy=policy,
        base_label_probabilities=base,
    )
    two_stage = is_open.any(axis=1) & (policy.base_weight == 0)
    label = _most_probable(scores, two_stage, sub_logits, superclass_map)
    joint = np.take_along_axis(scores, label[:, None], axis=1)[:, 0]
    abstains = joint < policy.abstain_below
    superclass = np.asarray(superclass_map.superclass_of_label)[label]
    superclass = np.where(abstains, probabilities.argmax(axis=1), superclass)
    sums = sums_by_superclass(scores, superclass_map)
    superclass_score = np.take_along_axis(sums, superclass[:, None], axis=1)[:, 0]
    subclass = np.asarray(superclass_map.subclass_of_label())[label]
    return Routed(
        superclass=superclass,
        superclass_probability=superclass_score.astype(np.float32),
        subclass=np.where(abstains, -1, subclass),
        subclass_probability=np.where(abstains, 0, joint / superclass_score).astype(np.float32),
        label=np.where(abstains, -1, label),
        opened=is_open,
        scores=scores.astype(np.float32),
    )


def _most_probable(
    scores: np.ndarray,
    two_stage: np.ndarray,
    sub_logits: Mapping[int, SubLogits],
    superclass_map: SuperclassMap,
) -> np.ndarray:
    """Returns int64 `[n]`, the label of the largest score.

    Rounding can make scores of one superclass equal where its logits are not; then the logits
    decide, as in hard routing, of the images `two_stage`, which sub networks alone decide.
    """
    labels = scores.argmax(axis=1)
    superclasses = np.asarray(superclass_map.superclass_of_label)[labels]
    for superclass in np.unique(superclasses[two_stage]):
        members = np.asarray(superclass_map.labels_in(superclass))
        rows = np.flatnonzero(two_stage & (superclasses == superclass))
        if len(members) > 1:
            logits = rows_of(superclass, rows, sub_logits, superclass_map)
            labels[rows] = members[logits.argmax(axis=1)]
    return labels
