"""All figures of a report: what can be drawn is drawn, and what cannot says so."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from ss_tf.evaluation import metrics
from ss_tf.evaluation.accuracy import Decisions
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.report import (
    delta_histograms,
    drawn_values,
    error_budget,
    paper,
    reliability,
    size_ratios,
    style,
    superclass_accuracy,
    superclass_confusion,
    weight_images,
    weights,
)
from ss_tf.training.run_dir import RunDir

FOLDER = "figures"


class Written(NamedTuple):
    """A figure of a report.

    Attributes:
      title: for people.
      caption: how to read it.
      path: its SVG file, with a PNG file beside it; None where a measurement is missing.
    """

    title: str
    caption: str
    path: pathlib.Path | None


class _Drawn(NamedTuple):
    """The name of a figure's files, what `Written` says of it, and the figure, if there is one."""

    name: str
    title: str
    caption: str
    figure: Figure | None


def write(
    results: Mapping[str, object],
    decisions: Decisions,
    superclass_map: SuperclassMap,
    run: RunDir | None,
    folder: pathlib.Path,
) -> list[Written]:
    """Draws the figures of a report into `folder/figures`; each as PNG and as SVG.

    Files of an earlier report that cannot be drawn now are removed.

    Args:
      results: of results.json.
      decisions: what it was counted from.
      superclass_map: the run's partition.
      run: whose base and bank may be on disk; None leaves the figures of weights out.
      folder: of the report.

    Raises:
      ValueError: naming the file, if the base or the bank is damaged.
    """
    written = []
    # All of them before the first file: a damaged bank leaves the older ones.
    for drawn in list(_draw_all(results, decisions, superclass_map, run)):
        path = folder / FOLDER / drawn.name
        svg = None
        if drawn.figure is not None:
            svg = style.save(drawn.figure, path)[-1]
        else:
            for suffix in style.SUFFIXES:
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        written.append(Written(drawn.title, drawn.caption, svg))
    return written


def _draw_all(
    results: Mapping[str, object],
    decisions: Decisions,
    superclass_map: SuperclassMap,
    run: RunDir | None,
) -> Iterator[_Drawn]:
    """Yields the figures in the order of the report."""
    yield _accuracy(results)
    yield _flat_confusion(decisions, superclass_map)
    yield _stage1_confusion(results, superclass_map)
    yield _error_budget(results)
    yield _reliability(results)
    yield from _weights(results, run)
    yield _size_ratios(results)


def _accuracy(results: Mapping[str, object]) -> _Drawn:
    overall, by_superclass = drawn_values.accuracies(results)
    return _Drawn(
        "accuracy",
        "Accuracy of every system",
        "Marks are top-1, lines intervals of 95 % (Wilson); the oracle is a bound, no system. "
        "Systems err on the same images, so that intervals may overlap where the paired comparison "
        "is clear.",
        superclass_accuracy.draw(overall, by_superclass) if overall else None,
    )


def _flat_confusion(decisions: Decisions, superclass_map: SuperclassMap) -> _Drawn:
    figure = None
    if "flat" in decisions.labels:
        decided = decisions.labels["flat"]
        superclasses = np.asarray(superclass_map.superclass_of_label)
        figure = superclass_confusion.draw(
            metrics.confusion(
                superclasses[decided],
                superclasses[decisions.true],
                num_classes=superclass_map.num_superclasses,
            ),
            superclass_map.superclass_names,
            title="Flat network",
            wrong_subclass=superclass_confusion.wrong_subclass_percent(
                decided, decisions.true, superclass_map
            ),
        )
    return _Drawn(
        "confusion_flat",
        "Superclasses that the flat network confuses",
        _confusion_caption("of the label that the flat network decides"),
        figure,
    )


def _stage1_confusion(results: Mapping[str, object], superclass_map: SuperclassMap) -> _Drawn:
    confusion = results["confusion"]
    figure = None
    if confusion != NOT_EVALUATED:
        figure = superclass_confusion.draw(
            np.asarray(confusion["counts_by_true_then_decided"]),
            superclass_map.superclass_names,
            title=f"Stage 1: {results['stage1']} network, {confusion['stage1']}",
        )
    return _Drawn(
        "confusion_stage1",
        "Superclasses that stage 1 confuses",
        _confusion_caption("that stage 1 decides"),
        figure,
    )


def _confusion_caption(decided: str) -> str:
    severe = superclass_confusion.SEVERE_PERCENT
    return (
        f"Percent of the images of a true superclass (row), by the superclass {decided}: right, "
        f"mild (below {severe:g} %), or severe. White: no image."
    )


def _error_budget(results: Mapping[str, object]) -> _Drawn:
    found = drawn_values.budgets(results)
    return _Drawn(
        "error_budget",
        "Where errors come from",
        "Images that a system decides wrong, by cause. Better routing alone mends those that the "
        "oracle has right.",
        error_budget.draw(found) if any(sum(parts.values()) for parts in found.values()) else None,
    )


def _reliability(results: Mapping[str, object]) -> _Drawn:
    levels = drawn_values.calibrations(results)
    return _Drawn(
        "reliability",
        "How sure systems are, and how often they are right",
        "Each mark is a bin of images of about the same confidence, larger for more images; bins "
        f"of fewer than {reliability.FEWEST_IMAGES} are left out. Below the diagonal a system is "
        "surer than it should be, above it less sure.",
        reliability.draw(levels) if levels else None,
    )


def _weights(results: Mapping[str, object], run: RunDir | None) -> Iterator[_Drawn]:
    base = results["stage1"]
    found = None if run is None else weights.read(run.int8_file(base), run.bank_dir)
    images = histograms = None
    if found is not None:
        images = weight_images.draw(
            found.convolution, found.batch_norm, base=base, superclass=found.superclass
        )
        histograms = delta_histograms.draw(found.delta_counts)
    yield _Drawn(
        "weights",
        "Weights of the base and of a sub network",
        "Above, the filters of a convolution, one square for each input (down) and output channel "
        "(across), in int8 steps; below, its batch norm, each row relative to its largest value.",
        images,
    )
    yield _Drawn(
        "deltas",
        "What the bank stores: deltas of each sub network",
        "How many weights were moved by how many int8 steps, on a logarithmic axis; all kernels "
        "but the head's.",
        histograms,
    )


def _size_ratios(results: Mapping[str, object]) -> _Drawn:
    ratios = drawn_values.ratios(results)
    of_paper = paper.SIZE_RATIO if paper.is_its_data(results["dataset"]) else None
    return _Drawn(
        "size_ratios",
        "Size of the deltas",
        "Whole files, headers included, each against the sub network itself in the same number "
        "format.",
        size_ratios.draw(ratios, paper=of_paper) if ratios else None,
    )
