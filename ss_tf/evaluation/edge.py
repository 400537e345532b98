"""A bundle for devices, run over the validation images beside the networks it was made of."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np
import tqdm

from ss_tf import files
from ss_tf.config import RunConfig
from ss_tf.data import catalog, record_reader
from ss_tf.data.examples import Dataset, Examples, Kind
from ss_tf.data.image_files import read_image
from ss_tf.edge import images as edge_images
from ss_tf.edge.classifier import EdgeClassifier
from ss_tf.edge.manifest import Manifest
from ss_tf.evaluation import gather, metrics, provenance
from ss_tf.evaluation.networks import Networks
from ss_tf.evaluation.stored_predictions import superclasses_with_sub
from ss_tf.routing import decisions, int8_networks, loading
from ss_tf.routing.decisions import Routed
from ss_tf.routing.probabilities import softmax, superclass_probabilities
from ss_tf.training import randomness
from ss_tf.training.run_dir import FLAT, RunDir

RESULTS_FILE = "edge_results.json"
_SCHEMA_VERSION = 1
# Images in memory at a time; a sub network is made once for all of these that open it.
_IMAGES_TOGETHER = 512


def evaluate_bundle(
    config: RunConfig, run: RunDir, *, bundle_dir: pathlib.Path, command: str
) -> str:
    """Compares a bundle with its run, and writes edge_results.json into the run's report folder.

    Args:
      config: the run's settings.
      run: its folder.
      bundle_dir: what `export.py --format=tflite` made of it. Images are routed as its manifest
        says.
      command: what the user typed, kept in the results.

    Returns:
      The summary for the terminal.

    Raises:
      ValueError: if the bundle is damaged or of other networks than the run has, the run lacks a
        network, or the data are not those it was trained with; an older file then stays.
    """
    labels_map = run.superclass_map()
    classifier = EdgeClassifier(bundle_dir, num_threads=len(os.sched_getaffinity(0)))
    loading.load_base(config, run, superclass_map=labels_map)  # Says which network is missing.
    source = int8_networks.stored_digest(run, labels_map, base=config.base)
    if classifier.manifest.source != source:
        raise ValueError(
            f"{bundle_dir} was made of other networks than {run.path} has now, expected a bundle "
            f"of this run. Run export.py --run_dir={run.path} --format=tflite again."
        )
    randomness.set_up(seed=config.seed, deterministic=config.deterministic)
    dataset = catalog.load(config.data)
    facts = {"command": command, "bundle": str(bundle_dir), **provenance.data(run, dataset)}
    measured = {**facts, **measure(config, run, dataset, classifier)}
    path = run.report_dir / RESULTS_FILE
    text = json.dumps(measured, allow_nan=False, ensure_ascii=False, indent=1, sort_keys=True)
    files.write_atomically(path, (text + "\n").encode())
    return f"{summary(measured)}\nReport: {path}"


def measure(
    config: RunConfig, run: RunDir, dataset: Dataset, classifier: EdgeClassifier
) -> dict[str, object]:
    """Runs a bundle, and the int8 networks of its run, over the validation images.

    The bundle sees images as on a device: read, cropped and normalised without TensorFlow.

    Returns:
      `num_examples`; `policy` of both; `top1` in [0, 1] of "edge" and "tensorflow", an abstaining
      answer counting as wrong; `edge_minus_tensorflow_points` with its paired standard error;
      `same_predictions`, the share of images with the same label, or the same superclass where
      both abstain; `same_superclasses`; `sub_networks_per_image` of the bundle; `versions`.

    Raises:
      ValueError: naming the file, if a network or an image is damaged.
    """
    examples, manifest = dataset.validation, classifier.manifest
    edge = _route_bundle(classifier, examples)
    expected = _route_run(config, dataset, networks=Networks(config, run, dataset), like=manifest)
    labels, superclasses = (
        {"edge": getattr(edge, name), "tensorflow": getattr(expected, name)}
        for name in ("label", "superclass")
    )
    paired = metrics.paired_difference(*labels.values(), true=examples.labels)
    same_superclass = np.equal(*superclasses.values())
    with_sub = list(superclasses_with_sub(dataset.superclass_map))
    return {
        "schema_version": _SCHEMA_VERSION,
        "num_examples": len(examples),
        "policy": json.loads(manifest.policy.to_json()),
        "top1": {name: metrics.top1(values, examples.labels) for name, values in labels.items()},
        "edge_minus_tensorflow_points": 100 * paired.difference,
        "standard_error_points": 100 * paired.standard_error,
        "same_predictions": float(np.mean(np.equal(*labels.values()) & same_superclass)),
        "same_superclasses": float(np.mean(same_superclass)),
        "sub_networks_per_image": float(edge.opened[:, with_sub].sum(axis=1).mean()),
        "versions": provenance.versions("ai-edge-litert"),
    }


def summary(measured: Mapping[str, object]) -> str:
    """Returns what `measure` found as text for a terminal."""
    top1, difference = measured["top1"], measured["edge_minus_tensorflow_points"]
    error = f"(standard error {measured['standard_error_points']:.2f})"
    return "\n".join(
        [
            f"{measured['bundle']}: {measured['num_examples']:,} validation images, "
            f"{measured['sub_networks_per_image']:.2f} sub networks per image.",
            f"top-1, bundle in LiteRT             {100 * top1['edge']:6.2f} %",
            f"top-1, int8 networks in TensorFlow  {100 * top1['tensorflow']:6.2f} %",
            f"difference                          {difference:+6.2f} points {error}",
            f"same predictions                    {100 * measured['same_predictions']:6.2f} %",
        ]
    )


def _route_bundle(classifier: EdgeClassifier, examples: Examples) -> Routed:
    """Runs a bundle over examples; the fields of the result have one row per example."""
    parts = []
    with tqdm.tqdm(total=len(examples), unit=" images", desc="edge bundle") as bar:
        for start in range(0, len(examples), _IMAGES_TOGETHER):
            part = examples.select(np.arange(start, min(start + _IMAGES_TOGETHER, len(examples))))
            pixels = pixels_of(part, classifier.manifest)
            parts.append(classifier.route(edge_images.to_inputs(pixels, classifier.manifest)))
            bar.update(len(part))
    return Routed(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in Routed.__dataclass_fields__
        }
    )


def pixels_of(examples: Examples, manifest: Manifest) -> Iterator[np.ndarray]:
    """Yields each image as a device reads it: uint8 `[height, width, channels]`.

    Raises:
      ValueError: naming the file, if an image cannot be read.
    """
    if examples.kind is Kind.PIXELS:
        yield from examples.images
        return
    form = {
        "channels": manifest.channels,
        "min_side": edge_images.decoded_side(manifest.image_size),
    }
    if examples.kind is Kind.PATHS:
        for path in examples.images.tolist():
            yield read_image(path, **form)
        return
    shards = np.array([os.fsencode(file) for file in examples.files], np.bytes_)
    for file, offset, length in examples.images.tolist():
        (data,) = record_reader.read(shards[[file]], np.array([offset]), np.array([length]))
        yield read_image(os.fsdecode(shards[file]), data=data, **form)


def _route_run(
    config: RunConfig, dataset: Dataset, *, networks: Networks, like: Manifest
) -> Routed:
    """Routes the validation images with the run's int8 networks in TensorFlow, as a bundle does."""
    labels_map, examples = dataset.superclass_map, dataset.validation
    kind = {"base_kind": config.base}
    base_logits = networks.logits(config.base, "int8", examples=examples)
    is_open = decisions.opened(
        superclass_probabilities(base_logits, labels_map, **kind),
        like.policy,
        base_label_probabilities=softmax(base_logits) if config.base == FLAT else None,
    )
    subs = gather.sub_logits(
        "int8", examples, superclass_map=labels_map, networks=networks, reached=is_open
    )
    return decisions.decide(base_logits, subs, labels_map, policy=like.policy, **kind)
