"""Reliability diagrams: how often systems are right, against how sure they are; per level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ss_tf.report import style

_HEIGHT = 4.7
# The share of right ones among fewer images says little: such a bin is not drawn.
FEWEST_IMAGES = 10
# A bin of this share of the images, or more, has the largest mark (area in points^2).
_FULL_SHARE, _LARGEST_MARK, _SMALLEST_MARK, _KEY_MARK = 0.25, 42, 7, 24


class Calibration(NamedTuple):
    """How sure a system is, and how often it is right, in bins of its confidence.

    Attributes:
      ece: expected calibration error in [0, 1].
      confidence: mean confidence of each bin, in [0, 1].
      accuracy: share decided right in each bin, in [0, 1].
      count: images in each bin.
    """

    ece: float
    confidence: Sequence[float]
    accuracy: Sequence[float]
    count: Sequence[int]


@style.drawing
def draw(levels: Mapping[str, Mapping[str, Calibration]]) -> Figure:
    """Draws one diagram per level, one line per system; the diagonal is perfect calibration.

    Args:
      levels: level, such as "superclass" -> system -> its calibration; at least one level.
    """
    figure = Figure(figsize=(style.PAGE_WIDTH * max(0.6, len(levels) / 2), _HEIGHT))
    panels, keys = figure.subplots(2, len(levels), height_ratios=[3.1, 1.2], squeeze=False)
    for axes, key, (level, systems) in zip(panels, keys, levels.items(), strict=True):
        axes.plot([0, 100], [0, 100], color=style.GREY, linestyle="--", linewidth=1)
        for system in style.SYSTEMS:
            if system in systems:
                _draw_line(axes, system, systems[system])
        axes.set_title(f"{level} level")
        axes.set_xlim(0, 102)
        axes.set_ylim(0, 102)
        axes.set_aspect("equal")
        axes.grid()
        axes.set_xlabel("confidence, %")
        # Below, for curves may run on either side of the diagonal.
        key.set_axis_off()
        legend = key.legend(
            *axes.get_legend_handles_labels(),
            loc="upper center",
            title="expected calibration error, %",
            title_fontsize=8,
            alignment="left",
        )
        for handle in legend.legend_handles:
            handle.set_sizes([_KEY_MARK])
    panels[0].set_ylabel("decided right, %")
    return figure


def _draw_line(axes: Axes, system: str, calibration: Calibration) -> None:
    """Draws the bins of a system that have enough images; larger marks stand for more of them."""
    look = style.SYSTEMS[system]
    count = np.asarray(calibration.count, np.float64)
    filled = count >= FEWEST_IMAGES
    confidence = 100 * np.asarray(calibration.confidence, np.float64)[filled]
    accuracy = 100 * np.asarray(calibration.accuracy, np.float64)[filled]
    share = count[filled] / max(count.sum(), 1.0)
    area = np.maximum(_SMALLEST_MARK, _LARGEST_MARK * np.minimum(share / _FULL_SHARE, 1.0))
    axes.plot(confidence, accuracy, color=look.color, linewidth=1.1)
    axes.scatter(
        confidence,
        accuracy,
        s=area,
        marker=look.marker,
        color=look.color,
        edgecolors="white",
        linewidths=0.4,
        zorder=3,
        label=f"{look.label}: {100 * calibration.ece:.1f}",
    )
