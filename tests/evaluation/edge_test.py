import dataclasses
import json
import os

import numpy as np
import pytest
from PIL import Image

from ss_tf.data import catalog
from ss_tf.data.examples import RECORD, Examples
from ss_tf.deltas import bank
from ss_tf.edge.classifier import EdgeClassifier
from ss_tf.evaluation import edge
from ss_tf.export import edge_bundle, gpu_operations
from ss_tf.models import integer_network
from ss_tf.routing.policy import RoutingPolicy


def _labels(run, dataset, int8_logits, *, top_k):
    """Decides with a flat base, from the int8 files without the bank, one image at a time."""
    images = (dataset.validation.images / 127.5 - 1).astype(np.float32)
    p, bird, boat = (
        np.exp(int8_logits(integer_network.load(run.int8_file(name)), images))
        for name in ("flat", "sub/bird", "sub/boat")
    )
    p, bird, boat = (x / x.sum(axis=1, keepdims=True) for x in (p, bird, boat))
    superclass = np.stack([p[:, [0, 2, 5]].sum(axis=1), p[:, [1, 4]].sum(axis=1), p[:, 3]], axis=1)
    superclass[np.argsort(np.argsort(-superclass, axis=1), axis=1) >= top_k] = 0
    scores = np.zeros((len(images), 6))
    scores[:, [0, 2, 5]] = superclass[:, :1] * bird
    scores[:, [1, 4]] = superclass[:, 1:2] * boat
    scores[:, 3] = superclass[:, 2]
    return scores.argmax(axis=1)


@pytest.fixture
def config(run_config, dataset, monkeypatch):
    """Settings of a run on `dataset` with a flat base."""
    monkeypatch.setattr(catalog, "load", lambda config: dataset)
    monkeypatch.setattr(catalog, "image_format", lambda name: dataset)
    return run_config(sub_init="flat")


@pytest.mark.slow
def test_a_bundle_decides_as_its_run_does_and_no_other(
    config, write_run, dataset, ready_qat_model, int8_networks, int8_logits, tmp_path, monkeypatch
):
    # The model that stands in has strides in its shortcuts, which GPUs do not take.
    monkeypatch.setattr(gpu_operations, "check", lambda content: None)
    run, path = write_run("flat"), tmp_path / "bundle"
    edge_bundle.export_bundle(config, run, routing="hard", output=path)
    true = dataset.validation.labels
    for top_k in (1, 2):
        fields = json.loads((path / "manifest.json").read_text())
        fields["policy"] = json.loads(RoutingPolicy(top_k=top_k).to_json())
        (path / "manifest.json").write_text(json.dumps(fields))
        text = edge.evaluate_bundle(config, run, bundle_dir=path, command="eval.py --edge_bundle=x")
        measured = json.loads((run.report_dir / "edge_results.json").read_text())
        labels = _labels(run, dataset, int8_logits, top_k=top_k)
        assert measured["top1"]["tensorflow"] == pytest.approx(np.mean(labels == true))
        answers = EdgeClassifier(path).classify_many(dataset.validation.images)
        found = np.array([answer.label for answer in answers])
        assert measured["top1"]["edge"] == pytest.approx(np.mean(found == true))
        assert measured["same_predictions"] == pytest.approx(np.mean(found == labels))
        assert measured["same_predictions"] >= 0.9
        subs = [len({*answer.opened} - {"car"}) for answer in answers]
        assert measured["sub_networks_per_image"] == pytest.approx(np.mean(subs))
        points = 100 * (np.mean(found == true) - np.mean(labels == true))
        assert measured["edge_minus_tensorflow_points"] == pytest.approx(points)
        assert (
            f"same predictions                    {100 * np.mean(found == labels):6.2f} %" in text
        )
        assert measured["command"] == "eval.py --edge_bundle=x"

    base, sub = int8_networks["flat"], int8_networks["sub/boat"]
    kernels = {name: np.negative(kernel) for name, kernel in sub.kernels.items()}
    other = dataclasses.replace(sub, kernels=kernels)
    bank.write_entry(run.bank_dir, "boat", base=base, sub=other)
    with pytest.raises(ValueError, match=r"bundle was made of other networks than .*export\.py"):
        edge.evaluate_bundle(config, run, bundle_dir=path, command="eval.py")


def test_what_is_no_bundle_is_refused_before_networks_are_read(config, empty_run, tmp_path):
    with pytest.raises(ValueError, match="is no edge bundle"):
        edge.evaluate_bundle(config, empty_run, bundle_dir=tmp_path, command="eval.py")


@pytest.fixture
def photos(tmp_path):
    """Writes JPEG files; returns their paths."""
    rng, paths = np.random.default_rng(0), []
    for number, side in enumerate((9, 40, 200)):
        coarse = rng.integers(0, 256, (2, 2, 3)).astype(np.uint8)
        paths.append(tmp_path / f"{number}.jpg")
        Image.fromarray(coarse).resize((side, side + 7)).save(paths[-1])
    return paths


class Form:
    """What a manifest says of images."""

    channels, image_size = 3, 16


def _examples(images, files=()):
    keys = np.array([str(number) for number in range(len(images))])
    return Examples(images, np.zeros(len(images), np.int64), keys, files)


def test_images_inside_larger_files_are_those_of_files(photos, tmp_path):
    encoded = [path.read_bytes() for path in photos]
    shard = tmp_path / "shard"
    shard.write_bytes(b"head" + b"".join(encoded))
    ends = 4 + np.cumsum([len(data) for data in encoded])
    places = [(0, end - len(data), len(data)) for end, data in zip(ends, encoded, strict=True)]
    records = _examples(np.array(places, RECORD), (os.fspath(shard),))
    paths = _examples(np.array([os.fspath(path) for path in photos]))
    found = [*edge.pixels_of(records, Form)]
    for one, other, path in zip(found, edge.pixels_of(paths, Form), photos, strict=True):
        np.testing.assert_array_equal(one, other)
        height, width = np.asarray(Image.open(path)).shape[:2]
        assert (one.dtype, one.shape[-1]) == (np.uint8, 3)
        # What is large is shrunk as it is decoded, as the command line does it.
        assert one.shape[:2] == (height, width) if width < 64 else 32 <= one.shape[1] < 64


def test_decoded_images_are_taken_as_they_are(dataset):
    found = [*edge.pixels_of(dataset.validation, Form)]
    np.testing.assert_array_equal(found, dataset.validation.images)


def test_an_image_that_cannot_be_read_is_named(tmp_path):
    examples = _examples(np.array([os.fspath(tmp_path / "none.jpg")]))
    with pytest.raises(ValueError, match=r"none\.jpg: No such file"):
        next(edge.pixels_of(examples, Form))
