r"""Measures size and accuracy of float deltas over their step, beside the paper's.

    python benchmarks/float_delta.py --run_dir runs/typefaces_resnet18 \
        --json docs/results/float_delta.json

The run is a trained one. Its float sub networks are stored relative to the float form of its base,
restored, and run as stage 2: the float stage 1 decides the superclass, so a loss is that of the
sub networks alone. Rows:

  ours NUMBER     `ss_tf.deltas.float_delta` with that relative step.
  plain NUMBER    what is usually done: a step of NUMBER standard deviations of the delta's channel,
                  each weight rounded for itself.
  fp16_7z         the paper's: the difference in fp16, compressed by 7-Zip.

`ratio` is the mean over the superclasses of the bytes of a delta, all headers counted, over those
of the network's fp32 file. `loss` is in points of two-stage top-1, against the networks as they
were trained, and `changed` the percentage of images that get another label than from those. Many
change back and forth, and how many do says how far a loss is luck: its standard deviation is about
10 * sqrt(changed / images) points. The key numbers are those of the largest step that, like all
smaller ones, loses at most 0.1 points on minival.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import platform
import shlex
import statistics
import sys
from collections.abc import Callable, Mapping

import numpy as np
import tqdm
from absl import flags

# Without this, a checkout that is not installed would not be found.
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from ss_tf import files, run_flags
from ss_tf.data import catalog
from ss_tf.deltas import float_coding, float_delta, sizes
from ss_tf.evaluation import bounds, provenance
from ss_tf.evaluation.gather import stage1_network
from ss_tf.evaluation.predictions import Predictor
from ss_tf.evaluation.stored_predictions import superclasses_with_sub
from ss_tf.models import heads, int8_grid, integer_network, variables
from ss_tf.models.resnet import build_resnet
from ss_tf.routing.probabilities import superclass_probabilities
from ss_tf.routing.sub_logits import SubLogits
from ss_tf.training.run_dir import RunDir, sub

_STEPS = (1, 0.7, 0.5, 0.35, 0.25, 0.18, 0.125)
_PLAIN_STEPS = (4, 2, 1, 0.5, 0.25, 0.125)
_MOST_POINTS_LOST = 0.1

Weights = dict[str, np.ndarray]


class TwoStages:
    """Two-stage inference of a run with float sub networks of any weights.

    Attributes:
      base: float weights of the network that deltas are relative to.
      subs: superclass name -> float weights of its sub network, as trained.
      file_bytes: superclass name -> size of the file of that network.
    """

    def __init__(self, config, run: RunDir):
        """Decides the superclass of all images."""
        dataset = catalog.load(config.data)
        run.check_data(dataset)
        self._map = dataset.superclass_map
        self._splits = {"minival": dataset.minival, "validation": dataset.validation}
        model = build_resnet(
            config.model,
            num_classes=self._map.num_labels,
            image_size=config.data.image_size,
            channels=dataset.channels,
        )
        self._predictor = Predictor(
            model,
            dataset,
            image_size=config.data.image_size,
            batch_size=config.flat_fit.batch_size,
        )
        self.base = int8_grid.float_weights(integer_network.load(run.int8_file(config.base)))
        paths = {n: run.float_file(sub(n)) for n in superclasses_with_sub(self._map).values()}
        self.subs = {name: files.read_tensors(path)[0] for name, path in paths.items()}
        self.file_bytes = {name: path.stat().st_size for name, path in paths.items()}
        stage1, _ = files.read_tensors(run.float_file(stage1_network(config)))
        self._decided = self._decide(stage1, kind=stage1_network(config))

    def labels(self, subs: Mapping[str, Weights]) -> dict[str, np.ndarray]:
        """Returns split -> label decided for each image, with these sub networks."""
        labels = {}
        for split, examples in self._splits.items():
            decided, logits = self._decided[split], {}
            for superclass, name in superclasses_with_sub(self._map).items():
                indices = np.flatnonzero(decided == superclass)
                rows = self._logits(subs[name], examples.select(indices), title=f"{split} {name}")
                logits[superclass] = SubLogits(indices, rows)
            labels[split] = bounds.two_stage_labels(decided, logits, self._map)
        return labels

    def points(self, labels: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Returns split -> top-1 in percent."""
        return {name: _percent(labels[name] == x.labels) for name, x in self._splits.items()}

    def _decide(self, weights: Weights, *, kind: str) -> dict[str, np.ndarray]:
        decided = {}
        for split, examples in self._splits.items():
            logits = self._logits(weights, examples, title=f"{split} {kind}")
            probabilities = superclass_probabilities(logits, self._map, base_kind=kind)
            decided[split] = probabilities.argmax(axis=1)
        return decided

    def _logits(self, weights: Weights, examples, *, title: str) -> np.ndarray:
        predictor = self._predictor
        variables.assign(predictor.model, heads.resize(weights, predictor.width))
        return predictor.logits(examples, num_classes=len(weights["fc/bias"]), title=title)


def ours(base: Weights, network: Weights, relative_step: float) -> tuple[int, Weights]:
    """Returns the bytes of a delta, and the network that they give."""
    data = float_coding.encode(float_delta.quantize(base, network, relative_step=relative_step))
    return len(data), float_delta.restore(base, float_coding.decode(data, base=base))


def plain(base: Weights, network: Weights, relative_step: float) -> tuple[int, Weights]:
    """Does the same with each weight rounded for itself, to steps that the delta's spread gives."""
    steps, exponents, restored = {}, {}, dict(network)
    for name in float_delta.kernel_names(base):
        difference = network[name] - base[name]
        step = np.maximum(relative_step * difference.std((0, 1, 2)), np.abs(difference).max() / 127)
        step = np.maximum(step, np.finfo(np.float32).tiny).astype(np.float32)
        steps[name] = np.rint(difference / step).astype(np.int8)
        # As many bytes as steps of float32 have.
        exponents[name] = step.view(np.int8)
        restored[name] = base[name] + steps[name] * step
    exact = {name: tensor for name, tensor in network.items() if name not in steps}
    return len(float_coding.encode(float_delta.FloatDelta(steps, exponents, exact))), restored


def fp16_7z(base: Weights, network: Weights) -> tuple[int, Weights]:
    """Does the same with the paper's delta."""
    restored = {}
    for name, tensor in network.items():
        start = 0 if integer_network.is_head(name) else base[name]
        restored[name] = (start + (tensor - start).astype(np.float16)).astype(np.float32)
    return sizes.fp16_7z_bytes(base, network), restored


def measure(stages: TwoStages, *, steps: list[float], plain_steps: list[float]) -> dict:
    """Measures all rows; returns what goes into the JSON file."""
    trained = stages.labels(stages.subs)
    forms = {f"ours {step:g}": lambda b, n, s=step: ours(b, n, s) for step in steps}
    forms |= {f"plain {step:g}": lambda b, n, s=step: plain(b, n, s) for step in plain_steps}
    forms["fp16_7z"] = fp16_7z
    rows = {}
    for title, form in tqdm.tqdm(forms.items(), desc="Measuring"):
        rows[title] = _row(stages, form, trained=trained)
        print(_line(title, rows[title]), flush=True)
    chosen = choose({step: rows[f"ours {step:g}"] for step in steps})
    best = rows.get(f"ours {chosen:g}") if chosen else None
    return {
        "float_ratio_mean": best and best["ratio"],
        "float_accuracy_loss_points": best and best["loss"]["validation"],
        "relative_step": chosen,
        "fp16_7z_ratio_mean": rows["fp16_7z"]["ratio"],
        "top1_percent": stages.points(trained),
        "rows": rows,
    }


def choose(rows: Mapping[float, Mapping]) -> float | None:
    """Returns the step of the key numbers, None if the smallest loses too much on minival."""
    chosen = None
    for step in sorted(rows):
        if rows[step]["loss"]["minival"] > _MOST_POINTS_LOST:
            break
        chosen = step
    return chosen


def _row(stages: TwoStages, form: Callable, *, trained: Mapping[str, np.ndarray]) -> dict:
    done = {name: form(stages.base, network) for name, network in stages.subs.items()}
    ratios = {name: size / stages.file_bytes[name] for name, (size, _) in done.items()}
    labels = stages.labels({name: restored for name, (_, restored) in done.items()})
    before, after = stages.points(trained), stages.points(labels)
    return {
        "ratio": statistics.fmean(ratios.values()),
        "loss": {split: before[split] - after[split] for split in labels},
        "changed": {split: _percent(labels[split] != trained[split]) for split in labels},
        "ratio_by_superclass": ratios,
    }


def _percent(is_so: np.ndarray) -> float:
    return 100 * float(np.mean(is_so))


def _line(title: str, row: Mapping) -> str:
    splits = "  ".join(
        f"{split} {loss:+6.2f} ({row['changed'][split]:.1f} % changed)"
        for split, loss in row["loss"].items()
    )
    return f"{title:12}  ratio {row['ratio']:.4f}  points lost: {splits}"


def main() -> None:
    """Measures, prints, and writes the file that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run_dir", type=pathlib.Path, required=True, help="folder of the run")
    parser.add_argument("--json", type=pathlib.Path, help="file to write the results to")
    parser.add_argument("--steps", type=float, nargs="+", default=_STEPS, help="relative steps")
    parser.add_argument("--plain_steps", type=float, nargs="*", default=_PLAIN_STEPS)
    arguments = parser.parse_args()
    run = RunDir(arguments.run_dir)
    run.superclass_map()  # Refuses a folder that is no run.
    flags.FLAGS(sys.argv[:1])
    run_flags.adopt_run_flags(run.flags_file)
    config = run_flags.run_config()
    if config.base is None:
        parser.error(f"{run.path} has no base that deltas could be relative to.")
    results = measure(
        TwoStages(config, run), steps=arguments.steps, plain_steps=arguments.plain_steps
    )
    results |= {
        "command": shlex.join(["python", *sys.argv]),
        "machine": platform.machine(),
        "versions": provenance.versions(),
    }
    text = json.dumps(results, indent=1)
    print(text)
    if arguments.json:
        files.write_atomically(arguments.json, f"{text}\n".encode())


if __name__ == "__main__":
    main()
