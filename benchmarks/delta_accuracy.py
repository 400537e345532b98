r"""Measures size and accuracy of int8 deltas over ways to train them.

    python benchmarks/delta_accuracy.py --run_dir runs/typefaces_resnet18 \
        --work_dir runs/delta_accuracy --json docs/results/delta_accuracy.json

The run is a trained one, of `train.py --stage=all`. Its base and its float sub networks are taken
as they are; the quantization-aware phase of all sub networks is trained again, once per row and
seed, in a folder of its own in --work_dir, where an interrupted measurement goes on. Rows:

  free             kernels anywhere on the base's int8 grid: what the others are compared with. As
                   in all rows, weight decay draws them to the base's.
  N bits           --delta_bits=N.
  step N           one step of N (of the largest kernel) for all sub networks, however far each has
                   moved: what --delta_bits is compared with.
  penalty N        --delta_penalty=N on the int8 grid. "norm and head" is a penalty that nothing
                   outweighs, so kernels jump back to the base's, and a short phase has to make up
                   for it.
  N bits, STAGE    --delta_bits=N and --freeze_through=STAGE; the float phase is trained anew, too.
  low rank N       the float kernels' differences from the base's replaced by N singular vectors of
                   each, as a matrix of inputs by filters; then an epoch at learning rate 0, which
                   sets ranges and batch norm. Bytes: the factors in fp16, the rest as in the bank.
  sign and scale   the same with each difference replaced by its sign times its filter's mean size
                   (Liu et al., arXiv 2402.10193). Bytes: a bit a weight, and a scale in fp32.

`ratio` is the mean over superclasses of the bytes of a bank entry, all headers counted, over those
of the sub network's int8 file. `loss` is in points of two-stage top-1 (the int8 base decides the
superclass), against "free" of the same seed; means over the seeds stand first. A seed decides the
order and the augmentation of the images; base and float networks are the same; after the first,
seeds are for the rows of --reseeded_rows. The key numbers are those of --key_row, what the flags'
defaults or the preset give. `chosen` names the smallest row of bits, penalty or both that loses on
minival at most what the goal allows, 0.5 points for a small network and 0.2 for one of full width,
and `within_0.2` the one that 0.2 points would choose: of few images, minival is a coarse judge.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import platform
import shlex
import statistics
import sys
from collections.abc import Collection, Mapping, Sequence

from absl import flags

# Without this, a checkout that is not installed would not be found.
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from delta_training import figure, methods, runs

from ss_tf import files, run_flags
from ss_tf.config import RunConfig
from ss_tf.data import catalog
from ss_tf.evaluation import provenance
from ss_tf.training.run_dir import RunDir

_MOST_POINTS_LOST, _MOST_AT_FULL_WIDTH = 0.5, 0.2


def measure(
    run: RunDir,
    work_dir: pathlib.Path,
    *,
    names: Sequence[str],
    seeds: Sequence[int],
    reseeded: Collection[str],
    most_points_lost: float,
) -> dict[str, object]:
    """Measures the rows of one run; returns what goes into the JSON file."""
    config = _config_of(run)
    dataset = catalog.load(config.data)
    run.check_data(dataset)
    trained: dict[str, list[dict]] = {}
    for seed in seeds:
        for name in names if seed == seeds[0] else [n for n in names if n in reseeded]:
            found = runs.measure(
                config, run, work_dir, dataset=dataset, method=methods.METHODS[name], seed=seed
            )
            trained.setdefault(name, []).append(found)
            print(
                f"{name:16} seed {seed}  {_line(_row([found], [trained['free'][-1]]))}", flush=True
            )
    rows = {name: _row(found, trained["free"]) for name, found in trained.items()}
    return {
        "chosen": choose(rows, most_points_lost=most_points_lost),
        "within_0.2": choose(rows, most_points_lost=0.2),
        "seeds": list(seeds),
        "rows": rows,
    }


def _config_of(run: RunDir) -> RunConfig:
    """Returns the settings of a run."""
    flags.FLAGS.unparse_flags()
    for name in flags.FLAGS:
        flags.FLAGS[name].unparse()
    flags.FLAGS(sys.argv[:1])
    run_flags.adopt_run_flags(run.flags_file)
    return run_flags.run_config()


def choose(rows: Mapping[str, Mapping], *, most_points_lost: float) -> str | None:
    """Returns the smallest row that may be chosen and loses at most so much on minival."""
    good = [
        name
        for name, row in rows.items()
        if methods.METHODS[name].is_choice and row["loss"]["minival"] <= most_points_lost
    ]
    return min(good, key=lambda name: rows[name]["ratio"], default=None)


def _row(found: Sequence[Mapping], free: Sequence[Mapping]) -> dict[str, object]:
    """Returns means over seeds, and the values of each."""
    losses = {
        split: [
            before["top1_percent"][split] - after["top1_percent"][split]
            for before, after in zip(free, found, strict=False)
        ]
        for split in ("minival", "validation")
    }
    return {
        "ratio": statistics.fmean(one["ratio"] for one in found),
        "bits_per_weight": statistics.fmean(one["bits_per_weight"] for one in found),
        "loss": {split: statistics.fmean(values) for split, values in losses.items()},
        "top1_percent": {
            split: statistics.fmean(one["top1_percent"][split] for one in found) for split in losses
        },
        "loss_by_seed": losses,
        "ratio_by_superclass": found[0]["ratio_by_superclass"],
    }


def _line(row: Mapping) -> str:
    shown = "  ".join(
        f"{split} {row['top1_percent'][split]:6.2f} (lost {row['loss'][split]:+5.2f})"
        for split in row["loss"]
    )
    return f"ratio {row['ratio']:.4f}  bits/weight {row['bits_per_weight']:.3f}  {shown}"


def _arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run_dir", type=pathlib.Path, help="a run of the small network")
    parser.add_argument("--full_width_run_dir", type=pathlib.Path, help="one of 64 base filters")
    parser.add_argument("--work_dir", type=pathlib.Path, required=True, help="made if need be")
    parser.add_argument("--rows", nargs="+", default=list(methods.METHODS), metavar="ROW")
    parser.add_argument("--full_width_rows", nargs="+", metavar="ROW", help="default: as --rows")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--full_width_seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--reseeded_rows", nargs="*", default=["free", "1.0 bits"], metavar="ROW")
    parser.add_argument("--key_row", default="1.0 bits", metavar="ROW")
    parser.add_argument("--full_width_key_row", default="0.7 bits", metavar="ROW")
    parser.add_argument("--json", type=pathlib.Path, help="file to write the results to")
    parser.add_argument("--figure", type=pathlib.Path, help="path of a PNG and an SVG, likewise")
    arguments = parser.parse_args()
    arguments.full_width_rows = arguments.full_width_rows or arguments.rows
    named = [arguments.key_row, arguments.full_width_key_row, *arguments.reseeded_rows]
    for name in [*arguments.rows, *arguments.full_width_rows, *named]:
        if name not in methods.METHODS:
            parser.error(f"no row {name!r}, expected any of {', '.join(methods.METHODS)}.")
    return arguments


def main() -> None:
    """Measures, prints, and writes the file that is asked for."""
    arguments, results = _arguments(), {}
    for suffix, run_dir, key, rows, seeds, most in (
        (
            "",
            arguments.run_dir,
            arguments.key_row,
            arguments.rows,
            arguments.seeds,
            _MOST_POINTS_LOST,
        ),
        (
            "_full_width",
            arguments.full_width_run_dir,
            arguments.full_width_key_row,
            arguments.full_width_rows,
            arguments.full_width_seeds,
            _MOST_AT_FULL_WIDTH,
        ),
    ):
        if run_dir is None:
            continue
        found = measure(
            RunDir(run_dir),
            arguments.work_dir / run_dir.name,
            names=list(dict.fromkeys(["free", *rows, key])),
            seeds=seeds,
            reseeded=["free", *arguments.reseeded_rows],
            most_points_lost=most,
        )
        row = found["rows"][key]
        results[f"int8_ratio_mean{suffix}"] = row["ratio"]
        results[f"accuracy_loss_points{suffix}"] = row["loss"]["validation"]
        results[f"details{suffix}"] = found
        if arguments.figure:
            path = arguments.figure.with_stem(arguments.figure.stem + suffix)
            figure.draw(found["rows"], path, title=run_dir.name)
    results |= {
        "command": shlex.join(["python", *sys.argv]),
        "machine": platform.machine(),
        "versions": provenance.versions(),
    }
    if arguments.json:
        files.write_atomically(arguments.json, f"{json.dumps(results, indent=1)}\n".encode())
    print({key: value for key, value in results.items() if not key.startswith("details")})


if __name__ == "__main__":
    main()
