"""Draws memory and time over superclasses, and time over the batch size."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from routing_systems.measure import CACHED, EFFICIENT, FLAT, SHARED, VANILLA
from routing_systems.mixes import EVEN

# Okabe and Ito's colours, told apart by the colour-blind; the marks, in print.
_LINES = {
    EFFICIENT: ("#0072B2", "o"),
    CACHED: ("#CC79A7", "v"),
    SHARED: ("#009E73", "^"),
    VANILLA: ("#D55E00", "s"),
    FLAT: ("#000000", "x"),
}
_MIB = 2**20


def draw(drawn: Mapping, path: pathlib.Path) -> None:
    """Writes a PNG, and an SVG beside it, of what `cases.drawn` measured."""
    growth = drawn["growth"]
    speed = [row for row in drawn["speed"] if row["mix"] == EVEN]
    figure, (memory, grown, batches) = plt.subplots(
        1, 3, figsize=(12, 3.8), width_ratios=(1.2, 1, 1.1), layout="constrained"
    )
    _memory(memory, growth, fp32_bytes=drawn["fp32_bytes"])
    counts = [row["superclasses"] for row in growth]
    color, marker = _LINES[EFFICIENT]
    grown.plot(counts, [row["ms_per_image"] for row in growth], color=color, marker=marker)
    title = f"Time in batches of {max(row['batch'] for row in speed)}, even mix"
    grown.set(title=title, xlabel="superclasses", ylabel="ms per image")
    grown.set_ylim(bottom=0)
    for name, (color, marker) in _LINES.items():
        points = [(row["batch"], row["ms_per_image"][name]) for row in speed]
        batches.plot(*zip(*points, strict=True), color=color, marker=marker, label=name)
    ticks = [row["batch"] for row in speed]
    batches.set_xscale("log", base=2)
    batches.set_xticks(ticks, [str(tick) for tick in ticks])
    batches.set(title="Time by batch size, even mix", xlabel="images a call", ylabel="ms per image")
    batches.set_ylim(bottom=0)
    batches.legend(fontsize=8)
    for axes in (memory, grown, batches):
        axes.grid(color="0.9")
        axes.set_axisbelow(True)
    for suffix in (".png", ".svg"):
        # No date and fixed identifiers: the same rows give the same bytes.
        plt.rcParams["svg.hashsalt"] = "routing"
        metadata = {"Date": None} if suffix == ".svg" else None
        figure.savefig(path.with_suffix(suffix), dpi=150, metadata=metadata)
    plt.close(figure)


def _memory(axes, growth: Sequence[Mapping], *, fp32_bytes: int) -> None:
    counts = [row["superclasses"] for row in growth]
    lines = {
        "vanilla: weights": [(count + 1) * fp32_bytes for count in counts],
        "efficient: peak, loading too": [row["peak_bytes"] for row in growth],
        "efficient: peak of single images": [row["serving_peak_bytes"]["1"] for row in growth],
        "efficient: weights": [sum(row["weight_bytes"].values()) for row in growth],
    }
    styles = (("#D55E00", "s"), ("#56B4E9", "v"), ("#E69F00", "D"), ("#0072B2", "o"))
    for (label, values), (color, marker) in zip(lines.items(), styles, strict=True):
        mebibytes = [value / _MIB for value in values]
        axes.plot(counts, mebibytes, color=color, marker=marker, label=label)
    axes.set_yscale("log")
    top = axes.get_ylim()[1]
    # Room for the legend.
    axes.set_ylim(top=10 * top)
    ticks = [tick for tick in (10, 30, 100, 300, 1000, 3000) if tick < top]
    axes.set_yticks(ticks, [str(tick) for tick in ticks])
    axes.set_yticks([], minor=True)
    axes.set(title="Memory", xlabel="superclasses", ylabel="MiB")
    axes.legend(fontsize=8, loc="upper left")
