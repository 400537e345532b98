"""The sections of report.md on counts, scaling and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.report import figure_set, scaling, style, table_1
from ss_tf.report.figure_set import Written


def markdown(results: Mapping[str, object], figures: Sequence[Written]) -> str:
    """Returns the sections, which stand at the end of a report.

    Args:
      results: of results.json.
      figures: what `figure_set.write` returned for the folder that the report is in.
    """
    scaled = (
        "Larger and deeper flat networks beside the systems of this run. `python -m "
        "ss_tf.report.scaling RUN_DIR...` prints the table of several runs."
    )
    sections = [
        f"## Counts\n\n{table_1.markdown(results)}",
        f"## Scaling\n\n{scaled}\n\n{scaling.markdown({'this': results})}",
        "## Figures",
        *(_figure(figure) for figure in figures),
    ]
    return "".join(f"\n{section}\n" for section in sections)


def _figure(figure: Written) -> str:
    """Returns a figure with its title and caption, or that it was not evaluated."""
    if figure.path is None:
        return f"**{figure.title}**: {NOT_EVALUATED}."
    image = f"{figure_set.FOLDER}/{figure.path.stem}{style.SUFFIXES[0]}"
    vector = f"{figure_set.FOLDER}/{figure.path.name}"
    return f"![{figure.title}]({image})\n\n**{figure.title}** ([SVG]({vector})). {figure.caption}"
