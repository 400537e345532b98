"""Trains the int8 sub networks of a run again in one way, and measures them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import shutil
import statistics
import tempfile
from unittest import mock

import numpy as np

from delta_training.methods import Method
from ss_tf import files
from ss_tf.config import RunConfig
from ss_tf.data.examples import Dataset
from ss_tf.deltas import bank, layout, sizes
from ss_tf.evaluation import bounds
from ss_tf.evaluation.networks import Networks
from ss_tf.evaluation.stored_predictions import superclasses_with_sub
from ss_tf.models import int8_grid, integer_network
from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.routing.probabilities import superclass_probabilities
from ss_tf.routing.sub_logits import SubLogits
from ss_tf.training import distribution, randomness, stages, sub_networks
from ss_tf.training.run_dir import RunDir, sub

_SPLITS = ("minival", "validation")


def measure(
    config: RunConfig,
    run: RunDir,
    work_dir: pathlib.Path,
    *,
    dataset: Dataset,
    method: Method,
    seed: int,
) -> dict[str, object]:
    """Trains and measures one row with one seed; what was trained before is not trained again."""
    settings = (*dataclasses.astuple(method.delta), method.title, f"seed{seed}")
    folder = work_dir / "-".join(str(value) for value in settings)
    config = _config(config, method, seed=seed)
    randomness.set_up(seed=seed, deterministic=config.deterministic)
    projected_bytes = _copy(run, RunDir(folder), config=config, dataset=dataset, method=method)
    subs = superclasses_with_sub(dataset.superclass_map).values()
    devices = distribution.start(config.devices)
    trainer = stages.Stages(config, RunDir(folder), dataset=dataset, devices=devices)
    with _one_step(method.step):
        trainer.train([sub(superclass) for superclass in subs])
    top1_file = folder / "top1.json"
    if not top1_file.is_file():
        top1 = {s: _top1(config, RunDir(folder), dataset=dataset, split=s) for s in _SPLITS}
        files.write_atomically(top1_file, json.dumps(top1).encode())
    return {
        **_sizes(config, RunDir(folder), subs=subs, kernel_bytes=projected_bytes),
        "top1_percent": json.loads(top1_file.read_text()),
    }


def _one_step(step: int | None) -> contextlib.AbstractContextManager:
    """Makes all sub networks train on a grid of one step, if there is one."""
    if step is None:
        return contextlib.nullcontext()
    return mock.patch.object(sub_networks, "finest_step", return_value=step)


def _config(config: RunConfig, method: Method, *, seed: int) -> RunConfig:
    fit = dataclasses.replace(config.sub_qat_fit, seed=seed)
    if method.project:
        # An epoch that learns nothing, for ranges and batch norm.
        fit = dataclasses.replace(fit, epochs=1, learning_rate=0.0)
    return dataclasses.replace(config, delta=method.delta, sub_qat_fit=fit)


def _copy(run: RunDir, into: RunDir, *, config, dataset, method) -> dict[str, int]:
    """Copies the base and the float sub networks; returns the bytes of projected kernels."""
    shutil.copytree(run.network_dir(config.base), into.network_dir(config.base), dirs_exist_ok=True)
    shutil.rmtree(into.bank_dir, ignore_errors=True)  # Encoded anew, with the codecs of today.
    for file in (run.map_file, run.data_file):
        shutil.copy(file, into.path / file.name)
    base = int8_grid.float_weights(integer_network.load(run.int8_file(config.base)))
    num_bytes = {}
    for superclass in superclasses_with_sub(dataset.superclass_map).values():
        if method.delta.freeze_through:
            continue  # Its float phase is frozen, too, and so trained anew.
        weights, metadata = files.read_tensors(run.float_file(sub(superclass)))
        if method.project:
            weights, num_bytes[superclass] = method.project(base, weights)
        files.write_tensors(into.float_file(sub(superclass)), weights, metadata=metadata)
    return num_bytes


def _sizes(config: RunConfig, run: RunDir, *, subs, kernel_bytes) -> dict[str, object]:
    """Returns the sizes of the sub networks."""
    base = integer_network.load(run.int8_file(config.base))
    ratios, bits = {}, []
    for superclass in subs:
        network = bank.read_entry(run.bank_dir, superclass, base=base)
        entropy = sizes.residual_entropy_bytes(base, network)
        num_weights = sum(kernel.size for kernel in layout.body_kernels(base).values())
        num_bytes = bank.entry_path(run.bank_dir, superclass).stat().st_size
        if superclass in kernel_bytes:
            num_bytes = kernel_bytes[superclass] + _bytes_beside_kernels(base, network)
            entropy = kernel_bytes[superclass]
        ratios[superclass] = num_bytes / run.int8_file(sub(superclass)).stat().st_size
        bits.append(8 * entropy / num_weights)
    return {
        "ratio": statistics.fmean(ratios.values()),
        "bits_per_weight": statistics.fmean(bits),
        "ratio_by_superclass": ratios,
    }


def _bytes_beside_kernels(base: IntegerNetwork, network: IntegerNetwork) -> int:
    """Returns the size of a bank entry whose kernels, but for the head's, are the base's."""
    kernels = {**network.kernels, **layout.body_kernels(base)}
    same = dataclasses.replace(network, kernels=kernels)
    with tempfile.TemporaryDirectory() as folder:
        return bank.write_entry(folder, "entry", base=base, sub=same).stat().st_size


def _top1(config: RunConfig, run: RunDir, *, dataset: Dataset, split: str) -> float:
    """Returns the two-stage top-1 in percent: the int8 base, then the bank's sub networks."""
    examples, labels_map = getattr(dataset, split), dataset.superclass_map
    networks = Networks(config, run, dataset)
    logits = networks.logits(config.base, "int8", examples=examples)
    decided = superclass_probabilities(logits, labels_map, base_kind=config.base).argmax(axis=1)
    subs = {}
    for superclass, name in superclasses_with_sub(labels_map).items():
        indices = np.flatnonzero(decided == superclass)
        rows = networks.logits(sub(name), "int8", examples=examples.select(indices))
        subs[superclass] = SubLogits(indices, rows)
    labels = bounds.two_stage_labels(decided, subs, labels_map)
    return 100 * float(np.mean(labels == examples.labels))
