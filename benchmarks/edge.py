r"""Measures bundles for devices: size, speed of switches, and memory, in LiteRT on the CPU.

    python benchmarks/edge.py --run_dir runs/typefaces_resnet18 --json docs/results/edge.json

Networks: a ResNet-18 of full width, 224 pixels, ten superclasses of a hundred classes, drawn at
random, whose sub networks differ by about as much as trained ones of that width (those of
benchmarks/routing.py); and, with --run_dir, those of trained runs. They are exported as a user
would, with export.py. Eleven conversions of full width take some minutes; --work_dir keeps them.

Compared with: the eleven full int8 .tflite files, each in an interpreter of its own that stays.
Both have a process to themselves, with numpy and LiteRT alone, and two threads; speed is measured
with one, too, which is a classifier's default.

A switch is all that lies between the wish for a sub network that is not live and one that is ready
to run: its delta is read, checked and inflated, the network made and checked, and given a new
interpreter, which packs its weights. Of the networks before, the base stays and one goes.

Memory is the peak of the resident pages of a process, files that it maps included, above what it
was after its imports; of loading, and of answers for every superclass, twice.
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
from edge_systems import bundles, measure, tables
from routing_systems import runs

from ss_tf import files
from ss_tf.edge.bundle import Bundle
from ss_tf.evaluation import provenance

_DRAWN = "drawn"


def drawn_run(work_dir: pathlib.Path, shape: runs.Shape) -> pathlib.Path:
    """Returns the folder of a drawn run, made if need be: as benchmarks/routing.py has it."""
    folder = runs.drawn_dir(work_dir, shape)
    folder.mkdir(parents=True, exist_ok=True)
    body = runs.kept_body(folder, shape)
    runs.write(folder / "plain", body, shape, superclasses=shape.superclasses)
    return folder / "plain"


def of_run(
    name: str, run_dir: pathlib.Path, work_dir: pathlib.Path, *, effort: measure.Effort
) -> dict[str, object]:
    """Measures the networks of a run, and prints what was found under a name."""
    bundle = bundles.export(run_dir, work_dir)
    full_files = bundles.write_full_files(bundle)
    full_dir, names = next(iter(full_files.values())).parent, [*Bundle(bundle).manifest.subs]
    found = {
        "size": bundles.sizes(bundle, full_files),
        "memory": measure.memory(bundle, full_dir, names),
        "speed": measure.speed(bundle, full_dir, names, effort=effort),
        "speed_of_one_thread": measure.speed(bundle, full_dir, names, effort=effort, num_threads=1),
    }
    print(tables.text(name, found), flush=True)
    return found


def summarise(networks: dict[str, dict]) -> dict[str, object]:
    """Returns the numbers that have goals: the larger ratio of sizes, else of drawn networks."""
    drawn = networks[_DRAWN]
    times = ("switch_over_inference", "first_answer_ms", "loaded_answer_ms")
    return {
        "bundle_ratio": max(found["size"]["bundle_ratio"] for found in networks.values()),
        **{key: drawn["speed"][key] for key in times},
        "peak_rss_ratio": drawn["memory"]["peak_rss_ratio"],
        "identical_logits": all(found["memory"]["identical_logits"] for found in networks.values()),
    }


def facts() -> dict[str, object]:
    """Returns what was run, and where."""
    return {
        "command": shlex.join(["python", *sys.argv]),
        "versions": provenance.versions("ai-edge-litert"),
        "threads": measure.THREADS,
        "cores": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
    }


def main() -> None:
    """Measures, prints, and writes the file that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run_dir", type=pathlib.Path, nargs="*", default=[], help="trained runs")
    parser.add_argument("--json", type=pathlib.Path, help="file to write the results to")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each superclass")
    parser.add_argument("--work_dir", type=pathlib.Path, help="where networks are kept")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds is {arguments.rounds}, expected at least 1.")
    effort = measure.Effort(rounds=arguments.rounds)
    with contextlib.ExitStack() as stack:
        temporary = arguments.work_dir or stack.enter_context(tempfile.TemporaryDirectory())
        work_dir = pathlib.Path(temporary)
        work_dir.mkdir(parents=True, exist_ok=True)
        run_dirs = {_DRAWN: drawn_run(work_dir, runs.Shape())}
        run_dirs |= {path.name: path for path in arguments.run_dir}
        networks = {
            name: of_run(name, path, path.parent if name == _DRAWN else work_dir, effort=effort)
            for name, path in run_dirs.items()
        }
    results = summarise(networks)
    print(json.dumps(results, indent=1))
    if arguments.json:
        text = json.dumps({**results, **facts(), "networks": networks}, indent=1)
        files.write_atomically(arguments.json, f"{text}\n".encode())


if __name__ == "__main__":
    main()
