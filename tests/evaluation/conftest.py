"""A run with tiny networks of random weights, and results as evaluation gives them."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from ss_tf import files
from ss_tf.config import ModelConfig
from ss_tf.data.examples import Dataset, Examples
from ss_tf.deltas import bank
from ss_tf.evaluation import (
    accuracy,
    diagnosis,
    provenance,
    results,
    soft_routing,
    stored_predictions,
    verdict,
)
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.models import heads, int8_grid, integer_network, quantization, resnet, variables
from ss_tf.routing.fit_policy import Summary
from ss_tf.routing.policy import RoutingPolicy
from ss_tf.routing.sub_logits import SubLogits
from ss_tf.training import run_dir

# Labels are interleaved on purpose: bird 0, 2, 5; boat 1, 4; car 3, alone and so without a sub
# network.
MAP = SuperclassMap(
    superclass_names=("bird", "boat", "car"),
    label_names=("wren", "canoe", "owl", "taxi", "ferry", "gull"),
    superclass_of_label=(0, 1, 0, 2, 1, 0),
)


@pytest.fixture(scope="session")
def superclass_map():
    """Partition of 6 labels into bird 0, 2, 5, boat 1, 4, and car 3."""
    return MAP


@pytest.fixture(scope="session")
def dataset():
    """Random 16x16 images, 19 of them for validation: two batches of 8 and one of 3."""

    def split(name, count, seed):
        rng = np.random.default_rng(seed)
        # Smooth shapes of any brightness: noise alone would look the same to every network.
        coarse = rng.uniform(0, 255, (count, 2, 2, 1)).repeat(8, axis=1).repeat(8, axis=2)
        return Examples(
            images=coarse.astype(np.uint8),
            labels=rng.permutation(np.arange(count) % 6),
            keys=np.array([f"{name}/{index}" for index in range(count)]),
        )

    return Dataset(
        name="folder",
        superclass_map=MAP,
        train=split("train", 12, 0),
        minival=split("minival", 6, 1),
        validation=split("validation", 19, 2),
        channels=1,
        mean=(0.5,),
        std=(0.5,),
        crop_fraction=1.0,
        unreadable=(("boat/ferry/torn.jpg", "the file is empty"),),
    )


@pytest.fixture
def empty_run(tmp_path, dataset):
    """A run folder that has seen its data, with no network in it."""
    run = run_dir.RunDir(tmp_path / "run")
    run.open(dataset, flagfile="--dataset=folder\n")
    return run


@pytest.fixture(scope="session")
def qat_model():
    """Quantization-aware network of the tests' shape with room for 6 classes; tests change it."""
    return quantization.quantize(_random_model(num_classes=6, seed=0), freeze_kernel_ranges=True)


@pytest.fixture(scope="session")
def float_networks(dataset):
    """Network name -> tensors of a float network with random weights that decides for any class."""
    classes = {"flat": 6, "flat_equal_compute": 6, "super": 3, "sub/bird": 3, "sub/boat": 2}
    networks = {}
    for seed, (name, num_classes) in enumerate(classes.items()):
        blocks = (1, 1, 1, 2) if name == "flat_equal_compute" else (1, 1, 1, 1)
        model = _random_model(num_classes=num_classes, seed=seed, blocks=blocks)
        logits = model(_normalised(dataset.validation), training=False).numpy()
        networks[name] = variables.values_by_name(model)
        networks[name]["fc/bias"] -= logits.mean(axis=0)
    return networks


@pytest.fixture(scope="session")
def int8_networks(qat_model, float_networks, dataset):
    """Network name -> IntegerNetwork of the same weights; all have the same activation ranges."""
    networks = {}
    for name in ("flat", "super", "sub/bird", "sub/boat"):
        wide = heads.resize(float_networks[name], 6)
        variables.assign(qat_model, {**variables.values_by_name(qat_model), **wide})
        if not networks:
            images = _normalised(dataset.validation)
            quantization.calibrate(qat_model, [images], input_range=(-1.0, 1.0))
        int8_grid.fit_kernel_ranges(qat_model)
        int8_grid.snap(qat_model)
        network = int8_grid.to_integer(qat_model, {"network": name})
        networks[name] = heads.resize_network(network, len(float_networks[name]["fc/bias"]))
    return networks


@pytest.fixture
def ready_qat_model(qat_model, monkeypatch):
    """Makes quantization return `qat_model`: to quantize takes seconds, and any weights do."""
    monkeypatch.setattr(quantization, "quantize", lambda model, *, freeze_kernel_ranges: qat_model)


@pytest.fixture(scope="session")
def int8_logits(qat_model):
    """Returns a function that runs an IntegerNetwork over images `[n, 16, 16, 1]`, one by one."""
    forward = tf.function(lambda image: qat_model(image, training=False), autograph=False)

    def run(network, images):
        int8_grid.assign_integer(heads.resize_network(network, 6), qat_model)
        logits = np.concatenate([forward(image[np.newaxis]).numpy() for image in images])
        return logits[:, : len(network.floats["fc/bias"])]

    return run


@pytest.fixture
def write_run(empty_run, float_networks, int8_networks):
    """Returns a function that puts all networks into a run, with the bank of a base if any."""

    def write(base):
        for name, tensors in float_networks.items():
            metadata = {"network": name, "origin": "random weights"}
            files.write_tensors(empty_run.float_file(name), tensors, metadata=metadata)
        if base is None:
            return empty_run
        integer_network.save(int8_networks[base], empty_run.int8_file(base))
        for superclass in ("bird", "boat"):
            network = int8_networks[run_dir.sub(superclass)]
            integer_network.save(network, empty_run.int8_file(run_dir.sub(superclass)))
            bank.write_entry(empty_run.bank_dir, superclass, base=int8_networks[base], sub=network)
        return empty_run

    return write


def _normalised(examples):
    """Returns the images as networks see them."""
    return (examples.images / 127.5 - 1).astype(np.float32)


def _random_model(*, num_classes, seed, blocks=(1, 1, 1, 1)):
    """Builds a network with statistics and biases that no fresh network has."""
    model = resnet.build_resnet(
        ModelConfig(backbone="resnet18", resnet_blocks=blocks, base_width=4, stem="small"),
        num_classes=num_classes,
        image_size=16,
        channels=1,
        seed=seed,
    )
    rng = np.random.default_rng(seed)
    for name, variable in variables.by_name(model).items():
        if name.endswith(("moving_variance", "gamma")):
            variable.assign(rng.uniform(0.5, 2, variable.shape))
        elif not name.endswith("kernel"):
            variable.assign(rng.normal(0, 0.3, variable.shape))
        elif name.startswith("fc"):
            # Large enough for the images to decide, not the bias.
            variable.assign(rng.normal(0, 2, variable.shape))
    return model


@pytest.fixture
def decisions():
    """Decisions about 8 examples, small enough to count by hand.

    The true superclasses are bird, bird, bird, boat, boat, boat, car, bird. Stage 1 is right but
    for example 3 in int8 (boat taken for bird), and examples 3 and 7 in float. Soft routing opens
    both for examples 3 and 4.
    """
    hard = [0, 0, 0, 0, 1, 1, 2, 0]
    second = np.zeros((8, 3), bool)
    second[3:5, :2] = True
    labels = {
        "flat": np.array([2, 2, 5, 4, 4, 3, 3, 2]),  # 4 right; of 4 errors 3 stay inside.
        "oracle": np.array([0, 2, 5, 1, 4, 1, 3, 0]),  # 7 right.
        "vanilla": np.array([0, 2, 5, 0, 4, 1, 3, 3]),  # 5 right.
        "hard": np.array([0, 2, 5, 0, 4, 1, 3, 0]),  # 6 right.
        "soft": np.array([0, 2, 5, 1, 4, 1, 3, 0]),  # 7 right: example 3 as well.
    }
    # The second label of hard is right for example 5 alone.
    second_of_hard = [2, 0, 0, 2, 1, 4, -1, 2]
    none = np.full((8, 3), -1)
    return accuracy.Decisions(
        true=np.array([0, 2, 5, 1, 4, 4, 3, 0]),
        stage1={
            "int8": np.array(hard),
            "float": np.array([0, 0, 0, 0, 1, 1, 2, 2]),
        },
        labels=labels,
        opened={"hard": np.eye(3, dtype=bool)[hard], "soft": np.eye(3, dtype=bool)[hard] | second},
        # Of hard alone: what lacks it is not evaluated.
        probabilities={"hard": np.array([[0.9, 0.7]] * 6 + [[0.5, 0.5], [1.0, 0.05]])},
        top={"hard": np.column_stack([labels["hard"], second_of_hard, none])},
        # The tree would have decided example 0 otherwise.
        descended={"hard": {"two_level": np.array([2, 2, 5, 0, 4, 1, 3, 0])}},
    )


@pytest.fixture
def facts():
    """What a report says that does not come from logits, of a run without a second flat network."""
    of_run = _of_run()
    return {
        **{name: of_run[name] for name in stored_predictions.FACTS if name in of_run},
        "minival": _fitted().on_minival(),
        "network_macs": {
            "stage1": 2_000_000,
            "flat": 2_100_000,
            "flat_equal_compute": results.NOT_EVALUATED,
            "subs": {"bird": 1_900_000, "boat": 1_800_000},
        },
    }


@pytest.fixture
def predictions(draw):
    """Logits of 60 images, of all networks that a run on a super base has."""
    return draw()


@pytest.fixture
def draw(facts):
    """Returns a function that draws predictions of a run: of a base, from a seed."""
    return functools.partial(_draw, facts)


@pytest.fixture
def replace():
    """Returns dataclasses.replace: changes some fields, and checks them all."""
    return dataclasses.replace


def _draw(facts, *, base_kind="super", seed=0, num_images=60):
    """Draws logits around the truth."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num_images) % 6
    superclasses = np.array(MAP.superclass_of_label)[labels]

    def logits(true, num_classes):
        drawn = rng.normal(0, 1, (len(true), num_classes)).astype(np.float32)
        drawn[np.arange(len(true)), true] += 1.5
        return drawn

    over_labels = [("flat", "float"), ("flat_equal_compute", "float")]
    if base_kind == "flat":
        over_labels.append(("flat", "int8"))
    found = {key: logits(labels, 6) for key in over_labels}
    if base_kind == "super":
        found |= {("super", form): logits(superclasses, 3) for form in ("float", "int8")}
    everything = np.arange(num_images)
    subclasses = np.array(MAP.subclass_of_label())[labels]
    return stored_predictions.StoredPredictions(
        superclass_map=MAP,
        base_kind=base_kind,
        labels=labels,
        keys=tuple(f"image {index}" for index in everything),
        logits=found,
        subs={
            form: {
                superclass: SubLogits(everything, logits(np.minimum(subclasses, width - 1), width))
                for superclass, width in ((0, 3), (1, 2))
            }
            for form in ("float", "int8")
        },
        policy=RoutingPolicy(top_k=2, tau=0.75, temperatures={"bird": 0.5}),
        facts=facts,
    )


@pytest.fixture
def measured(decisions):
    """Complete results around `decisions`; the run has no second flat network."""
    measured = {
        **_of_run(),
        **accuracy.summarize(decisions, MAP),
        **diagnosis.diagnose(decisions, MAP),
        "macs_per_image": {
            "stage1": 2_000_000,
            "flat": 2_100_000,
            "flat_equal_compute": results.NOT_EVALUATED,
            "flat_equal_compute_ratio": results.NOT_EVALUATED,
            "two_stage": 3_900_000,
            "two_stage_soft": 4_200_000,
        },
        "routing": soft_routing.measure(_fitted().policy, _fitted().on_minival(), decisions, MAP),
        "schema_version": results.SCHEMA_VERSION,
        "stage1": "super",
    }
    return {**measured, "verdict": verdict.sentence(measured)}


def _of_run():
    """Entries of results.json that are facts of a run, and the passes behind its systems."""
    return {
        "command": "eval.py --run_dir=runs/test",
        "dataset": "folder",
        "examples_by_split": {"train": 600, "minival": 200, "validation": 8},
        "examples_by_superclass": {
            split: {"bird": count // 2, "boat": count // 4, "car": count // 4}
            for split, count in {"train": 600, "minival": 200, "validation": 8}.items()
        },
        "flags": ["--dataset=folder", "--sub_init=super"],
        "seconds": {"evaluation": 1.5},
        "seed": 3,
        "sizes": _sizes(),
        "starts_from": {
            "flat": "random weights",
            "flat_equal_compute": results.NOT_EVALUATED,
            "super": "random weights",
        },
        **_training(),
        "unreadable": [["boat/ferry/torn.jpg", "the file is empty"]],
        "validation_digest": "0" * 64,
        "versions": provenance.versions(),
    }


def _fitted():
    """A policy as it could have been fitted to 200 minival images."""
    return soft_routing.Fitted(
        policy=RoutingPolicy(top_k=2, tau=0.75, temperatures={"bird": 0.5}),
        num_images=200,
        hard=Summary(accuracy=0.74, sub_networks=0.9, early_exits=0.0),
        soft=Summary(accuracy=0.77, sub_networks=0.98, early_exits=0.0),
    )


def _sizes():
    """Sizes with deltas of 200 and 300 of 1000 bytes."""

    def sub_sizes(int8_delta):
        return {
            "fp32_network": 4000,
            "int8_network": 1000,
            "fp16_7z": 1600,
            "int8_delta": int8_delta,
            "int8_delta_entropy": int8_delta - 50,
            "size_ratio": {"fp16_7z": 0.4, "int8_delta": int8_delta / 1000},
        }

    on_disk = {
        "stage1": 1000,
        "flat": 4000,
        "flat_int8": results.NOT_EVALUATED,
        "flat_equal_compute": results.NOT_EVALUATED,
        "vanilla": 12000,
    }
    two_stage = {"at_once": 2000, "on_disk": 1500}
    return {
        **sub_sizes(250),
        "per_superclass": {"bird": sub_sizes(200), "boat": sub_sizes(300)},
        "systems": {
            **{name: {"at_once": size, "on_disk": size} for name, size in on_disk.items()},
            "hard": two_stage,
            "soft": two_stage,
        },
    }


def _training():
    """Images shown to each kind of network, and what they make for each system."""
    return {
        "training": {
            "flat": {"float": {"images": 1200, "passes": 2.0}},
            "flat_equal_compute": results.NOT_EVALUATED,
            "super": {
                "float": {"images": 600, "passes": 1.0},
                "qat": {"images": 600, "passes": 1.0},
            },
            "sub": {
                "float": {"images": 1100, "passes": 1.833},
                "qat": {"images": 550, "passes": 0.917},
            },
        },
        "training_passes": {
            "stage1": 2.0,
            "flat": 2.0,
            "flat_int8": results.NOT_EVALUATED,
            "flat_equal_compute": results.NOT_EVALUATED,
            "vanilla": 3.833,
            "hard": 4.75,
            "soft": 4.75,
        },
    }
