"""Where errors come from: one bar per system, as long as its error, cut into causes."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ss_tf.report import style

# Cause -> what to call it, colour, hatch; from the wrong subclass, which no other routing can
# mend, to the wrong superclass. The same colours as in the confusion of superclasses: what stays
# inside the superclass is mild, what leaves it severe.
CAUSES = {
    "sub_only": ("right superclass, wrong subclass", "#FCE5B0", ""),
    "routing_only": ("wrong superclass, oracle is right", style.VERMILLION, ""),
    "both": ("wrong superclass, oracle is wrong, too", style.VERMILLION, "///"),
    "across": ("wrong superclass", style.VERMILLION, "xx"),
}
# Inches.
_ROW, _AROUND = 0.36, 1.15
# Narrower parts, as a share of the longest bar, have no room for their number.
_NARROWEST = 0.06


@style.drawing
def draw(budgets: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draws what each system decides wrong, in percent of all images.

    Args:
      budgets: system -> cause (of `CAUSES`) -> share of all images in [0, 1]. The causes of a
        system do not overlap, so their sum is its error. "routing_only" and "both" divide
        "across", which stands for both where no oracle exists, as for a flat network.

    Raises:
      ValueError: if a cause is unknown.
    """
    unknown = {cause for parts in budgets.values() for cause in parts} - set(CAUSES)
    if unknown:
        raise ValueError(f"Got the causes {sorted(unknown)}, expected some of {list(CAUSES)}.")
    systems = [system for system in style.SYSTEMS if system in budgets]
    figure = Figure(figsize=(style.PAGE_WIDTH, _ROW * len(systems) + _AROUND))
    axes = figure.add_subplot()
    longest = 100 * max(sum(parts.values()) for parts in budgets.values())
    for row, system in enumerate(systems):
        left = 0.0
        for cause, (_, color, hatch) in CAUSES.items():
            width = 100 * budgets[system].get(cause, 0.0)
            if not width:
                continue
            axes.barh(row, width, 0.66, left, color=color, hatch=hatch, edgecolor="white")
            if width > _NARROWEST * longest:
                _write(axes, left + width / 2, row, width, background=color, is_hatched=bool(hatch))
            left += width
        axes.annotate(
            _told(budgets[system]),
            (left, row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(systems)), [style.SYSTEMS[system].label for system in systems])
    axes.set_ylim(len(systems) - 0.5, -0.5)
    axes.set_xlim(0, 1.6 * max(longest, 1e-9))
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("images decided wrong, %")
    used = [cause for cause in CAUSES if any(parts.get(cause) for parts in budgets.values())]
    handles = [
        Patch(facecolor=color, hatch=hatch, edgecolor="white", label=label)
        for label, color, hatch in (CAUSES[cause] for cause in used)
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=2, columnspacing=1.5)
    return figure


def _told(parts: Mapping[str, float]) -> str:
    """Returns what stands behind a bar: its length, and how much of it is severe."""
    total, mild = (100 * share for share in (sum(parts.values()), parts.get("sub_only", 0.0)))
    return f"{total:.2f}, of which {total - mild:.2f} wrong superclass"


def _write(axes, x, y, percent, *, background, is_hatched):
    """Writes a number into a part of a bar; a hatch leaves room for it."""
    box = {"color": background, "pad": 1.0} if is_hatched else None
    color = style.text_color(background)
    axes.text(x, y, f"{percent:.1f}", ha="center", va="center", fontsize=8, color=color, bbox=box)
