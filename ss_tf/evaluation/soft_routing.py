"""Soft routing: the policy that is fitted on minival, and what it opens on validation."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import numpy as np

from ss_tf.config import RunConfig
from ss_tf.evaluation import gather, metrics, systems
from ss_tf.evaluation.accuracy import Decisions
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.evaluation.stored_predictions import superclasses_with_sub
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing import decisions as routing
from ss_tf.routing import fit_policy
from ss_tf.routing.policy import HARD, RoutingPolicy
from ss_tf.routing.probabilities import superclass_probabilities

if TYPE_CHECKING:  # Networks bring TensorFlow with them.
    from ss_tf.data.examples import Dataset
    from ss_tf.evaluation.networks import Networks

# At most two sub networks for an image, and for a tenth of the images.
_TOP_K, _MOST_OPENED = 2, 1.1


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A policy, and what minival, which it was fitted on, says of it.

    Attributes:
      policy: what was fitted.
      num_images: number of minival images.
      hard, soft: what hard routing and the policy do on them.
    """

    policy: RoutingPolicy
    num_images: int
    hard: fit_policy.Summary
    soft: fit_policy.Summary

    def on_minival(self) -> dict[str, object]:
        """Returns what minival says, as the entry `routing.minival` of results.json."""
        return {
            "num_examples": self.num_images,
            **{
                system: {
                    "top1": summary.accuracy,
                    "sub_networks_per_image": summary.sub_networks,
                    "early_exits": summary.early_exits,
                }
                for system, summary in (("hard", self.hard), ("soft", self.soft))
            },
        }


def fit(config: RunConfig, dataset: Dataset, *, networks: Networks) -> Fitted | None:
    """Fits a policy for the int8 base and the bank on the minival images, and on no others.

    A sub network is run over the images that have its superclass among their two most probable,
    and over those of its own superclass, for its temperature.

    Returns:
      What was fitted; None if minival has fewer than `fit_policy.FEWEST_IMAGES` images, or if the
      base or a sub network is missing.

    Raises:
      ValueError: naming the file, if a network is damaged or does not belong to the run.
    """
    superclass_map, examples = dataset.superclass_map, dataset.minival
    base_kind = gather.stage1_network(config)
    if len(examples) < fit_policy.FEWEST_IMAGES:
        return None
    base = networks.logits(base_kind, "int8", examples=examples)
    if base is None:
        return None
    probabilities = superclass_probabilities(base, superclass_map, base_kind=base_kind)
    reached = routing.opened(probabilities, RoutingPolicy(top_k=_TOP_K))
    reached |= systems.reached_by(examples.labels, superclass_map)
    subs = gather.sub_logits(
        "int8", examples, superclass_map=superclass_map, networks=networks, reached=reached
    )
    if subs is None:
        return None
    data, kind = (base, subs, examples.labels, superclass_map), {"base_kind": base_kind}
    policy = fit_policy.fit(*data, **kind, top_k=_TOP_K, most_opened=_MOST_OPENED)
    return Fitted(
        policy=policy,
        num_images=len(examples),
        hard=fit_policy.summarise(*data, **kind, policy=HARD),
        soft=fit_policy.summarise(*data, **kind, policy=policy),
    )


def measure(
    policy: RoutingPolicy | None,
    minival: dict[str, object] | str,
    decisions: Decisions,
    superclass_map: SuperclassMap,
) -> dict[str, object]:
    """Returns the entry `routing` of results.json.

    Args:
      policy: what was fitted, if anything.
      minival: what `Fitted.on_minival` returns, or "not evaluated".
      decisions: about the validation images.
      superclass_map: the run's partition.

    Returns:
      `policy`: the fitted policy's fields, with the version of their form; `minival`: what it was
      fitted on. `hard` and `soft`: `sub_networks_per_image`, mean over the validation images, and
      `early_exits`, the share of them that opened none. `soft_minus_hard_points`: the difference
      of top-1 on the same validation images in percentage points, with
      `soft_minus_hard_standard_error`, in points too, and `soft_minus_hard_p_value`, both as in
      `metrics.PairedDifference`. What was not measured is "not evaluated".
    """
    compared = dict.fromkeys(("points", "standard_error", "p_value"), NOT_EVALUATED)
    labels = decisions.labels
    if "hard" in labels and "soft" in labels:
        paired = metrics.paired_difference(labels["soft"], labels["hard"], true=decisions.true)
        compared = {
            "points": 100 * paired.difference,
            "standard_error": 100 * paired.standard_error,
            "p_value": paired.p_value,
        }
    return {
        "policy": NOT_EVALUATED if policy is None else json.loads(policy.to_json()),
        "minival": minival,
        **{s: _effort(decisions.opened.get(s), superclass_map) for s in ("hard", "soft")},
        **{f"soft_minus_hard_{name}": value for name, value in compared.items()},
    }


def _effort(is_open: np.ndarray | None, superclass_map: SuperclassMap) -> dict[str, float | str]:
    """Returns what is opened, bool `[n, num_superclasses]`, as two numbers."""
    if is_open is None:
        return {"sub_networks_per_image": NOT_EVALUATED, "early_exits": NOT_EVALUATED}
    with_sub = list(superclasses_with_sub(superclass_map))
    return {
        "sub_networks_per_image": float(is_open[:, with_sub].sum(axis=1).mean()),
        "early_exits": float(np.mean(~is_open.any(axis=1))),
    }
