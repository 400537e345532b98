"""The page of two runs side by side: one HTML file that opens from disk and loads nothing."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from ss_tf import files
from ss_tf.evaluation import comparison_table, tables
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.report import page_assets
from ss_tf.report.page_sections import Cell, Table
from ss_tf.report.style import SHOWN, SYSTEMS

_SCRIPTS = ("theme.js", "sorting.js")
# Smaller p-values tell no more.
_LEAST_P = 0.0001


@dataclasses.dataclass(frozen=True)
class Difference:
    """What the second run has more than the first, in points; places on a strip are in percent.

    Attributes:
      label, color: of the system.
      first, second, difference, interval, p_value: as text.
      outcome: what that says.
      low, middle, high: where interval and difference lie on the strip.
    """

    label: str
    color: str
    first: str
    second: str
    difference: str
    interval: str
    p_value: str
    outcome: str
    low: float
    middle: float
    high: float


def write(path: pathlib.Path, compared: Mapping[str, object], *, a: str, b: str) -> None:
    """Writes the page; an older one is replaced whole.

    Args:
      path: of the page.
      compared: what `run_comparison.compare` returns.
      a, b: what the runs are called.
    """
    script = page_assets.script(*_SCRIPTS)
    top1 = differences(compared)
    text = (
        page_assets.environment()
        .get_template("compare.html.j2")
        .render(
            a=a,
            b=b,
            compared=compared,
            headline=headline(top1, a=a, b=b),
            differences=top1,
            zero=_place(0.0, _reach(_top1_rows(compared))),
            table=_table(compared, a=a, b=b),
            style=page_assets.style(),
            script=script,
            policy=page_assets.security_policy(script),
        )
    )
    files.write_atomically(path, text.encode("utf-8", "backslashreplace"))


def differences(compared: Mapping[str, object]) -> list[Difference]:
    """Returns the top-1 of each shown system that both runs have; all strips have one scale."""
    rows = _top1_rows(compared)
    reach = _reach(rows)
    return [_difference(system, row, reach) for system, row in rows.items()]


def headline(found: Sequence[Difference], *, a: str, b: str) -> str:
    """Says in a few words which run is more accurate."""
    outcomes = {entry.outcome for entry in found} - {"no clear difference"}
    if not found:
        return f"{a} and {b} have no system in common"
    if not outcomes:
        return f"No clear difference between {a} and {b}"
    if len(outcomes) == 2:
        return f"{b} is better in some systems and worse in others than {a}"
    where = "" if all(entry.outcome in outcomes for entry in found) else " in some systems"
    return f"{b} is {outcomes.pop()} than {a}{where}"


def _top1_rows(compared: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    """Returns system -> row of its top-1, of those that were tested."""
    rows = {row["metric"]: row for row in compared["rows"]}
    top1 = {system: rows.get(f"top1.{system}") for system in SHOWN}
    return {
        system: row
        for system, row in top1.items()
        if row is not None and row["low"] != NOT_EVALUATED
    }


def _reach(rows: Mapping[str, Mapping[str, object]]) -> float:
    """Returns how far strips reach to both sides of zero."""
    ends = [abs(row[end]) for row in rows.values() for end in ("low", "high")]
    return 1.1 * max(ends, default=0.0) or 1.0


def _place(value: float, reach: float) -> float:
    return 50 + 50 * value / reach


def _difference(system: str, row: Mapping[str, object], reach: float) -> Difference:
    low, high = row["low"], row["high"]
    outcome = "better" if low > 0 else "worse" if high < 0 else "no clear difference"
    return Difference(
        label=SYSTEMS[system].label,
        color=SYSTEMS[system].color,
        first=tables.percent(row["a"]),
        second=tables.percent(row["b"]),
        difference=tables.gain(100 * row["difference"]),
        interval=f"{tables.gain(100 * low)} to {tables.gain(100 * high)}",
        p_value=_p_value(row["p_value"]),
        outcome=outcome,
        low=_place(low, reach),
        middle=_place(row["difference"], reach),
        high=_place(high, reach),
    )


def _p_value(value: float) -> str:
    return f"< {_LEAST_P}" if value < _LEAST_P else f"= {value:.2g}"


def _table(compared: Mapping[str, object], *, a: str, b: str) -> Table:
    """Returns the table of all metrics, which sorts by what the cells are computed from."""
    header, rows = comparison_table.rows(compared, a=a, b=b)
    measured = {row["metric"]: row for row in compared["rows"]}
    cells = [
        [
            Cell(row[0], row[0]),
            *(
                Cell(text, None if isinstance(value, str) else value)
                for text, value in zip(
                    row[1:],
                    (
                        measured[row[0]][key]
                        for key in ("a", "b", "difference", "difference", "p_value")
                    ),
                    strict=True,
                )
            ),
        ]
        for row in rows
    ]
    told = (
        "Accuracies and calibration errors are in %, their differences in points, paired by image. "
        "p is of McNemar's exact test. Metrics have the names of results.json."
    )
    return Table(told, header, cells)
