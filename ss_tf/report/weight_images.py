"""The paper's Figure 7, its first part: weights of the base and of a sub network as images."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from ss_tf.report import style
from ss_tf.report.weights import Layer

# Inches.
_HEIGHT = 3.3
# Larger images are cut: their pixels would be smaller than dots of a printer.
_MOST_PIXELS = 192


@style.drawing
def draw(convolution: Layer, batch_norm: Layer, *, base: str, superclass: str) -> Figure:
    """Draws a convolution and a batch norm layer: base, sub network, and their difference.

    Args:
      convolution: in quantization steps. Of a large one the first channels are drawn.
      batch_norm: one row per variable, relative to the largest magnitude of that row.
      base: what the base is, such as "super".
      superclass: whose sub network it is.
    """
    figure = Figure(figsize=(style.PAGE_WIDTH, _HEIGHT))
    rows = figure.subplots(2, 3, height_ratios=[1.9, 1])
    units = ("quantization steps", "of row's largest")
    for axes, layer, unit in zip(rows, (convolution, batch_norm), units, strict=True):
        image = _draw_layer(axes, layer)
        figure.colorbar(image, ax=list(axes), label=unit, pad=0.015, fraction=0.03, aspect=14)
    titles = (f"{base} network", f"sub network: {style.short(superclass)}", "difference")
    for axes, title in zip(rows[0], titles, strict=True):
        axes.set_title(title)
    for axes, layer in zip(rows[:, 0], (convolution, batch_norm), strict=True):
        axes.set_ylabel(layer.name)
    return figure


def _draw_layer(row: np.ndarray, layer: Layer) -> AxesImage:
    """Draws three images on one scale, white at zero; returns the last of them."""
    images = (layer.base, layer.sub, layer.difference)
    largest = max(float(np.abs(image).max(initial=0)) for image in images) or 1.0
    for axes, image in zip(row, images, strict=True):
        drawn = axes.imshow(
            image[:_MOST_PIXELS, :_MOST_PIXELS],
            cmap=style.DIVERGING,
            vmin=-largest,
            vmax=largest,
            aspect="auto",
            interpolation="nearest",
        )
        axes.spines[:].set_visible(True)
        axes.set_xticks([])
        _name_rows(axes, layer, is_first=axes is row[0])
    return drawn


def _name_rows(axes: Axes, layer: Layer, *, is_first: bool) -> None:
    """Names the rows of the first image, if they have names."""
    has_names = is_first and layer.row_names
    names = [name.replace("_", " ") for name in layer.row_names] if has_names else []
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
