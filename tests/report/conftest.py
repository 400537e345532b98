"""Stored predictions of a small run, and what is measured from them; no TensorFlow."""

import numpy as np
import pytest

from ss_tf import files
from ss_tf.deltas import bank
from ss_tf.evaluation import accuracy, measure, results, systems
from ss_tf.evaluation.stored_predictions import StoredPredictions, superclasses_with_sub
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.models import integer_network
from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.routing.policy import RoutingPolicy
from ss_tf.routing.sub_logits import SubLogits
from ss_tf.training.run_dir import SUPER, RunDir

# Superclass car has one label, and so no sub network. "$" is no formula, "&" and "<" no markup.
MAP = SuperclassMap.from_groups(
    {"bird $x_{": ("wren", "owl", "gull"), "boat <&>": ("canoe", "ferry"), "car": ("taxi",)}
)
NUM_IMAGES = 240


@pytest.fixture(scope="session")
def predictions():
    """Logits of all networks of a run with a super base, drawn at random around the truth."""
    rng = np.random.default_rng(0)
    labels = np.arange(NUM_IMAGES) % MAP.num_labels
    superclasses = np.asarray(MAP.superclass_of_label)[labels]

    def logits(true, num_classes):
        drawn = rng.normal(0, 1, (len(true), num_classes)).astype(np.float32)
        drawn[np.arange(len(true)), true] += 1.5
        return drawn

    stored = StoredPredictions(
        superclass_map=MAP,
        base_kind="super",
        labels=labels,
        keys=tuple(f"image {index}" for index in range(NUM_IMAGES)),
        logits={
            ("flat", "float"): logits(labels, MAP.num_labels),
            ("flat_equal_compute", "float"): logits(labels, MAP.num_labels),
            ("super", "float"): logits(superclasses, MAP.num_superclasses),
            ("super", "int8"): logits(superclasses, MAP.num_superclasses),
        },
        subs={},
        policy=RoutingPolicy(top_k=2, tau=0.6),
        facts=_facts(),
    )
    subs = {"float": {}, "int8": {}}
    for form, by_superclass in subs.items():
        for superclass in superclasses_with_sub(MAP):
            rows = np.flatnonzero(systems.reached(stored, form)[:, superclass])
            members = list(MAP.labels_in(superclass))
            true = [members.index(label) if label in members else 0 for label in labels[rows]]
            by_superclass[superclass] = SubLogits(rows, logits(np.array(true), len(members)))
    return StoredPredictions(**{**vars(stored), "subs": subs})


@pytest.fixture
def measured(predictions):
    """The results of `predictions`; a test may change them."""
    return measure.measure(predictions)[0]


@pytest.fixture(scope="session")
def decisions(predictions):
    """The decisions that `measured` is counted from."""
    return systems.decide(predictions)


@pytest.fixture(scope="session")
def page_map():
    """Labels interleaved on purpose: bird 0, 2, 5; boat 1, 4; car 3."""
    return SuperclassMap(
        superclass_names=("bird", "boat", "car"),
        label_names=("wren", "canoe", "owl", "taxi", "ferry", "gull"),
        superclass_of_label=(0, 1, 0, 2, 1, 0),
    )


@pytest.fixture(scope="session")
def page_decisions():
    """Four images of each label; hard errs on 6, flat on 8 of them, others were not run."""
    true = np.repeat(np.arange(6), 4)
    hard, flat = true.copy(), true.copy()
    # wren -> owl twice, wren -> canoe, canoe -> ferry, ferry -> taxi, gull -> wren.
    hard[[0, 1, 2, 4, 16, 20]] = [2, 2, 1, 4, 3, 0]
    flat[[0, 1, 2, 3, 4, 5, 6, 12]] = [2, 2, 2, 1, 4, 4, 0, 0]
    share = np.linspace(0.5, 0.98, 24)
    return accuracy.Decisions(
        true=true,
        stage1={"int8": np.array([0, 1, 0, 2, 1, 0])[hard]},
        labels={"flat": flat, "hard": hard, "flat_int8": flat},
        probabilities={"hard": np.stack([share, share / 2], axis=1)},
    )


@pytest.fixture
def page_results(measured, page_decisions, page_map):
    """Complete results of `page_decisions`; what is no accuracy is that of `measured`."""
    top1 = dict.fromkeys(accuracy.SYSTEMS, results.NOT_EVALUATED)
    truth = np.asarray(page_map.superclass_of_label)
    found = {name: page_decisions.labels[name] for name in ("flat", "hard")}
    right = {name: labels == page_decisions.true for name, labels in found.items()}
    stage1 = page_decisions.stage1["int8"] == truth[page_decisions.true]
    rows = {}
    for superclass, name in enumerate(page_map.superclass_names):
        here = truth[page_decisions.true] == superclass
        rows[name] = {
            **dict.fromkeys(accuracy.SYSTEMS, results.NOT_EVALUATED),
            "num_subclasses": len(page_map.labels_in(superclass)),
            "num_examples": int(here.sum()),
            "super": float(stage1[here].mean()),
            **{system: float(values[here].mean()) for system, values in right.items()},
        }
    sizes = next(iter(measured["sizes"]["per_superclass"].values()))
    return {
        **measured,
        "num_examples": 24,
        "top1": {**top1, **{name: float(values.mean()) for name, values in right.items()}},
        "per_superclass": rows,
        "sizes": {**measured["sizes"], "per_superclass": {"bird": sizes, "boat": sizes}},
        "intervals": {"flat": [0.5, 0.8], "hard": [0.6, 0.9]},
    }


@pytest.fixture(scope="session")
def page_keys():
    """The images' names."""
    return [f"validation/{index:02d}.png" for index in range(24)]


@pytest.fixture
def run(tmp_path, network):
    """A run folder with a map, a super network in int8, and a bank."""
    run = RunDir(tmp_path / "run")
    files.write_atomically(run.map_file, MAP.to_json().encode())
    base = network(MAP.num_superclasses)
    integer_network.save(base, run.int8_file(SUPER))
    for superclass, name in superclasses_with_sub(MAP).items():
        sub = network(len(MAP.labels_in(superclass)), seed=superclass + 1)
        bank.write_entry(run.bank_dir, name, base=base, sub=sub)
    return run


@pytest.fixture(scope="session")
def network():
    """Returns a function that makes an int8 network of random weights: number of classes, seed.

    It has a stem, two convolutions of which the first has single pixels, batch norm, and a head.
    """

    def make(num_classes, seed=0):
        rng = np.random.default_rng(seed)
        shapes = {
            "conv1/kernel": (3, 3, 3, 8),
            "layer1.0.conv1/kernel": (1, 1, 8, 4),
            "layer1.0.conv2/kernel": (3, 2, 8, 5),
            "fc/kernel": (5, num_classes),
        }
        norms = ("beta", "gamma", "moving_mean", "moving_variance")
        return IntegerNetwork(
            kernels={
                name: rng.integers(-127, 128, shape).astype(np.int8)
                for name, shape in shapes.items()
            },
            scales={
                name: np.full(shape[-1:] if len(shape) == 4 else (), 0.5, np.float32)
                for name, shape in shapes.items()
            },
            floats={
                **{f"layer1.0.bn2/{name}": rng.normal(size=5).astype(np.float32) for name in norms},
                "fc/bias": np.zeros(num_classes, np.float32),
            },
            metadata={},
        )

    return make


def _facts():
    """What is known of the run beside logits."""
    sizes = {
        "fp32_network": 4000,
        "int8_network": 1000,
        "fp16_7z": 1800,
        "int8_delta": 100,
        "int8_delta_entropy": 90,
        "size_ratio": {"fp16_7z": 0.45, "int8_delta": 0.1},
    }
    of_systems = ("stage1", "flat", "flat_int8", "flat_equal_compute", "vanilla", "hard", "soft")
    on_minival = {"top1": 0.7, "sub_networks_per_image": 1.0, "early_exits": 0.0}
    trained = {"float": {"images": 600, "passes": 1.0}, "qat": {"images": 600, "passes": 1.0}}
    counts = dict(zip(MAP.superclass_names, (60, 40, 20), strict=True))
    names = MAP.superclass_names[:2]
    return {
        "command": "eval.py --run_dir=runs/test",
        "dataset": "folder",
        "examples_by_split": {"train": 600, "minival": 120, "validation": NUM_IMAGES},
        "examples_by_superclass": {
            "train": {name: 5 * count for name, count in counts.items()},
            "minival": counts,
            "validation": {name: 2 * count for name, count in counts.items()},
        },
        "flags": [
            "--backbone=resnet18",
            "--resnet_blocks=",
            "--flat_backbone=resnet34",
            "--base_width=64",
            "--sub_init=super",
        ],
        "minival": {"num_examples": 120, "hard": on_minival, "soft": on_minival},
        "network_macs": {
            "stage1": 2_000_000,
            "flat": 2_000_000,
            "flat_equal_compute": 4_000_000,
            "subs": dict.fromkeys(names, 2_000_000),
        },
        "seconds": {},
        "seed": 0,
        "sizes": {
            **sizes,
            "per_superclass": {
                names[0]: sizes,
                names[1]: {**sizes, "size_ratio": {"fp16_7z": 0.43, "int8_delta": 0.2}},
            },
            "systems": {name: {"on_disk": 4000, "at_once": 4000} for name in of_systems},
        },
        "starts_from": {"flat": results.NOT_EVALUATED},
        "training": dict.fromkeys(("flat", "flat_equal_compute", "super", "sub"), trained),
        "unreadable": [],
        "validation_digest": "0" * 64,
        "versions": {"python": "3.11"},
    }
