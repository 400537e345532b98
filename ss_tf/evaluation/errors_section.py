"""The sections of report.md on where errors come from, and how far they are from the truth."""

from __future__ import annotations

from collections.abc import Mapping

from ss_tf.evaluation import summary, tables, verdict
from ss_tf.evaluation.results import NOT_EVALUATED

_BUDGET = ("right", "routing_only", "sub_only", "both", "recoverable_by_oracle")
_BUDGET_TITLES = (
    "right",
    "routing wrong",
    "sub network wrong",
    "both wrong",
    "oracle would be right",
)
_BUDGET_TOLD = """\
Images of each two-stage system. *routing wrong*: the superclass is wrong, and the sub network of
the right one would have been right. *sub network wrong*: in the right superclass, another label.
*both wrong*: the superclass, and the sub network of the right one as well. The first four sum to
all images. The last column counts the wrong images that the oracle decides right."""
_TREES = {"two_level": "tree of superclasses", "wordnet": "tree of WordNet"}
_TREE_HEADER = (
    "severity",
    "distance@1",
    "distance@5",
    "precision %",
    "recall %",
    "F %",
    "consistency %",
)
_TREE_TOLD = """\
How far decisions are from the truth in a tree of the labels. *severity*: mean height of the lowest
common ancestor of truth and decision, over wrong images; *distance@k*: the same over all images and
their k most probable labels, right ones with 0; two stages list labels of the superclasses they
open alone, which are near each other, so that @5 does not compare them with a flat network.
*precision*, *recall*, *F*: of the nodes above the labels, themselves included, the root not
(Kiritchenko et al. 2006). *consistency*: images for which deciding from the root down gives the
same label."""
_SHOWN_PAIRS = 5


def markdown(results: Mapping[str, object]) -> list[str]:
    """Returns the sections' parts.

    Args:
      results: `error_budget`, `worst_pairs`, `hierarchical`, and what `summary.shown_systems`
        wants, of results.json.
    """
    return [
        f"## Where errors come from\n\n{_BUDGET_TOLD}",
        tables.markdown(("two-stage", *_BUDGET_TITLES), _budgets(results)),
        *_worst_pairs(results),
        *_hierarchical(results),
    ]


def _budgets(results: Mapping[str, object]) -> list[list[str]]:
    rows = []
    for system, budget in results["error_budget"].items():
        if budget == NOT_EVALUATED:
            rows.append([system, NOT_EVALUATED, *[""] * (len(_BUDGET) - 1)])
        else:
            rows.append([system, *(f"{budget[name]:,}" for name in _BUDGET)])
    return rows


def _worst_pairs(results: Mapping[str, object]) -> list[str]:
    """Returns the labels that are most often taken for another, by a two-stage system or flat."""
    ran = [s for s in (*verdict.TWO_STAGE, "flat") if results["worst_pairs"][s] != NOT_EVALUATED]
    if not ran or not results["worst_pairs"][ran[0]]:
        return []
    rows = [
        [pair["true"], pair["decided"], f"{pair['count']:,}", f"{pair['of']:,}"]
        for pair in results["worst_pairs"][ran[0]][:_SHOWN_PAIRS]
    ]
    header = ("true label", "decided", "images", "of")
    return [f"Most frequent mistakes of {ran[0]}:", tables.markdown(header, rows)]


def _hierarchical(results: Mapping[str, object]) -> list[str]:
    """Returns a table for each tree that some system was measured in."""
    found = [f"## Hierarchical metrics\n\n{_TREE_TOLD}"]
    for tree, title in _TREES.items():
        rows = [
            [shown, *_in_tree(results["hierarchical"][system][tree])]
            for system, shown in summary.shown_systems(results).items()
            if results["hierarchical"][system][tree] != NOT_EVALUATED
        ]
        if rows:
            found.append(tables.markdown((title, *_TREE_HEADER), rows))
        else:
            found.append(f"In the {title}: {NOT_EVALUATED}.")
    return found


def _in_tree(measured: Mapping[str, object]) -> list[str]:
    distances = [measured["mistake_severity"], *measured["distance_at_k"].values()]
    shares = [measured[name] for name in ("precision", "recall", "f", "consistency")]
    return [*map(tables.ratio, distances), *map(tables.percent, shares)]
