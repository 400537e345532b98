"""Comparison of two evaluated runs, as files in the report of the first."""

from __future__ import annotations

import json
import pathlib

from ss_tf import files
from ss_tf.evaluation import comparison_table, prediction_file, run_comparison
from ss_tf.report import compare_page
from ss_tf.training.run_dir import RunDir


def write(a: pathlib.Path, b: pathlib.Path) -> str:
    """Compares two runs, and writes compared_with_B.json, .md and .html into the report of A.

    Args:
      a, b: folders of runs that eval.py has evaluated. The last parts of their paths name them,
        or the whole paths where these are the same.

    Returns:
      The comparison for the terminal, and the paths of the Markdown file and the page.

    Raises:
      ValueError: if a run has no predictions, they do not compare, or both are one folder.
    """
    if a.resolve() == b.resolve():
        raise ValueError(f"{a} and {b} are the same run, expected two to compare.")
    first, second = (RunDir(path) for path in (a, b))
    predictions = [prediction_file.read(_evaluated(run)) for run in (first, second)]
    with prediction_file.facts_from(f"{a} or {b}"):
        compared = run_comparison.compare(*predictions)
    name_a, name_b = (path.resolve().name for path in (a, b))
    names = {"a": name_a, "b": name_b}
    if name_a == name_b:
        names = {"a": str(a), "b": str(b)}
    path = first.report_dir / f"compared_with_{name_b}.md"
    as_json = json.dumps({**names, **compared}, allow_nan=False, ensure_ascii=False, indent=1)
    files.write_atomically(path.with_suffix(".json"), f"{as_json}\n".encode())
    files.write_atomically(path, comparison_table.markdown(compared, **names).encode())
    page = path.with_suffix(".html")
    compare_page.write(page, compared, **names)
    return f"{comparison_table.text(compared, **names)}\nComparison: {path}\nPage: {page}"


def _evaluated(run: RunDir) -> pathlib.Path:
    """Returns where the predictions of a run are, if it has any."""
    if not run.predictions_file.is_file():
        raise ValueError(
            f"{run.path} has no {run.predictions_file.relative_to(run.path)}, expected a run that "
            f"was evaluated: python eval.py --run_dir={run.path}"
        )
    return run.predictions_file
