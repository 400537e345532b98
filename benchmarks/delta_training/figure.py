"""Draws accuracy against size, one line per way to train."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Mapping

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

# Okabe and Ito's colours, told apart by the colour-blind; the marks, in print.
_LINES = {
    "bits": ("#0072B2", "o", "bits per weight: each its own step"),
    "step": ("#E69F00", "P", "one step for all"),
    "penalty": ("#D55E00", "s", "L1 penalty"),
    "bits, penalty": ("#CC79A7", "D", "bits and L1 penalty"),
    "bits, layer": ("#009E73", "^", "bits, frozen through"),
    "low rank": ("#56B4E9", "v", "low rank"),
    "sign and scale": ("#000000", "x", "sign and scale"),
    "norm and head": ("#000000", "*", "batch norm and head alone"),
}
_LEAST_POINTS = 10
_NUMBER = re.compile(r"\d[\d.]*")


def draw(rows: Mapping[str, Mapping], path: pathlib.Path, *, title: str) -> None:
    """Writes a PNG and an SVG of the rows of `delta_accuracy.py`."""
    figure, axes = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
    free = rows["free"]
    axes.axhline(free["top1_percent"]["validation"], color="0.5", linestyle="--", linewidth=1)
    axes.plot(free["ratio"], free["top1_percent"]["validation"], "o", color="0.5", label="free")
    for line, (color, marker, label) in _LINES.items():
        names = [name for name in rows if _line_of(name) == line]
        points = sorted((rows[n]["ratio"], rows[n]["top1_percent"]["validation"], n) for n in names)
        if not points:
            continue
        ratios, top1, names = zip(*points, strict=True)
        axes.plot(ratios, top1, color=color, marker=marker, label=label, linewidth=1)
        for point in zip(ratios, top1, names, strict=True):
            axes.annotate(
                ", ".join(_NUMBER.findall(point[2])),
                point[:2],
                # Above the points of the one line that runs along another.
                xytext=(4, 6) if line == "step" else (4, -10),
                textcoords="offset points",
                fontsize=8,
                color=color,
            )
    axes.set_xscale("log")
    ticks = (0.02, 0.05, 0.1, 0.2, 0.5)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    axes.set_xticks([], minor=True)
    axes.set(title=title, xlabel="bank entry / int8 network, mean", ylabel="two-stage top-1, %")
    axes.margins(y=0.08)
    # Differences of a point, which is about the error of one seed, shall look small.
    low, high = axes.get_ylim()
    room = max(0, _LEAST_POINTS - (high - low)) / 2
    axes.set_ylim(low - room, high + room)
    axes.legend(fontsize=8)
    axes.grid(color="0.9")
    for suffix in (".png", ".svg"):
        # No date and fixed identifiers: the same rows give the same bytes.
        plt.rcParams["svg.hashsalt"] = "delta_accuracy"
        metadata = {"Date": None} if suffix == ".svg" else None
        figure.savefig(path.with_suffix(suffix), dpi=150, metadata=metadata)
    plt.close(figure)


def _line_of(name: str) -> str:
    """Returns what is left of a row's name without its numbers."""
    return _NUMBER.sub("", name).strip()
