"""The scaling table: does a larger network, or a deeper one, do what two stages do?

`python -m ss_tf.report.scaling RUN_DIR...` prints it for runs that eval.py has evaluated.
"""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Iterator, Mapping, Sequence

from ss_tf.evaluation import results as results_lib
from ss_tf.evaluation import tables
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.report import network_names, paper, style
from ss_tf.training.run_dir import RunDir

# The paper's networks: the first, the large one, and one that is naively deepened. A rival of equal
# compute it does not have.
_WANTED = ("ResNet-18", "ResNet-152", "ResNet-455")
# System -> its entry of `macs_per_image`.
_MACS = {
    "flat": "flat",
    "flat_equal_compute": "flat_equal_compute",
    "vanilla": "two_stage",
    "hard": "two_stage",
    "soft": "two_stage_soft",
}
_HEADER = ("run", "system", "network", "MACs/image", "on disk", "top-1 %", "95 % interval")


def markdown(runs: Mapping[str, Mapping[str, object]]) -> str:
    """Returns the table in Markdown, smallest network first.

    Args:
      runs: title -> results.json of a run. Runs of several data sets do not compare.

    Raises:
      ValueError: if there is no run, or they have several data sets.
    """
    datasets = sorted({results["dataset"] for results in runs.values()})
    if len(datasets) != 1:
        raise ValueError(f"The runs have the data sets {datasets}, expected one for all.")
    is_paper = paper.is_its_data(datasets[0])
    header = [*_HEADER, "paper"] if is_paper else list(_HEADER)
    rows = [row for title, results in _by_compute(runs) for row in _rows(title, results)]
    rows += _missing([results for _, results in _by_compute(runs)])
    return tables.markdown(header, [row if is_paper else row[:-1] for row in rows])


def _by_compute(
    runs: Mapping[str, Mapping[str, object]],
) -> list[tuple[str, Mapping[str, object]]]:
    """Returns the runs in order of the compute of their flat networks."""
    return sorted(runs.items(), key=lambda run: run[1]["macs_per_image"]["flat"])


def _rows(title: str, results: Mapping[str, object]) -> Iterator[list[str]]:
    """Yields a row for each system of a run that was meant to have it."""
    found = network_names.names(results["flags"])
    for system, macs in _MACS.items():
        network = found.second_flat if system == "flat_equal_compute" else found.backbone
        if network is None:
            continue
        yield [
            title,
            style.SYSTEMS[system].label,
            network + found.width,
            tables.millions(results["macs_per_image"][macs]),
            tables.file_size(results["sizes"]["systems"][system]["on_disk"]),
            tables.percent(results["top1"][system]),
            _interval(results, system),
            _paper_cell(system, network),
        ]


def _missing(runs: Sequence[Mapping[str, object]]) -> Iterator[list[str]]:
    """Yields a row for each of the paper's flat networks that no run has."""
    there = {network_names.names(results["flags"]).backbone for results in runs}
    for network in _WANTED:
        if network not in there:
            label = style.SYSTEMS["flat"].label
            yield ["", label, network, "", "", NOT_EVALUATED, "", _paper_cell("flat", network)]


def _interval(results: Mapping[str, object], system: str) -> str:
    """Returns the interval of a system's top-1, in percent."""
    interval = results["intervals"][system]
    if interval == NOT_EVALUATED:
        return NOT_EVALUATED
    return " to ".join(tables.percent(end) for end in interval)


def _paper_cell(system: str, network: str) -> str:
    value = paper.TOP1_PERCENT.get((system, network))
    return "" if value is None else f"{value:.2f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table; exit code 2 and one line if that cannot be."""
    parser = argparse.ArgumentParser(
        prog="python -m ss_tf.report.scaling",
        description="Prints accuracy, compute and size of the systems of several runs.",
    )
    parser.add_argument("runs", nargs="+", type=pathlib.Path, metavar="RUN_DIR")
    options = parser.parse_args(arguments)
    try:
        runs = {str(path): _read(path) for path in options.runs}
        print(markdown(runs))
    except (OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")


def _read(path: pathlib.Path) -> dict[str, object]:
    """Reads the results of a run."""
    file = RunDir(path).report_dir / "results.json"
    if not file.is_file():
        raise ValueError(f"{file} does not exist: run eval.py --run_dir={path} first.")
    return results_lib.read(file)


if __name__ == "__main__":
    main()
