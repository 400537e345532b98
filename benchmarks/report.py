r"""Measures how long a whole report takes, and its memory, from drawn predictions.

    python benchmarks/report.py --json docs/results/report.json

Draws a predictions.npz of 50,000 images of ImageNet's 1000 classes in 25 superclasses, of a run
on a flat base, which has the most systems, and runs `eval.py --predictions` on it in a process of
its own: all that a user waits for, from the start of Python on. `seconds` is the time of that
process, `cpu_seconds` what its threads computed, `peak_gb` the most memory it had at once,
libraries included. What is drawn has the right
size and shape; the accuracies are made up. Nothing is compared with peers.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import pathlib
import platform
import shlex
import subprocess
import sys
import tempfile
import time

import numpy as np

# Without this, a checkout that is not installed would not be found.
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from ss_tf import files
from ss_tf.evaluation import prediction_file, provenance, systems
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.evaluation.stored_predictions import StoredPredictions
from ss_tf.hierarchy import imagenet_classes
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing.policy import RoutingPolicy
from ss_tf.routing.sub_logits import SubLogits

_ROOT = pathlib.Path(__file__).parents[1]
_SUPERCLASSES = 25
# What is added to the logit of the true class: about as accurate as a ResNet-18.
_SIGNAL = 4.0


def draw(num_images: int, num_classes: int) -> StoredPredictions:
    """Draws predictions of a run on a flat base, with all networks in all forms.

    Args:
      num_images: validation images, 2 or more per class.
      num_classes: labels, a multiple of 25, at most 1000.
    """
    rng = np.random.default_rng(0)
    wnids = [wnid for wnid, _ in imagenet_classes.classes()[:num_classes]]
    per_superclass = num_classes // _SUPERCLASSES
    groups = np.arange(num_classes) // per_superclass
    superclass_map = SuperclassMap(
        superclass_names=tuple(f"superclass_{index:02d}" for index in range(_SUPERCLASSES)),
        label_names=tuple(wnids),
        superclass_of_label=tuple(groups.tolist()),
    )
    labels = rng.integers(0, num_classes, num_images)
    keys = tuple(f"ILSVRC2012_val_{image:08d}.JPEG" for image in range(num_images))
    names = (("flat", "float"), ("flat_equal_compute", "float"), ("flat", "int8"))
    logits = {key: _logits(rng, labels, num_classes) for key in names}
    without_subs = StoredPredictions(
        superclass_map=superclass_map,
        base_kind="flat",
        labels=labels,
        keys=keys,
        logits=logits,
        subs={},
        policy=RoutingPolicy(top_k=2, tau=0.6, base_weight=0.4),
        facts=_facts(superclass_map, num_images),
    )
    subs = {}
    for form in ("float", "int8"):
        reached = systems.reached(without_subs, form)
        subs[form] = {}
        for superclass in range(_SUPERCLASSES):
            rows = np.flatnonzero(reached[:, superclass])
            is_inside = groups[labels[rows]] == superclass
            subclasses = np.where(is_inside, labels[rows] % per_superclass, -1)
            sub = _logits(rng, subclasses, per_superclass)
            subs[form][superclass] = SubLogits(rows, sub)
    return dataclasses.replace(without_subs, subs=subs)


def _logits(rng: np.random.Generator, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns float32 `[n, num_classes]`; a label of -1 is no class."""
    logits = rng.standard_normal((len(labels), num_classes), np.float32)
    known = np.flatnonzero(labels >= 0)
    logits[known, labels[known]] += _SIGNAL
    return logits


def _facts(superclass_map: SuperclassMap, num_images: int) -> dict[str, object]:
    """Returns made-up facts of a run."""
    names = superclass_map.superclass_names
    examples = {"train": 1_000_000, "minival": 10_000, "validation": num_images}
    sizes = {
        "fp32_network": 4_000_000,
        "int8_network": 1_000_000,
        "fp16_7z": 1_800_000,
        "int8_delta": 120_000,
        "int8_delta_entropy": 110_000,
        "size_ratio": {"fp16_7z": 0.45, "int8_delta": 0.12},
    }
    systems = ("stage1", "flat", "flat_int8", "flat_equal_compute", "vanilla", "hard", "soft")
    of_system = {"on_disk": 4_000_000, "at_once": 4_000_000}
    minival = {"top1": 0.7, "sub_networks_per_image": 1.0, "early_exits": 0.0}
    trained = {"float": {"images": 1_000_000, "passes": 1.0}}
    return {
        "command": "drawn by benchmarks/report.py",
        "dataset": "drawn",
        "examples_by_split": examples,
        "examples_by_superclass": {
            split: dict.fromkeys(names, count // len(names))
            for split, count in (
                ("train", 1_000_000),
                ("minival", 10_000),
                ("validation", num_images),
            )
        },
        "flags": [
            "--backbone=resnet18",
            "--resnet_blocks=",
            "--flat_backbone=resnet34",
            "--base_width=64",
            "--sub_init=flat",
        ],
        "minival": {"num_examples": 10_000, "hard": minival, "soft": minival},
        "network_macs": {
            "stage1": 1_800_000_000,
            "flat": 1_800_000_000,
            "flat_equal_compute": 3_700_000_000,
            "subs": dict.fromkeys(names, 1_800_000_000),
        },
        "seconds": {},
        "seed": 0,
        "sizes": {
            **sizes,
            "per_superclass": dict.fromkeys(names, sizes),
            "systems": dict.fromkeys(systems, of_system),
        },
        "starts_from": {"flat": "random weights"},
        "training": {
            **dict.fromkeys(("flat", "flat_equal_compute", "sub"), trained),
            "super": NOT_EVALUATED,
        },
        "unreadable": [],
        "validation_digest": "drawn",
        "versions": provenance.versions(),
    }


def _write(path: pathlib.Path, num_images: int, num_classes: int) -> None:
    prediction_file.write(draw(num_images, num_classes), path)


def measure(folder: pathlib.Path, *, num_images: int, num_classes: int) -> dict[str, float]:
    """Draws predictions into a folder and measures the report of them.

    Raises:
      ValueError: if eval.py fails; what it said is on standard error.
    """
    path = folder / "predictions.npz"
    # In a process of its own: a child's peak is never below what its parent had when it began.
    drawing = multiprocessing.get_context("spawn").Process(
        target=_write, args=(path, num_images, num_classes)
    )
    drawing.start()
    drawing.join()
    if drawing.exitcode:
        raise ValueError(f"Drawing predictions ended with exit code {drawing.exitcode}.")
    command = [sys.executable, str(_ROOT / "eval.py"), f"--predictions={path}"]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=_ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    if status:
        raise ValueError(f"{shlex.join(command)} ended with status {status}.")
    return {
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        # Linux counts in KiB.
        "peak_gb": usage.ru_maxrss * 1024 / 1e9,
        "predictions_gb": path.stat().st_size / 1e9,
        "report_mb": sum(f.stat().st_size for f in folder.rglob("*") if f != path and f.is_file())
        / 1e6,
    }


def main() -> None:
    """Measures, prints, and writes the file that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=pathlib.Path, help="file to write the results to")
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--classes", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(
            pathlib.Path(folder), num_images=arguments.images, num_classes=arguments.classes
        )
    found |= {
        "images": arguments.images,
        "classes": arguments.classes,
        "command": shlex.join(["python", *sys.argv]),
        "cores": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
        "versions": provenance.versions(),
    }
    print(json.dumps(found, indent=1))
    if arguments.json:
        files.write_atomically(arguments.json, f"{json.dumps(found, indent=1)}\n".encode())


if __name__ == "__main__":
    main()
