"""Values of results.json in the form that figures take; what was not evaluated is left out."""

from __future__ import annotations

from collections.abc import Mapping

from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.report import error_budget, size_ratios, style
from ss_tf.report.reliability import Calibration
from ss_tf.report.superclass_accuracy import Accuracy

Results = Mapping[str, object]


def accuracies(
    results: Results,
) -> tuple[dict[str, Accuracy], dict[str, dict[str, Accuracy]]]:
    """Returns system -> accuracy on all images, and superclass -> system -> accuracy."""
    systems = [name for name in style.SHOWN if results["top1"][name] != NOT_EVALUATED]
    overall = {name: _accuracy(results, name, results["top1"][name]) for name in systems}
    by_superclass = {
        superclass: {
            name: _accuracy(row, name, row[name]) for name in systems if row[name] != NOT_EVALUATED
        }
        for superclass, row in results["per_superclass"].items()
    }
    return overall, by_superclass


def ratios(results: Results) -> dict[str, dict[str, float]]:
    """Returns form -> superclass -> size ratio, of the forms that every sub network has."""
    subs = results["sizes"]["per_superclass"]
    found = {
        form: {name: row["size_ratio"][form] for name, row in subs.items()}
        for form in size_ratios.FORMS
    }
    return {
        form: by_name
        for form, by_name in found.items()
        if by_name and NOT_EVALUATED not in by_name.values()
    }


def calibrations(results: Results) -> dict[str, dict[str, Calibration]]:
    """Returns level -> system -> calibration, of systems that decide the superclass themselves."""
    levels: dict[str, dict[str, Calibration]] = {}
    for system, by_level in results["calibration"].items():
        if system not in style.SHOWN or system == "oracle" or by_level == NOT_EVALUATED:
            continue
        for level, measured in by_level.items():
            bins = measured["bins"]
            levels.setdefault(level, {})[system] = Calibration(
                measured["ece"], bins["confidence"], bins["accuracy"], bins["count"]
            )
    return levels


def budgets(results: Results) -> dict[str, dict[str, float]]:
    """Returns system -> cause of an error -> share of all images."""
    total = results["num_examples"]
    found = {}
    flat = results["flat_errors"]
    if flat != NOT_EVALUATED:
        inside = flat["inside_superclass"]
        found["flat"] = {"sub_only": inside / total, "across": (flat["errors"] - inside) / total}
    for system, counts in results["error_budget"].items():
        if system in style.SHOWN and counts != NOT_EVALUATED:
            found[system] = {
                cause: counts[cause] / total for cause in error_budget.CAUSES if cause in counts
            }
    return found


def _accuracy(entry: Mapping[str, object], system: str, share: float) -> Accuracy:
    """Returns a share with its interval, which stands beside it."""
    return Accuracy(share, *entry["intervals"][system])
