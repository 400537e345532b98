"""The paper's Table 1: subclasses, training and validation images of each superclass."""

from __future__ import annotations

from collections.abc import Mapping

from ss_tf.evaluation import tables
from ss_tf.hierarchy import paper_table_1
from ss_tf.report import paper

_TITLE = (
    "Subclasses and images of each superclass; *train* includes minival, which is held out of it."
)


def markdown(results: Mapping[str, object]) -> str:
    """Returns the table in Markdown, with the paper's numbers beside those of its own data set.

    Args:
      results: of results.json.
    """
    columns = {name: list(column.values()) for name, column in counts(results).items()}
    header = ["superclass", *columns]
    names = list(results["per_superclass"])
    rows = [
        [name, *(f"{column[row]:,}" for column in columns.values())]
        for row, name in enumerate(names)
    ]
    rows.append(["total", *(f"{sum(column):,}" for column in columns.values())])
    return f"{_TITLE}\n\n{tables.markdown(header, rows)}"


def counts(results: Mapping[str, object]) -> dict[str, dict[str, int]]:
    """Returns column -> superclass -> number; a column of the paper has its name in front."""
    per_superclass = results["per_superclass"]
    columns = {
        "subclasses": {name: row["num_subclasses"] for name, row in per_superclass.items()},
        "train": _train(results),
        "validation": {name: row["num_examples"] for name, row in per_superclass.items()},
    }
    rows = paper_table_1.ROWS
    # Another grouping of the same data set has other superclasses.
    if paper.is_its_data(results["dataset"]) and set(per_superclass) == set(rows):
        for part in paper_table_1.Counts._fields:
            columns[f"paper: {part}"] = {name: getattr(rows[name], part) for name in per_superclass}
    return columns


def _train(results: Mapping[str, object]) -> dict[str, int]:
    """Returns superclass -> images that are no validation images."""
    by_split = results["examples_by_superclass"]
    return {
        name: by_split["train"][name] + by_split["minival"][name]
        for name in results["per_superclass"]
    }
