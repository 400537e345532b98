"""The paper's Figure 7, its second part: how far the weights of each sub network are moved."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from ss_tf.report import style
from ss_tf.report.weights import LARGEST_DELTA

_COLUMNS = 5
# Inches, of one histogram.
_WIDTH, _HEIGHT = style.PAGE_WIDTH / _COLUMNS, 1.15
# Of the weights of a sub network, the share that may lie outside the drawn range.
_OUTSIDE = 1e-3
# Of the weights of a sub network, where the axis begins.
_LEAST_PERCENT = 0.01


@style.drawing
def draw(counts: Mapping[str, np.ndarray]) -> Figure:
    """Draws a histogram of deltas per superclass, all on the same axes.

    Args:
      counts: superclass -> int64 `[509]`, weights that differ by -254..254 steps from the base; at
        least one superclass, and at least one weight in each.
    """
    num_columns = min(_COLUMNS, len(counts))
    num_rows = math.ceil(len(counts) / num_columns)
    # One column alone has room for the words below it.
    width = max(_WIDTH * num_columns, 3.6)
    figure = Figure(figsize=(width, _HEIGHT * num_rows + 0.5))
    panels = figure.subplots(num_rows, num_columns, squeeze=False).flat
    reach = _reach(counts)
    for place, (name, own) in enumerate(counts.items()):
        _draw_one(panels[place], own, name=name, reach=reach)
        is_lowest, is_first = place + num_columns >= len(counts), place % num_columns == 0
        panels[place].tick_params(labelbottom=is_lowest, labelleft=is_first)
    for axes in panels[len(counts) :]:
        axes.set_axis_off()
    figure.supxlabel("delta: sub network minus base, in quantization steps", fontsize=9)
    figure.supylabel("weights, %", fontsize=9)
    return figure


def _draw_one(axes: Axes, counts: np.ndarray, *, name: str, reach: int) -> None:
    """Draws the histogram of one sub network, and says how many weights did not move."""
    share = 100 * counts / counts.sum()
    middle = LARGEST_DELTA
    shown = share[middle - reach : middle + reach + 1]
    axes.stairs(shown, np.arange(-reach - 0.5, reach + 1), fill=True, color=style.BLUE)
    axes.bar([0], share[middle], width=1, color=style.ORANGE)
    axes.set_title(style.short(name, 16), fontsize=8)
    axes.annotate(
        f"{share[middle]:.0f} % zero",
        (0.98, 0.95),
        xycoords="axes fraction",
        ha="right",
        va="top",
        fontsize=8,
    )
    # Most weights do not move at all: on a linear axis one would see nothing else.
    axes.set_yscale("log")
    axes.set_ylim(_LEAST_PERCENT, 1000)
    axes.set_yticks([0.01, 1, 100], ["0.01", "1", "100"])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlim(-reach - 0.5, reach + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))


def _reach(counts: Mapping[str, np.ndarray]) -> int:
    """Returns how many steps to each side are drawn: nearly all weights of each network."""
    reach = 1
    for own in counts.values():
        magnitudes = own[LARGEST_DELTA:].copy()
        magnitudes[1:] += own[:LARGEST_DELTA][::-1]
        beyond = magnitudes.sum() - np.cumsum(magnitudes)
        reach = max(reach, int(np.argmax(beyond <= _OUTSIDE * magnitudes.sum())))
    return reach
