r"""Measures two-stage inference: memory and speed of the router, beside vanilla and flat.

    python benchmarks/routing.py --run_dir runs/typefaces_resnet18 \
        --json docs/results/routing.json --figure docs/figures/routing.png

Networks: a ResNet-18 of full width, 224 pixels, ten superclasses of a hundred classes, drawn at
random; its sub networks differ as those do that are trained at 0.7 bits a weight. And, with
--run_dir, those of trained runs. Systems, each in a process of its own, all alive at once and timed
in turns:

  efficient               the router with one int8 network resident and the others as deltas.
  efficient cached        the same with a cache that all sub networks fit into (drawn only).
  efficient shared trunk  efficient where sub networks are the base through layer2 (drawn only).
  vanilla                 the router with all networks resident in float32.
  flat                    one network in float32: vanilla's operations, once.

The base of drawn networks cannot decide as is wished, so it is run, and then others take the place
of its logits, which give the superclasses that are wanted. The rest is hard routing. A run's base
routes by itself. Batches are "even", all superclasses as often, which opens the most, or have the
"shares" of the validation images; of drawn networks, superclass k has 1 / (k + 1) of the first's.

Memory is of the process, above what imports take. Medians are reported; of speeds, the median of
the rounds' ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import platform
import shlex
import sys
import tempfile

# Without this, a checkout that is not installed would not be found.
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from routing_systems import cases, measure, mixes, runs, tables

from ss_tf import files
from ss_tf.evaluation import provenance


def summarise(drawn: dict, of_runs: dict[str, dict]) -> dict[str, object]:
    """Returns the numbers that have goals: of drawn networks, and where it says so, of runs."""
    memory, growth = drawn["memory"], drawn["growth"]
    efficient, vanilla = memory[measure.EFFICIENT], memory[measure.VANILLA]
    largest = max(row["batch"] for row in drawn["speed"])
    (timed,) = (
        row["speed_over"]
        for row in drawn["speed"]
        if row["mix"] == mixes.EVEN and row["batch"] == largest
    )
    serving = [row["serving_peak_bytes"]["1"] for row in growth]
    compared = [drawn["identical"], *(found["identical"] for found in of_runs.values())]
    soft = {name: found["soft_minus_hard_points"] for name, found in of_runs.items()}
    return {
        "resident_bytes_ratio": efficient["weight_bytes"]["networks"] / drawn["fp32_bytes"],
        "peak_rss_ratio": efficient["peak_bytes"] / vanilla["peak_bytes"],
        "memory_per_superclass_ratio": measure.slope(growth, serving) / drawn["int8_bytes"],
        "switch_over_forward": drawn["switch"]["switch_over_forward"],
        "throughput_vs_flat": timed[measure.FLAT][measure.EFFICIENT],
        "throughput_vs_flat_shared_trunk": timed[measure.FLAT][measure.SHARED],
        "throughput_vs_vanilla": timed[measure.VANILLA][measure.EFFICIENT],
        "identical_predictions": all(one["different"] == 0 for one in compared),
        "soft_minus_hard_points": _one_or_all(soft),
    }


def _one_or_all(values: dict[str, object]) -> object:
    """Returns the value of the only run, or by run."""
    if not values:
        return cases.NOT_EVALUATED
    return values if len(values) > 1 else next(iter(values.values()))


def facts() -> dict[str, object]:
    """Returns what was run, and where."""
    return {
        "command": shlex.join(["python", *sys.argv]),
        "versions": provenance.versions(),
        "cores": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
    }


def run(
    run_dirs: list[pathlib.Path],
    work_dir: pathlib.Path,
    *,
    shape: runs.Shape,
    effort: measure.Effort,
) -> dict[str, object]:
    """Measures all, and prints tables; returns what goes into the JSON file."""
    drawn = cases.drawn(shape, work_dir, effort=effort)
    print(tables.text("drawn networks", drawn), flush=True)
    of_runs = {}
    for path in run_dirs:
        of_runs[path.name] = cases.of_run(path, work_dir, effort=effort)
        print(tables.text(path.name, of_runs[path.name]), flush=True)
    return {**summarise(drawn, of_runs), "drawn": drawn, "runs": of_runs}


def main() -> None:
    """Measures, prints, and writes the files that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run_dir", type=pathlib.Path, nargs="*", default=[], help="trained runs")
    parser.add_argument("--json", type=pathlib.Path, help="file to write the results to")
    parser.add_argument("--figure", type=pathlib.Path, help="PNG to draw; an SVG lies beside it")
    parser.add_argument("--rounds", type=int, default=5, help="times that systems take turns")
    parser.add_argument("--work_dir", type=pathlib.Path, help="where drawn networks are kept")
    parser.add_argument("--small", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds is {arguments.rounds}, expected at least 1.")
    shape, effort = runs.Shape(), measure.Effort(rounds=arguments.rounds)
    if arguments.small:
        shape, effort = (
            runs.SMALL,
            measure.Effort(batches=(1, 6), rounds=arguments.rounds, calls=2, repetitions=4),
        )
    with contextlib.ExitStack() as stack:
        work_dir = arguments.work_dir or stack.enter_context(tempfile.TemporaryDirectory())
        pathlib.Path(work_dir).mkdir(parents=True, exist_ok=True)
        results = run(arguments.run_dir, pathlib.Path(work_dir), shape=shape, effort=effort)
    results |= facts()
    details = ("drawn", "runs")
    print(json.dumps({k: v for k, v in results.items() if k not in details}, indent=1))
    if arguments.json:
        text = json.dumps(results, indent=1)
        files.write_atomically(arguments.json, f"{text}\n".encode())
    if arguments.figure:
        from routing_systems import figure  # Needs matplotlib.

        figure.draw(results["drawn"], arguments.figure)


if __name__ == "__main__":
    main()
