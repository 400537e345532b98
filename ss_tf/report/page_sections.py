"""The parts of the page that are plain text: verdict, cards and tables, from results.json."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from ss_tf.evaluation import summary, tables, verdict
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.report.style import SHOWN, SYSTEMS

# Systems that nobody can run: they know the true superclass.
_BOUNDS = ("oracle",)
_MACS = {
    "flat": "flat",
    "flat_equal_compute": "flat_equal_compute",
    "vanilla": "two_stage",
    "hard": "two_stage",
    "soft": "two_stage_soft",
}
_HEADLINES = {
    "better": "Two-stage pays here",
    "only flat": "Two-stage beats flat, but was not compared at equal compute",
    "no clear difference": "Two-stage makes no clear difference here",
    "worse": "Two-stage does not pay here",
    NOT_EVALUATED: "Two-stage was not compared",
}
# From the one that decides the headline to the one that has to hold for all references.
_OUTCOMES = ("worse", "no clear difference", "better")
# Share of the strip of intervals that is left free at each end.
_STRIP_MARGIN = 0.08


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
      text: what is shown.
      value: what the column is sorted by; None goes last.
      is_best: whether it stands out.
    """

    text: str
    value: float | str | None = None
    is_best: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
    """A table whose first column names the rows; all others are numbers."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclasses.dataclass(frozen=True)
class Card:
    """A system's accuracy; `low`, `middle` and `high` are places on a strip, in percent."""

    label: str
    color: str
    accuracy: str
    interval: str
    note: str
    low: float | None
    middle: float | None
    high: float | None


def headline(results: Mapping[str, object]) -> str:
    """Says in a few words whether two-stage pays: it has to beat flat, and flat at equal compute.

    A second flat network of another compute does not count.
    """
    evaluated = [name for name in verdict.TWO_STAGE if results["top1"][name] != NOT_EVALUATED]
    if not evaluated:
        return _HEADLINES[NOT_EVALUATED]
    compared = dict(results["comparisons"][evaluated[0]])
    ratio = results["macs_per_image"]["flat_equal_compute_ratio"]
    if not verdict.is_equal_compute(ratio):
        compared["flat_equal_compute"] = NOT_EVALUATED
    outcomes = {entry["outcome"] for entry in compared.values() if entry != NOT_EVALUATED}
    worst = next((name for name in _OUTCOMES if name in outcomes), NOT_EVALUATED)
    is_half = worst == "better" and compared["flat_equal_compute"] == NOT_EVALUATED
    return _HEADLINES["only flat" if is_half else worst]


def cards(results: Mapping[str, object]) -> list[Card]:
    """Returns a card per system, in the figures' order; strips of all have one scale."""
    intervals = {name: _interval(results, name) for name in SHOWN}
    known = [end for interval in intervals.values() if interval for end in interval]
    known += [value for value in _top1(results).values() if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    margin = _STRIP_MARGIN * (high - low) or 0.01
    low, width = low - margin, high - low + 2 * margin
    return [
        _card(results, name, intervals[name], place=lambda share: 100 * (share - low) / width)
        for name in SHOWN
    ]


def per_superclass(results: Mapping[str, object]) -> Table:
    """Returns the table of superclasses; the best system that can be run stands out."""
    stage1_form, stage1 = summary.stage1_form(results)
    systems = [name for name in SHOWN if results["top1"][name] != NOT_EVALUATED]
    rows = []
    for name, row in results["per_superclass"].items():
        runnable = [_number(row[system]) for system in systems if system not in _BOUNDS]
        best = max((value for value in runnable if value is not None), default=None)
        cells = [
            Cell(
                tables.percent(row[system]),
                _number(row[system]),
                is_best=system not in _BOUNDS and best is not None and row[system] == best,
            )
            for system in systems
        ]
        rows.append(
            [
                Cell(name, name),
                _count(row["num_subclasses"]),
                _count(row["num_examples"]),
                Cell(tables.percent(row[stage1]), _number(row[stage1])),
                *cells,
            ]
        )
    header = ["superclass", "subclasses", "images", f"stage 1 ({stage1_form})"]
    told = "Top-1 in % on the images of each superclass. Bold: the best system that can be run."
    return Table(told, [*header, *(SYSTEMS[name].label for name in systems)], rows)


def costs(results: Mapping[str, object]) -> Table:
    """Returns the table of what each system takes to train, keep and run."""
    rows = []
    for name in SHOWN:
        if name in _BOUNDS or results["top1"][name] == NOT_EVALUATED:
            continue
        sizes = results["sizes"]["systems"][name]
        rows.append(
            [
                Cell(SYSTEMS[name].label, SYSTEMS[name].label),
                _shown(results["macs_per_image"][_MACS[name]], tables.millions),
                _shown(results["training_passes"][name], tables.passes),
                _shown(sizes["at_once"], tables.file_size),
                _shown(sizes["on_disk"], tables.file_size),
            ]
        )
    told = (
        "MACs of an image; passes over the training images behind a decision; bytes of the files "
        "needed at the same time, and of all. Hard and soft are int8, the others float32."
    )
    return Table(told, ["system", "MACs/image", "passes", "files at once", "on disk"], rows)


def sizes(results: Mapping[str, object]) -> Table:
    """Returns the table of what each sub network takes as a delta."""
    all_sizes = results["sizes"]
    rows = []
    for name, row in [*all_sizes["per_superclass"].items(), ("mean", all_sizes)]:
        rows.append(
            [
                Cell(name, name),
                _shown(row["fp32_network"], tables.file_size),
                _shown(row["fp16_7z"], tables.file_size),
                _shown(row["size_ratio"]["fp16_7z"], tables.ratio),
                _shown(row["int8_network"], tables.file_size),
                _shown(row["int8_delta"], tables.file_size),
                _shown(row["size_ratio"]["int8_delta"], tables.ratio),
            ]
        )
    told = (
        "Whole files, headers included. A ratio is compressed / original, so smaller is better: "
        "fp16 + 7z of the float32 network, the int8 delta of the int8 network."
    )
    header = ["sub network", "fp32", "fp16 + 7z", "of fp32", "int8", "int8 delta", "of int8"]
    return Table(told, header, rows)


def _card(results, name, interval, *, place) -> Card:
    accuracy = _top1(results)[name]
    is_known = accuracy is not None
    if interval:
        told = "95 %: " + " to ".join(tables.percent(end) for end in interval)
    else:
        told = "interval: " + NOT_EVALUATED if is_known else ""
    low, high = (place(end) for end in interval) if interval else (None, None)
    note = "a bound" if name in _BOUNDS else ""
    ratio = results["macs_per_image"]["flat_equal_compute_ratio"]
    if name == "flat_equal_compute" and is_known and not verdict.is_equal_compute(ratio):
        note = f"no: {ratio:.2f}x that of two stages"
    return Card(
        label=SYSTEMS[name].label,
        color=SYSTEMS[name].color,
        accuracy=tables.percent(accuracy) if is_known else NOT_EVALUATED,
        interval=told,
        note=note,
        low=low,
        middle=place(accuracy) if is_known else None,
        high=high,
    )


def _top1(results: Mapping[str, object]) -> dict[str, float | None]:
    return {name: _number(results["top1"][name]) for name in SHOWN}


def _interval(results: Mapping[str, object], system: str) -> tuple[float, float] | None:
    """Returns the ends of a system's interval; None if there is none."""
    interval = results["intervals"].get(system, NOT_EVALUATED)
    return None if isinstance(interval, str) else tuple(interval)


def _number(value: float | str) -> float | None:
    """Returns a measurement; None for "not evaluated" and "undefined"."""
    return None if isinstance(value, str) else value


def _count(value: int) -> Cell:
    return Cell(f"{value:,}", value)


def _shown(value: float | str, show) -> Cell:
    return Cell(show(value), _number(value))
