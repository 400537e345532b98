"""Chooses a RoutingPolicy on minival, and sums up what a policy does."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing.decisions import decide, label_scores, opened
from ss_tf.routing.policy import RoutingPolicy
from ss_tf.routing.probabilities import FLAT, softmax, superclass_probabilities
from ss_tf.routing.sub_logits import SubLogits, rows_of
from ss_tf.routing.temperature import best_temperature

# On fewer minival images, one of them is over a point, and a policy would be fitted to chance.
FEWEST_IMAGES = 100
# Early exits begin just above the first image that they would lose. So of other images they lose
# about one in as many as they were fitted on: here, a tenth of a point.
_FEWEST_FOR_EARLY_EXITS = 1000
# On fewer images a temperature would be noise.
_FEWEST_ROWS = 20
# How many thresholds are tried for each setting that is one.
_THRESHOLDS = 41
_BASE_WEIGHTS = tuple(tenths / 10 for tenths in range(1, 10))


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a policy does on some images.

    Attributes:
      accuracy: share of the images whose label is right; without a label it is not.
      sub_networks: mean number of sub networks run per image.
      early_exits: share of the images that opened nothing.
    """

    accuracy: float
    sub_networks: float
    early_exits: float


def summarise(
    base_logits: np.ndarray,
    sub_logits: Mapping[int, SubLogits],
    labels: np.ndarray,
    superclass_map: SuperclassMap,
    *,
    base_kind: str,
    policy: RoutingPolicy,
) -> Summary:
    """Applies a policy to images whose labels, int `[n]`, are known.

    Raises:
      ValueError: as `decide`, or if there is not one label per image, or no image.
    """
    _check_labels(labels, base_logits, superclass_map)
    routed = decide(base_logits, sub_logits, superclass_map, base_kind=base_kind, policy=policy)
    sizes = np.bincount(superclass_map.superclass_of_label)
    return Summary(
        accuracy=float(np.mean(routed.label == labels)),
        sub_networks=float(np.mean(np.sum(routed.opened[:, sizes > 1], axis=1))),
        early_exits=float(np.mean(~routed.opened.any(axis=1))),
    )


def fit(
    base_logits: np.ndarray,
    sub_logits: Mapping[int, SubLogits],
    labels: np.ndarray,
    superclass_map: SuperclassMap,
    *,
    base_kind: str,
    top_k: int = 2,
    most_opened: float = 1.1,
) -> RoutingPolicy:
    """Chooses temperatures, then tau, then for a flat base its weight, then early exits.

    Temperatures are the likeliest. Tau and the weight leave hard routing only where that makes more
    images right, by more than one standard error: the best of many settings is partly luck, which
    other images do not have. Images exit early, if there are 1000 to fit that on, where none is
    lost, or more are won by one standard error. The policy does not abstain.

    Args:
      base_logits, superclass_map, base_kind: as for `decide`.
      sub_logits: superclass -> logits of its sub network, for all images that have it among their
        `top_k` most probable superclasses.
      labels: int `[n]`, the true ones.
      top_k: most superclasses opened per image.
      most_opened: largest mean number of superclasses opened per image.

    Raises:
      ValueError: as `summarise`, or if `most_opened` is below 1.
    """
    _check_labels(labels, base_logits, superclass_map)
    if not most_opened >= 1:
        raise ValueError(f"most_opened is {most_opened}, expected at least 1.")
    probabilities = superclass_probabilities(base_logits, superclass_map, base_kind=base_kind)
    temperatures = _temperatures(sub_logits, labels, superclass_map)
    policy = RoutingPolicy(top_k=top_k, temperatures=temperatures)
    is_open = opened(probabilities, policy)
    scores = label_scores(probabilities, is_open, sub_logits, superclass_map, policy=policy)
    answers = _answers(scores, labels, superclass_map)
    policy = _with_tau(policy, probabilities, *answers, most_opened=most_opened)
    if base_kind != FLAT:
        return policy
    is_open = opened(probabilities, policy)
    scores *= is_open[:, list(superclass_map.superclass_of_label)]
    return _with_base(policy, softmax(base_logits), scores, labels)


def _temperatures(
    sub_logits: Mapping[int, SubLogits], labels: np.ndarray, superclass_map: SuperclassMap
) -> dict[str, float]:
    """Fits each sub network to the images of its superclass that it has logits for."""
    superclasses = np.asarray(superclass_map.superclass_of_label)[labels]
    subclasses = np.asarray(superclass_map.subclass_of_label())[labels]
    found = {}
    for superclass, sub in sub_logits.items():
        rows = np.intersect1d(sub.indices, np.flatnonzero(superclasses == superclass))
        if len(rows) >= _FEWEST_ROWS:
            logits = rows_of(superclass, rows, sub_logits, superclass_map)
            temperature = best_temperature(logits, subclasses[rows])
            found[superclass_map.superclass_names[superclass]] = round(temperature, 4)
    return found


def _answers(
    scores: np.ndarray, labels: np.ndarray, superclass_map: SuperclassMap
) -> tuple[np.ndarray, np.ndarray]:
    """Returns `[n, num_superclasses]`: the best score in each superclass, and if it is right."""
    groups = [
        np.asarray(superclass_map.labels_in(s)) for s in range(superclass_map.num_superclasses)
    ]
    best = np.stack([scores[:, group].max(axis=1) for group in groups], axis=1)
    right = [group[scores[:, group].argmax(axis=1)] == labels for group in groups]
    return best, np.stack(right, axis=1)


def _with_tau(
    policy: RoutingPolicy,
    probabilities: np.ndarray,
    best: np.ndarray,
    right: np.ndarray,
    *,
    most_opened: float,
) -> RoutingPolicy:
    """Returns the policy with the tau that makes most images right, and of such opens least.

    That is hard routing, if none is better by more than one standard error.
    """
    # At least as many images open two as have a first superclass below tau.
    shares = np.linspace(0, min(1.0, most_opened - 1), _THRESHOLDS)
    is_first = opened(probabilities, dataclasses.replace(policy, tau=0.0))
    chosen, highest = policy, (-1, 0)
    for tau in (0.0, *_thresholds(probabilities.max(axis=1), shares), 1.0):
        candidate = dataclasses.replace(policy, tau=tau)
        is_open = opened(probabilities, candidate)
        value = (np.count_nonzero(_right(is_open, best, right)), -np.count_nonzero(is_open))
        if value > highest and is_open.sum(axis=1).mean() <= most_opened:
            chosen, highest = candidate, value
    second = opened(probabilities, chosen)
    if _gain(_right(second, best, right), _right(is_first, best, right)) > 1:
        return chosen
    # Without a second superclass, faster forms need not look for one.
    return dataclasses.replace(policy, tau=0.0, top_k=1)


def _with_base(
    policy: RoutingPolicy, base: np.ndarray, scores: np.ndarray, labels: np.ndarray
) -> RoutingPolicy:
    """Returns the policy with a weight for `base`, a flat base's labels, and with early exits."""
    unmixed = decided = scores.argmax(axis=1) == labels
    for weight in _BASE_WEIGHTS:
        mixed = (weight * base + (1 - weight) * scores).argmax(axis=1) == labels
        if np.count_nonzero(mixed) > np.count_nonzero(decided) and _gain(mixed, unmixed) > 1:
            decided = mixed
            policy = dataclasses.replace(policy, base_weight=weight)
    if len(labels) < _FEWEST_FOR_EARLY_EXITS:
        return policy
    confidence, by_base = base.max(axis=1), base.argmax(axis=1) == labels
    for threshold in _thresholds(confidence, np.linspace(0, 1, _THRESHOLDS)):
        exited = np.where(confidence >= threshold, by_base, decided)
        if np.all(exited >= decided) or _gain(exited, decided) > 1:
            return dataclasses.replace(policy, early_exit=threshold)
    return policy


def _right(is_open: np.ndarray, best: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Returns bool `[n]`, whose best answer of the superclasses opened is right."""
    superclass = np.where(is_open, best, -1).argmax(axis=1)
    return np.take_along_axis(right, superclass[:, None], axis=1)[:, 0]


def _gain(right: np.ndarray, reference: np.ndarray) -> float:
    """Returns how many more of the same images are right, bool `[n]`, in standard errors.

    The error is that of two ways which are equally good: the root of the number of images on which
    they differ. Without any the gain is 0.
    """
    won = np.count_nonzero(right & ~reference)
    lost = np.count_nonzero(~right & reference)
    return (won - lost) / math.sqrt(max(won + lost, 1))


def _thresholds(values: np.ndarray, shares: np.ndarray) -> list[float]:
    """Returns numbers, ascending, that about these shares of `values` are below.

    Each lies halfway between two values, so that rounding elsewhere moves no image across it.
    """
    ascending = np.concatenate([[0.0], np.sort(values)])
    below = np.unique(np.ceil(shares * len(values)).astype(int))
    below = below[below < len(values)]
    # A probability that is a sum can be over 1 by rounding.
    return np.minimum((ascending[below] + ascending[below + 1]) / 2, 1.0).tolist()


def _check_labels(labels: np.ndarray, logits: np.ndarray, superclass_map: SuperclassMap) -> None:
    """Raises ValueError unless there is one label per image, and an image."""
    if not len(labels) or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"Labels have shape {labels.shape} for base logits of shape {logits.shape}, "
            "expected one per image, and one image at least."
        )
    largest = superclass_map.num_labels - 1
    if labels.min() < 0 or labels.max() > largest:
        raise ValueError(f"Labels are {labels.min()}..{labels.max()}, expected 0..{largest}.")
