"""The stages of a run: flat, super and sub networks, each float first, then quantization-aware."""

from __future__ import annotations

import contextlib
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence

import tf_keras as keras

from ss_tf import files
from ss_tf.config import FitConfig, RunConfig
from ss_tf.data import catalog
from ss_tf.data.examples import Dataset
from ss_tf.models import heads, int8_grid, integer_network, quantization, variables
from ss_tf.models.delta_grid import DeltaGrid
from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.training import (
    distribution,
    metrics_log,
    networks,
    other_run,
    plan,
    provenance,
    randomness,
    sub_networks,
)
from ss_tf.training.anchored_sgd import Anchor
from ss_tf.training.distribution import Devices
from ss_tf.training.run_dir import SUPER, RunDir
from ss_tf.training.trainer import Task, Trainer


def train(
    config: RunConfig,
    run: RunDir,
    *,
    stage: str,
    superclasses: Sequence[str],
    flagfile: str,
) -> None:
    """Trains what a stage consists of; networks that are finished already are left as they are.

    Args:
      config: the run's settings.
      run: its folder, created if need be.
      stage: "flat", "super", "sub" or "all".
      superclasses: for "sub", names of superclasses, or ("all",).
      flagfile: text kept as the run's flags.

    Raises:
      ValueError: if the data set or a name is wrong, if a network to start from is not there, or
        if the folder belongs to other data. Nothing is trained then.
    """
    devices = distribution.start(config.devices)  # First: workers meet before they use TensorFlow.
    devices.check_batch(config.flat_fit.batch_size)
    randomness.set_up(seed=config.seed, deterministic=config.deterministic)
    dataset = catalog.load(config.data)
    names = plan.networks_of_stage(
        config, dataset.superclass_map, stage=stage, superclasses=superclasses
    )
    plan.check_base(config, run, names)
    other_run.check(config, run, dataset=dataset, names=names)
    if config.networks_from is None:
        networks.check_init(config, run, dataset=dataset, names=names)
    if devices.is_chief:
        run.open(dataset, flagfile=flagfile)
    if not names:
        print("Nothing to train: a superclass with one subclass needs no sub network.")
    with distribution.lost_workers_explained():
        Stages(config, run, dataset=dataset, devices=devices).train(names)


class Stages:
    """The networks of one run in training; sub networks share one float and one QAT model."""

    def __init__(self, config: RunConfig, run: RunDir, *, dataset: Dataset, devices: Devices):
        self._config, self._run, self._dataset, self._devices = config, run, dataset, devices
        self._map = dataset.superclass_map
        self._sub_float: Trainer | None = None
        self._sub_fresh: Mapping | None = None  # The weights it is built with, if they are of use.
        self._sub_qat: Trainer | None = None

    @functools.cached_property
    def _base(self) -> IntegerNetwork | None:
        """The network that sub networks start from; asked for only once it is trained."""
        base = self._config.base
        return integer_network.load(self._run.int8_file(base)) if base else None

    @functools.cached_property
    def _grid(self) -> DeltaGrid | None:
        """Where kernels of sub networks may be; its step is that of the one in training."""
        return sub_networks.grid_of(self._config, self._base)

    @functools.cached_property
    def _origin_of_subs(self) -> str:
        return networks.origin(self._base, self._config.init)

    def _origin_of(self, name: str) -> str:
        """Returns words for what a network starts from, or did."""
        if plan.superclass_of(name):
            return self._origin_of_subs
        path, init = self._run.float_file(name), networks.init_file(self._config, name)
        metadata = files.read_metadata(path) if path.is_file() else {}
        return metadata.get("origin") or networks.origin(None, init)

    def train(self, names: Sequence[str]) -> None:
        """Trains the named networks in turn."""
        for number, name in enumerate(names, start=1):
            title = f"[{number}/{len(names)}] {name}"
            with self._locked(name):
                self._drop_old_checkpoints(name)
                if plan.superclass_of(name) is None:
                    self._train_whole(name, title)
                else:
                    self._train_sub(name, title)
        self._devices.wait()  # A worker that leaves is taken for dead.

    def _locked(self, name: str) -> contextlib.AbstractContextManager:
        """Keeps other jobs out of a network's folder."""
        lock = files.locked(self._run.network_dir(name), subject=f"The {name} network")
        return lock if self._devices.is_chief else contextlib.nullcontext()

    def _has(self, file: pathlib.Path) -> bool:
        """Tells whether the chief sees a file: others may see it later, and go another way."""
        return self._devices.agree(self._devices.is_chief and file.is_file())

    def _drop_old_checkpoints(self, name: str) -> None:
        """Removes the checkpoints of finished phases, also those that a kill left behind."""
        if not self._devices.is_chief:
            return
        run = self._run
        for phase, result in (("float", run.float_file(name)), ("qat", run.int8_file(name))):
            if result.is_file():
                run.checkpoint_file(name, phase).unlink(missing_ok=True)

    def _train_whole(self, name: str, title: str) -> None:
        """Trains a flat network or the super network, and quantizes it if it is the base."""
        if self._devices.is_chief:
            other_run.copy(self._config, self._run, name)
        is_base = name == self._config.base
        if not self._has(self._run.float_file(name)):
            fit = self._config.super_fit if name == SUPER else self._config.flat_fit
            model = networks.build_for_float_phase(self._config, self._dataset, name)
            networks.start_float(model, self._config, self._dataset, name, fresh=None, base=None)
            self._fit(self._trainer(model, fit, phase="float"), name, phase="float", title=title)
            self._save_float(model, name)
        if is_base and not self._has(self._run.int8_file(name)):
            self._quantize_base(name, title)

    def _quantize_base(self, name: str, title: str) -> None:
        """Continues the base quantization-aware, and keeps its snapped int8 form."""
        model = networks.build(self._config, self._dataset, name)
        tensors, _ = files.read_tensors(self._run.float_file(name))
        variables.assign(model, tensors)
        qat = quantization.quantize(model, freeze_kernel_ranges=False)
        examples = plan.examples_of(name, self._dataset.train, self._map)
        networks.calibrate(qat, examples, dataset=self._dataset, config=self._config)
        trainer = self._trainer(qat, self._config.base_qat_fit, phase="qat")
        self._fit(trainer, name, phase="qat", title=title)
        self._save_int8(qat, name)

    def _train_sub(self, name: str, title: str) -> None:
        """Trains a sub network, from the base if there is one, and writes its delta."""
        run, base, origin = self._run, self._base, self._origin_of(name)
        if not self._has(run.float_file(name)):
            self._train_sub_float(name, title)
        metadata = files.read_metadata(run.float_file(name))
        networks.check_origin(metadata, origin, folder=run.network_dir(name))
        if base is None:
            return
        if not self._has(run.int8_file(name)):
            self._train_sub_qat(name, title)
        network = integer_network.load(run.int8_file(name))
        networks.check_origin(network.metadata, origin, folder=run.network_dir(name))
        if self._devices.is_chief:
            sub_networks.store(run, name, network=network, base=base)

    def _train_sub_float(self, name, title):
        """Trains the float form, in the model that all sub networks share."""
        if self._sub_float is None:
            model = networks.build_for_float_phase(self._config, self._dataset, name)
            sub_networks.freeze(model, self._config)
            self._sub_float = self._trainer(model, self._config.sub_fit, phase="float")
            self._sub_fresh = None if self._base else variables.values_by_name(model)
        model = self._sub_float.model
        start = {"fresh": self._sub_fresh, "base": self._base}
        networks.start_float(model, self._config, self._dataset, name, **start)
        self._fit(self._sub_float, name, phase="float", title=title)
        self._save_float(model, name)

    def _train_sub_qat(self, name, title):
        """Continues near the base's int8 network, and keeps the snapped int8 form."""
        if self._sub_qat is None:
            model = sub_networks.build_qat(self._config, self._dataset, name, grid=self._grid)
            anchor = Anchor(self._base, self._config.delta.penalty)
            fit = self._config.sub_qat_fit
            self._sub_qat = self._trainer(model, fit, phase="qat", anchor=anchor)
        model = self._sub_qat.model
        tensors, _ = files.read_tensors(self._run.float_file(name))
        sub_networks.start_qat(
            model,
            name,
            tensors,
            base=self._base,
            grid=self._grid,
            config=self._config,
            dataset=self._dataset,
        )
        self._fit(self._sub_qat, name, phase="qat", title=title)
        if self._grid:
            self._grid.snap(model)
        self._save_int8(model, name)

    def _trainer(self, model: keras.Model, fit: FitConfig, *, phase: str, anchor=None) -> Trainer:
        jit = phase == "float" and self._config.devices.jit_compile
        return Trainer(model, fit, devices=self._devices, jit_compile=jit, anchor=anchor)

    def _fit(self, trainer: Trainer, name: str, *, phase: str, title: str) -> None:
        """Runs one phase to its end; what is left of an earlier, killed try is continued."""
        trainer.fit(
            Task(
                title=f"{title} {phase}",
                train=plan.examples_of(name, self._dataset.train, self._map),
                minival=plan.examples_of(name, self._dataset.minival, self._map),
                dataset=self._dataset,
                num_classes=plan.num_classes(name, self._map),
                image_size=self._config.data.image_size,
                checkpoint_file=self._run.checkpoint_file(name, phase),
                origin=self._origin_of(name),
                on_epoch=self._recorder(trainer.model, name, phase),
            )
        )

    def _recorder(self, model: keras.Model, name: str, phase: str) -> Callable:
        """Returns what writes an epoch's record; workers but the chief write none."""
        if not self._devices.is_chief:
            return lambda epoch, values: None
        grid = self._grid if phase == "qat" and plan.superclass_of(name) else None
        return metrics_log.recorder(self._run.network_dir(name), model, phase=phase, grid=grid)

    def _save_float(self, model: keras.Model, name: str) -> None:
        tensors = heads.resize(variables.values_by_name(model), plan.num_classes(name, self._map))
        if self._devices.is_chief:
            facts = {"network": name, "origin": self._origin_of(name)}
            files.write_tensors(self._run.float_file(name), tensors, metadata=facts)
        self._drop_old_checkpoints(name)
        self._devices.wait()

    def _save_int8(self, qat_model: keras.Model, name: str) -> None:
        int8_grid.snap(qat_model)
        origin = self._origin_of(name)
        facts = provenance.facts(self._config, self._dataset, network=name, origin=origin)
        network = int8_grid.to_integer(qat_model, facts.to_metadata())
        network = heads.resize_network(network, plan.num_classes(name, self._map))
        if self._devices.is_chief:
            integer_network.save(network, self._run.int8_file(name))
        self._drop_old_checkpoints(name)
        self._devices.wait()
