"""The comparison of two runs as a table, for report files and for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from ss_tf.evaluation import tables
from ss_tf.evaluation.results import NOT_EVALUATED

_SHARES = ("super_top1", "super_top1_float", "top1.", "top5.", "balanced_top1.", "calibration.")


def rows(compared: Mapping[str, object], *, a: str, b: str) -> tuple[list[str], list[list[str]]]:
    """Returns the header and the rows; what neither run has is left out.

    Args:
      compared: as `run_comparison.compare` returns it.
      a, b: what the runs are called.
    """
    header = ["metric", a, b, "difference", "95 % interval", "p"]
    return header, [
        _cells(row) for row in compared["rows"] if not row["a"] == row["b"] == NOT_EVALUATED
    ]


def markdown(compared: Mapping[str, object], *, a: str, b: str) -> str:
    """Returns the whole comparison as Markdown; arguments are those of `rows`."""
    told = (
        f"{_counts(compared, a=a, b=b)} Differences are {b} minus {a}; accuracies and calibration "
        "errors are in %, their differences in points, paired by image. *p* is of McNemar's exact "
        "test. Metrics have the names of results.json."
    )
    return f"# {a} and {b}\n\n{told}\n\n{tables.markdown(*rows(compared, a=a, b=b))}\n"


def text(compared: Mapping[str, object], *, a: str, b: str) -> str:
    """Returns the comparison for a terminal; arguments are those of `rows`."""
    table = tables.text(*rows(compared, a=a, b=b))
    return f"{table}\n\n{_counts(compared, a=a, b=b)}"


def _counts(compared: Mapping[str, object], *, a: str, b: str) -> str:
    """Says how many images are compared."""
    told = f"{compared['num_images']:,} images are in both runs"
    return (
        f"{told}, {compared['only_a']:,} in {a} alone and {compared['only_b']:,} in {b} alone do "
        "not count."
    )


def _cells(row: Mapping[str, object]) -> list[str]:
    is_share = row["metric"].startswith(_SHARES)
    show = _percent if is_share else _number
    low, high, p_value = row["low"], row["high"], row["p_value"]
    return [
        row["metric"],
        show(row["a"]),
        show(row["b"]),
        show(row["difference"], signed=True),
        "" if isinstance(low, str) else f"{show(low, signed=True)} to {show(high, signed=True)}",
        "" if isinstance(p_value, str) else f"{p_value:.2g}",
    ]


def _percent(value: float | str, *, signed: bool = False) -> str:
    if isinstance(value, str):
        return value
    return f"{100 * value:+.2f}" if signed else f"{100 * value:.2f}"


def _number(value: float | str, *, signed: bool = False) -> str:
    if isinstance(value, str):
        return value
    sign = "+" if signed else ""
    return f"{value:{sign},.3f}" if abs(value) < 1000 else f"{value:{sign},.0f}"
