"""The paper's Figures 3 and 6: top-1 of every system, on all images and in each superclass."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ss_tf.report import style

# More rows than this stand in several columns.
_MOST_ROWS = 20
# Inches.
_SUPERCLASS_HEIGHT, _SYSTEM_HEIGHT, _MARGIN = 0.44, 0.19, 0.85
# Of the height of a superclass, what its systems' marks take.
_SPREAD = 0.76


class Accuracy(NamedTuple):
    """A share of images decided right, and its interval; all in [0, 1]."""

    share: float
    low: float
    high: float


@style.drawing
def draw(
    overall: Mapping[str, Accuracy],
    by_superclass: Mapping[str, Mapping[str, Accuracy]],
) -> Figure:
    """Draws accuracies as marks with intervals: one row per superclass, one mark per system.

    Args:
      overall: system -> its accuracy on all images. The systems drawn are these, in the order of
        `style.SYSTEMS`.
      by_superclass: superclass -> system -> its accuracy on the images of that superclass, in the
        order of the rows; a superclass without images has no systems.

    Raises:
      ValueError: if there is no system, or a system is unknown.
    """
    systems = _in_order(overall)
    names = list(by_superclass)
    num_columns = max(1, math.ceil(len(names) / _MOST_ROWS))
    num_rows = math.ceil(len(names) / num_columns)
    heights = [_SYSTEM_HEIGHT * (len(systems) + 0.8), _SUPERCLASS_HEIGHT * num_rows]
    width = style.PAGE_WIDTH if num_columns == 1 else 4.4 * num_columns
    figure = Figure(figsize=(width, sum(heights) + _MARGIN))
    grid = figure.add_gridspec(2, num_columns, height_ratios=heights)
    top = figure.add_subplot(grid[0, :])
    _draw_overall(top, systems, overall)
    # A single column below has the same axis.
    top.tick_params(axis="x", labelbottom=num_columns > 1)
    columns = [figure.add_subplot(grid[1, column]) for column in range(num_columns)]
    for column, axes in enumerate(columns):
        own = names[column * num_rows : (column + 1) * num_rows]
        _draw_superclasses(axes, own, systems, by_superclass, num_rows=num_rows)
    limits = _limits([overall, *by_superclass.values()])
    for axes in (top, *columns):
        axes.set_xlim(limits)
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    columns[0].set_title("In each superclass")
    figure.supxlabel("top-1, %, with its interval of 95 %", fontsize=9)
    return figure


def _draw_overall(axes: Axes, systems: Sequence[str], overall: Mapping[str, Accuracy]) -> None:
    """Draws one labelled row per system, which is the legend of the rows below, too."""
    for row, system in enumerate(systems):
        _mark(axes, [overall[system]], [row], system)
        high = 100 * overall[system].high
        axes.annotate(
            f"{100 * overall[system].share:.2f}",
            (high, row),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            bbox={"color": "white", "pad": 0.5},
        )
    axes.set_yticks(range(len(systems)), [style.SYSTEMS[system].label for system in systems])
    axes.set_ylim(len(systems) - 0.4, -0.6)
    axes.set_title("On all images")


def _draw_superclasses(
    axes: Axes,
    names: Sequence[str],
    systems: Sequence[str],
    by_superclass: Mapping[str, Mapping[str, Accuracy]],
    *,
    num_rows: int,
) -> None:
    """Draws one row per superclass; every second one on a faint ground."""
    step = _SPREAD / max(1, len(systems) - 1)
    for row in range(0, len(names), 2):
        axes.axhspan(row - 0.5, row + 0.5, color=style.BAND, linewidth=0, zorder=0)
    for place, system in enumerate(systems):
        offset = (place - (len(systems) - 1) / 2) * step
        there = [row for row, name in enumerate(names) if system in by_superclass[name]]
        accuracies = [by_superclass[names[row]][system] for row in there]
        _mark(axes, accuracies, [row + offset for row in there], system)
    axes.set_yticks(range(len(names)), [style.short(name) for name in names])
    axes.set_ylim(num_rows - 0.5, -0.5)


def _mark(axes: Axes, accuracies: Sequence[Accuracy], y: Sequence[float], system: str) -> None:
    """Draws a mark at each share, and a line along its interval."""
    look = style.SYSTEMS[system]
    axes.hlines(
        y,
        [100 * accuracy.low for accuracy in accuracies],
        [100 * accuracy.high for accuracy in accuracies],
        color=look.color,
        linewidth=1.0,
        alpha=0.7,
    )
    axes.plot(
        [100 * accuracy.share for accuracy in accuracies],
        y,
        marker=look.marker,
        color=look.color,
        markersize=4.8,
        markeredgecolor="white",
        markeredgewidth=0.3,
        linestyle="none",
        label=look.label,
    )


def _in_order(systems: Mapping[str, object]) -> list[str]:
    """Returns the systems in the order of `style.SYSTEMS`."""
    unknown = [name for name in systems if name not in style.SYSTEMS]
    if unknown or not systems:
        raise ValueError(
            f"Got the systems {unknown or 'none'}, expected some of {', '.join(style.SYSTEMS)}."
        )
    return [name for name in style.SYSTEMS if name in systems]


def _limits(groups: Sequence[Mapping[str, Accuracy]]) -> tuple[float, float]:
    """Returns the ends of the axis in percent: all intervals, and room for a number."""
    low = min(accuracy.low for group in groups for accuracy in group.values())
    high = max(accuracy.high for group in groups for accuracy in group.values())
    room = max(1.0, 4 * (high - low))
    return max(0.0, 100 * low - room), min(102.0, 100 * high + room)
