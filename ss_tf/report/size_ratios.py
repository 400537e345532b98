"""The paper's Figure 7, its third part: how small the delta of each sub network is."""

from __future__ import annotations

import math
from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ss_tf.report import style

# Form of a delta in results.json -> title, colour and hatch.
FORMS = {
    "fp16_7z": ("without QAT: fp16 + 7-Zip / fp32", style.ORANGE, "//"),
    "int8_delta": ("with QAT: int8 delta / int8", style.BLUE, ""),
}
# Inches, of one superclass; and of all that is around the bars.
_ROW, _AROUND = 0.2, 1.1


@style.drawing
def draw(
    ratios: Mapping[str, Mapping[str, float]], *, paper: Mapping[str, float] | None = None
) -> Figure:
    """Draws compressed / original of each sub network, and the means as dashed lines.

    Args:
      ratios: form (of `FORMS`) -> superclass -> size ratio; at least one form, each with the same
        superclasses in the order of the rows.
      paper: form -> the paper's mean, drawn as a dotted line where it is comparable.
    """
    names = list(next(iter(ratios.values())))
    height = _ROW * max(2, len(names)) + _AROUND
    figure = Figure(figsize=(style.PAGE_WIDTH, height))
    panels = figure.subplots(1, len(ratios), sharey=True, squeeze=False)[0]
    for axes, (form, by_name) in zip(panels, ratios.items(), strict=True):
        _draw_form(axes, form, [by_name[name] for name in names], paper=(paper or {}).get(form))
    panels[0].set_yticks(range(len(names)), [style.short(name) for name in names])
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    figure.supxlabel("size of the delta / size of the network", fontsize=9)
    return figure


def mean(values: list[float]) -> float:
    """Returns the mean that is drawn as a dashed line."""
    return math.fsum(values) / len(values)


def _draw_form(axes: Axes, form: str, values: list[float], *, paper: float | None) -> None:
    """Draws the bars of one form with their numbers, and its means."""
    title, color, hatch = FORMS[form]
    bars = axes.barh(
        range(len(values)), values, height=0.7, color=color, hatch=hatch, edgecolor="white"
    )
    axes.bar_label(bars, fmt="%.3f", padding=3, fontsize=8, bbox={"color": "white", "pad": 0.5})
    lines = [(mean(values), "mean", "--")]
    if paper is not None:
        lines.append((paper, "paper", ":"))
    for value, label, dashes in lines:
        label = f"{label} {value:.3f}"
        axes.axvline(value, color=style.DARK, linestyle=dashes, linewidth=1.0, label=label)
    # Between the title and the bars, for the lines may be near each other.
    axes.legend(loc="lower left", bbox_to_anchor=(0, 0.98), ncols=2, borderpad=0, borderaxespad=0.2)
    axes.set_title(title, pad=18)
    axes.set_xlim(0, 1.22 * max(*values, paper or 0.0, 1e-9))
    axes.tick_params(axis="y", length=0)
