"""The section of report.md on soft routing, beside hard."""

from __future__ import annotations

from collections.abc import Mapping

from ss_tf.evaluation import tables
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.routing.fit_policy import FEWEST_IMAGES

_HEADER = ("images", "system", "top-1 %", "sub networks/image", "early exits %")


def markdown(results: Mapping[str, object]) -> list[str]:
    """Returns the section's parts: what was fitted, what it does, and how sure that is.

    Args:
      results: `top1`, `routing`, `num_examples` and `stage1` of results.json.
    """
    routing = results["routing"]
    if routing["policy"] == NOT_EVALUATED:
        wanted = f"an int8 base, all its sub networks and {FEWEST_IMAGES} minival images at least"
        return [f"## Routing\n\nSoft routing: {NOT_EVALUATED}. It takes {wanted}."]
    return [f"## Routing\n\n{fitted(results)}", _table(results), _difference(routing)]


def fitted(results: Mapping[str, object]) -> str:
    """Says in one line what the policy's settings were fitted to.

    Args:
      results: `routing`, with a policy, and `stage1` of results.json.
    """
    policy, minival = results["routing"]["policy"], results["routing"]["minival"]
    second = "a second sub network is never run"
    if policy["top_k"] > 1 and policy["tau"] > 0:
        second = (
            "a second sub network is run where the first superclass has a probability below "
            f"{policy['tau']:.3f}"
        )
    parts = [second]
    if results["stage1"] == "flat":
        early_exit = policy["early_exit"]
        parts += [
            f"the base's own labels weigh {policy['base_weight']:.2f} in the average with two "
            "stages (base_weight)",
            "no image exits early"
            if early_exit is None
            else "images whose most probable label, by the base, has at least "
            f"{early_exit:.3f} run no sub network (early_exit)",
        ]
    told = "; ".join(parts)
    return f"Fitted on {minival['num_examples']:,} minival images, on no others: {told}."


def _table(results: Mapping[str, object]) -> str:
    """Returns what hard and soft do on minival, which soft was fitted on, and on validation."""
    routing = results["routing"]
    validation = {
        system: {"top1": results["top1"][system], **routing[system]} for system in ("hard", "soft")
    }
    rows = [
        [
            images,
            system,
            tables.percent(does[system]["top1"]),
            _count(does[system]["sub_networks_per_image"]),
            tables.percent(does[system]["early_exits"]),
        ]
        for images, does in (("minival", routing["minival"]), ("validation", validation))
        for system in ("hard", "soft")
    ]
    return tables.markdown(_HEADER, rows)


def _difference(routing: Mapping[str, object]) -> str:
    """Says what soft gains over hard on the validation images."""
    if routing["soft_minus_hard_points"] == NOT_EVALUATED:
        return f"Soft minus hard on the validation images: {NOT_EVALUATED}."
    error, p_value = (routing[f"soft_minus_hard_{name}"] for name in ("standard_error", "p_value"))
    return (
        f"Soft minus hard on the validation images: {routing['soft_minus_hard_points']:+.2f} "
        f"points, standard error {error:.2f} (paired), p = {p_value:.2g} (McNemar's exact test)."
    )


def _count(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.3f}"
