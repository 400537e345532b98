"""The paper's Figure 2: which superclasses are taken for which, in percent, in colours of meaning.

The colours: *right* is an image whose superclass is decided right, whatever its subclass. A wrong
superclass is *mild* where less than 2 % of the images of the true superclass go there, *severe*
from 2 % on: of the smallest superclass of Superclassing ImageNet these are 6 of 300 images, a habit
and no accident. A white cell has no image.
"""

from __future__ import annotations

import enum

import numpy as np
from matplotlib import colors
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.report import style

# Percent of the images of a superclass.
SEVERE_PERCENT = 2.0
# Up to that many superclasses, every cell shows its number with a decimal.
_MOST_WITH_DECIMALS = 16
# Inches.
_CELL, _SMALL_CELL, _NAMES, _WRONG_SUBCLASS, _LETTER = 0.43, 0.27, 1.4, 1.2, 0.08


class Meaning(enum.IntEnum):
    """What a cell says."""

    NONE = 0
    RIGHT = 1
    MILD = 2
    SEVERE = 3


COLORS = {
    Meaning.NONE: "#FFFFFF",
    Meaning.RIGHT: style.BLUE,
    Meaning.MILD: "#FCE5B0",
    Meaning.SEVERE: style.VERMILLION,
}
_LABELS = {
    Meaning.RIGHT: "right",
    Meaning.MILD: f"mild: below {SEVERE_PERCENT:g} %",
    Meaning.SEVERE: f"severe: {SEVERE_PERCENT:g} % or more",
}


def row_percent(counts: np.ndarray) -> np.ndarray:
    """Returns each count in percent of its row: float64, nan in a row without images.

    Args:
      counts: int `[k, k]`, images by true superclass (row) and decided superclass (column).
    """
    totals = counts.sum(axis=1, keepdims=True)
    return np.where(totals > 0, 100 * counts / np.maximum(totals, 1), np.nan)


def meanings(percent: np.ndarray) -> np.ndarray:
    """Returns the `Meaning` of each cell of a matrix in percent, as int64 of the same shape."""
    wrong = np.where(percent >= SEVERE_PERCENT, Meaning.SEVERE, Meaning.MILD)
    found = np.where(np.eye(len(percent), dtype=bool), Meaning.RIGHT, wrong)
    return np.where(percent > 0, found, Meaning.NONE).astype(np.int64)


def wrong_subclass_percent(
    decided: np.ndarray, true: np.ndarray, superclass_map: SuperclassMap
) -> np.ndarray:
    """Returns how many images have the right superclass and a wrong subclass.

    Args:
      decided: int `[n]`, labels.
      true: int `[n]`, labels.
      superclass_map: the partition.

    Returns:
      float64 `[num_superclasses]`, percent of the images of each true superclass; nan where there
      are none.
    """
    superclasses = np.asarray(superclass_map.superclass_of_label)
    inside = (decided != true) & (superclasses[decided] == superclasses[true])
    size = superclass_map.num_superclasses
    totals = np.bincount(superclasses[true], minlength=size)
    counts = np.bincount(superclasses[true], weights=inside, minlength=size)
    return np.where(totals > 0, 100 * counts / np.maximum(totals, 1), np.nan)


@style.drawing
def draw(
    counts: np.ndarray,
    names: tuple[str, ...],
    *,
    title: str,
    wrong_subclass: np.ndarray | None = None,
) -> Figure:
    """Draws a confusion matrix of superclasses.

    Args:
      counts: int `[k, k]`, images by true superclass (row) and decided superclass (column).
      names: of the `k` superclasses.
      title: says whose decisions these are.
      wrong_subclass: float `[k]` as `wrong_subclass_percent` returns it, drawn beside the rows;
        None for a network that decides superclasses alone.

    Raises:
      ValueError: if the shapes do not pair up.
    """
    size = len(names)
    if counts.shape != (size, size):
        raise ValueError(f"Counts have shape {counts.shape}, expected {(size, size)}.")
    cell = _CELL if size <= _MOST_WITH_DECIMALS else _SMALL_CELL
    # Few cells leave room for the legend and the title all the same.
    width, height = max(cell * size, 2.4), max(cell * size, 1.2)
    beside = 0 if wrong_subclass is None else _WRONG_SUBCLASS
    figure = Figure(figsize=(width + _NAMES + beside + 0.3, height + _NAMES + 0.7))
    if wrong_subclass is None:
        matrix = figure.add_subplot()
    else:
        matrix, bars = figure.subplots(1, 2, sharey=True, width_ratios=[width, beside])
    shown = [style.short(name) for name in names]
    _draw_matrix(matrix, row_percent(counts), shown, cell_width=width / size)
    if wrong_subclass is not None:
        _draw_bars(bars, wrong_subclass)
    figure.suptitle(title, x=0.02, ha="left")
    handles = [Patch(facecolor=COLORS[meaning], label=label) for meaning, label in _LABELS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, columnspacing=1.2)
    return figure


def _draw_matrix(axes: Axes, percent: np.ndarray, names: list[str], *, cell_width: float) -> None:
    """Draws the cells, `cell_width` inches wide, their numbers, and names of rows and columns."""
    size = len(names)
    classes = meanings(percent)
    cells = colors.ListedColormap([COLORS[meaning] for meaning in Meaning])
    axes.pcolormesh(
        np.arange(size + 1) - 0.5,
        np.arange(size + 1) - 0.5,
        classes,
        cmap=cells,
        vmin=0,
        vmax=len(Meaning) - 1,
        edgecolors="#E4E4E4",
        linewidth=0.4,
    )
    has_decimals = size <= _MOST_WITH_DECIMALS
    for row, column in np.argwhere(classes != Meaning.NONE):
        meaning = Meaning(classes[row, column])
        if meaning == Meaning.MILD and not has_decimals:
            continue
        axes.text(
            column,
            row,
            _number(percent[row, column], has_decimals=has_decimals),
            ha="center",
            va="center",
            fontsize=8,
            color=style.text_color(COLORS[meaning]),
        )
    does_fit = _LETTER * max(map(len, names)) < cell_width
    axes.set_xticks(range(size), names, rotation=0 if does_fit else 90)
    axes.set_yticks(range(size), names)
    axes.set_ylim(size - 0.5, -0.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("decided superclass, % of a row")
    axes.set_ylabel("true superclass")


def _draw_bars(axes: Axes, percent: np.ndarray) -> None:
    """Draws the share of wrong subclasses inside the right superclass, beside each row."""
    rows = np.flatnonzero(~np.isnan(percent))
    axes.barh(rows, percent[rows], height=0.62, color="#BBBBBB")
    for row in rows:
        axes.annotate(
            _number(percent[row], has_decimals=True),
            (percent[row], row),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_xlim(0, 1.75 * max(1.0, percent[rows].max(initial=0)))
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0, labelleft=False)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("right superclass,\nwrong subclass, %")


def _number(percent: float, *, has_decimals: bool) -> str:
    """Returns what a cell shows; what is there is never 0."""
    if not has_decimals:
        return f"{percent:.0f}"
    return "<0.1" if 0 < percent < 0.05 else f"{percent:.1f}"
