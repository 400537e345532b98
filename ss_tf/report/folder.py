"""The folder of a report: everything in it is computed from predictions.npz."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import jinja2

from ss_tf import files
from ss_tf.evaluation import measure, prediction_file, report, results, summary, thumbnail_file
from ss_tf.evaluation.stored_predictions import StoredPredictions
from ss_tf.report import figure_section, figure_set, page
from ss_tf.training.run_dir import RunDir

RESULTS_FILE = "results.json"
REPORT_FILE = "report.md"
PAGE_FILE = "index.html"


def write(path: pathlib.Path) -> str:
    """Writes the report of stored predictions beside them, without networks and images.

    Args:
      path: a predictions.npz.

    Returns:
      The summary for the terminal: a table, the verdict and the path of the report.

    Raises:
      ValueError: if the file is damaged, or holds less than a report needs; an older report stays.
      OSError: if it cannot be opened.
    """
    predictions = prediction_file.read(path)
    with prediction_file.facts_from(path, jinja2.UndefinedError):
        return _write(predictions, path.parent)


def require(folder: pathlib.Path, systems: Sequence[str]) -> None:
    """Checks that a report has what is asked for.

    Raises:
      ValueError: naming the systems that were not evaluated.
    """
    path = folder / RESULTS_FILE
    top1 = results.read(path)["top1"]
    missing = [system for system in systems if top1[system] == results.NOT_EVALUATED]
    if missing:
        raise ValueError(
            f"--require={','.join(missing)} is {results.NOT_EVALUATED} in {path}, expected a "
            "measurement: train the networks it needs, then evaluate again."
        )


def _write(predictions: StoredPredictions, folder: pathlib.Path) -> str:
    """Writes all files of the report, after all that can fail."""
    measured, decisions = measure.measure(predictions)
    told = f"{summary.text(measured)}\nReport: {folder / REPORT_FILE}\nPage: {folder / PAGE_FILE}"
    text = report.markdown(measured)
    superclass_map = predictions.superclass_map
    figures = figure_set.write(measured, decisions, superclass_map, _run_around(folder), folder)
    text += figure_section.markdown(measured, figures)
    page.write(
        folder / PAGE_FILE,
        measured,
        decisions=decisions,
        keys=predictions.keys,
        superclass_map=superclass_map,
        figures=figures,
        thumbnails=_thumbnails(predictions, folder),
    )
    results.write(measured, folder / RESULTS_FILE)
    files.write_atomically(folder / REPORT_FILE, text.encode())
    return told


def _thumbnails(predictions: StoredPredictions, folder: pathlib.Path) -> dict[int, bytes] | None:
    """Returns the images that evaluation kept beside the predictions; None if there are none."""
    path = folder / thumbnail_file.NAME
    if not path.exists():
        return None
    return thumbnail_file.read(path, digest=predictions.facts["validation_digest"])


def _run_around(folder: pathlib.Path) -> RunDir | None:
    """Returns the run that a report lies in; None if predictions lie elsewhere."""
    run = RunDir(folder.resolve().parent)
    return run if run.map_file.is_file() and folder.name == run.report_dir.name else None
