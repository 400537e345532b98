"""The section of report.md on accuracies: how sure they are, and other ways to count."""

from __future__ import annotations

from collections.abc import Mapping

from ss_tf.evaluation import summary, tables
from ss_tf.evaluation.results import NOT_EVALUATED

_HEADER = (
    "system",
    "top-1 %",
    "95 % interval",
    "top-5 %",
    "balanced %",
    "ECE superclass %",
    "ECE label %",
)
_TOLD = """\
*interval*: Wilson's, of top-1 on other images of the same kind. *top-5*: the true label is among
the five most probable; two stages give only labels of the superclasses they open, so a wrong
superclass is wrong here, too. *balanced*: mean over labels of the accuracy on each. *ECE*: expected
calibration error, the mean distance between how sure a decision is and how often such ones are
right, over 15 bins. An oracle is told the superclass."""


def markdown(results: Mapping[str, object]) -> list[str]:
    """Returns the section's parts.

    Args:
      results: `top1`, `intervals`, `top5`, `balanced_top1`, `calibration`, and what
        `summary.shown_systems` wants, of results.json.
    """
    titles = summary.shown_systems(results)
    rows = [_row(results, system, title) for system, title in titles.items()]
    return [f"## Accuracy\n\n{_TOLD}", tables.markdown(_HEADER, rows)]


def interval(bounds: list[float] | str) -> str:
    """Shows an interval of a share in percent."""
    return bounds if isinstance(bounds, str) else " to ".join(map(tables.percent, bounds))


def _row(results: Mapping[str, object], system: str, title: str) -> list[str]:
    top1 = results["top1"][system]
    if top1 == NOT_EVALUATED:
        return [title, NOT_EVALUATED, *[""] * (len(_HEADER) - 2)]
    calibration = results["calibration"][system]
    levels = [NOT_EVALUATED] * 2
    if calibration != NOT_EVALUATED:
        levels = [calibration[level]["ece"] for level in ("superclass", "subclass")]
    return [
        title,
        tables.percent(top1),
        interval(results["intervals"][system]),
        tables.percent(results["top5"][system]),
        tables.percent(results["balanced_top1"][system]),
        *map(tables.percent, levels),
    ]
