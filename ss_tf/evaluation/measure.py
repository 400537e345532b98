"""Everything that results.json holds, from stored predictions."""

from __future__ import annotations

from ss_tf.evaluation import (
    accuracy,
    compute,
    diagnosis,
    passes,
    results,
    soft_routing,
    systems,
    verdict,
)
from ss_tf.evaluation.accuracy import Decisions
from ss_tf.evaluation.stored_predictions import FACTS, StoredPredictions

# Facts that are entries of results.json as they are; what is computed of the others is.
_COPIED = tuple(name for name in FACTS if name not in ("minival", "network_macs"))


def measure(predictions: StoredPredictions) -> tuple[dict[str, object], Decisions]:
    """Measures everything that results.json holds; the same predictions give the same numbers.

    What lacks the logits of a network is "not evaluated".

    Returns:
      What `results.write` takes, and the decisions that it is counted from.

    Raises:
      ValueError: if the predictions lack logits of an image that a system needs.
    """
    superclass_map, facts = predictions.superclass_map, predictions.facts
    decisions = systems.decide(predictions)
    measured = {
        **{name: facts[name] for name in _COPIED},
        **accuracy.summarize(decisions, superclass_map),
        **diagnosis.diagnose(decisions, superclass_map),
        "macs_per_image": compute.macs_per_image(
            facts["network_macs"],
            superclass_map,
            true=decisions.true,
            opened=decisions.opened,
        ),
        "routing": soft_routing.measure(
            predictions.policy, facts["minival"], decisions, superclass_map
        ),
        "schema_version": results.SCHEMA_VERSION,
        "stage1": predictions.base_kind,
    }
    measured["training_passes"] = passes.by_system(measured)
    measured["verdict"] = verdict.sentence(measured)
    return measured, decisions
