"""The networks of a run, ready to be run over examples."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping

import numpy as np
import tf_keras as keras

from ss_tf import files
from ss_tf.config import ModelConfig, RunConfig
from ss_tf.data.examples import Dataset, Examples
from ss_tf.deltas import bank
from ss_tf.evaluation.predictions import Predictor
from ss_tf.models import heads, int8_grid, integer_network, quantization, variables
from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.models.resnet import build_resnet
from ss_tf.training import plan
from ss_tf.training.run_dir import FLAT_EQUAL_COMPUTE, RunDir


class Networks:
    """Runs the networks of a run: float from their files, int8 from the base and the bank.

    There is one compiled model per shape and form, built when it is first needed.

    Attributes:
      seconds: "NAME FORM" of each network that was run -> seconds of all its
        runs, compilation included.
    """

    def __init__(self, config: RunConfig, run: RunDir, dataset: Dataset):
        self._config, self._run, self._dataset = config, run, dataset
        self.seconds: dict[str, float] = {}

    @functools.cached_property
    def base(self) -> IntegerNetwork | None:
        """The network that the bank's deltas are relative to; None if there is none yet."""
        if self._config.base is None or not self._run.int8_file(self._config.base).is_file():
            return None
        return integer_network.load(self._run.int8_file(self._config.base))

    def logits(self, name: str, form: str, *, examples: Examples) -> np.ndarray | None:
        """Runs a network over examples.

        Args:
          name: of the network, such as "flat" or "sub/bird".
          form: "float", or "int8": the base, and sub networks restored from the bank.
          examples: what it is run over.

        Returns:
          float32 `[n, num_classes]`, or None if the run has no such network.

        Raises:
          ValueError: naming the file, if it is damaged or holds a network of another shape.
        """
        predictor = self._with_float_weights(name) if form == "float" else self._with_int8(name)
        if predictor is None:
            return None
        began = time.monotonic()
        num_classes = plan.num_classes(name, self._dataset.superclass_map)
        title = f"{name} {form}"
        logits = predictor.logits(examples, num_classes=num_classes, title=title)
        self.seconds[title] = self.seconds.get(title, 0.0) + time.monotonic() - began
        return logits

    def _with_float_weights(self, name: str) -> Predictor | None:
        """Returns a predictor that holds a float network."""
        path = self._run.float_file(name)
        is_second_flat = name == FLAT_EQUAL_COMPUTE
        if not path.is_file() or (is_second_flat and self._config.equal_compute_model is None):
            return None
        tensors, _ = files.read_tensors(path)
        predictor = self._equal_compute if is_second_flat else self._float
        try:
            self._check_head(name, tensors)
            variables.assign(predictor.model, heads.resize(tensors, predictor.width))
        except ValueError as error:
            raise ValueError(f"{path} is not the run's {name} network: {error}") from error
        return predictor

    def _with_int8(self, name: str) -> Predictor | None:
        """Returns a predictor that holds an int8 network."""
        network = self._int8_network(name)
        if network is None:
            return None
        try:
            self._check_head(name, network.kernels)
            wide = heads.resize_network(network, self._int8.width)
            int8_grid.assign_integer(wide, self._int8.model)
        except ValueError as error:
            raise ValueError(
                f"{self._run.path} holds another {name} network in int8 than its flags say: {error}"
            ) from error
        return self._int8

    def _int8_network(self, name: str) -> IntegerNetwork | None:
        """Returns the base, or a sub network restored from the bank."""
        superclass = plan.superclass_of(name)
        if superclass is None:
            return self.base if name == self._config.base else None
        if self.base is None or superclass not in bank.names(self._run.bank_dir):
            return None
        return bank.read_entry(self._run.bank_dir, superclass, base=self.base)

    def _check_head(self, name: str, tensors: Mapping[str, np.ndarray]) -> None:
        """Raises ValueError unless the head has the network's number of classes.

        Heads are filled up to a common width, which would hide that one is another network's.
        """
        expected = plan.num_classes(name, self._dataset.superclass_map)
        for tensor in heads.HEAD_TENSORS:
            if tensor in tensors and tensors[tensor].shape[-1:] != (expected,):
                raise ValueError(
                    f"{tensor} has shape {tensors[tensor].shape}, expected {expected} classes."
                )

    @functools.cached_property
    def _float(self) -> Predictor:
        return self._predictor(self._build(self._config.model))

    @functools.cached_property
    def _int8(self) -> Predictor:
        float_model = self._build(self._config.model)
        return self._predictor(quantization.quantize(float_model, freeze_kernel_ranges=True))

    @functools.cached_property
    def _equal_compute(self) -> Predictor:
        return self._predictor(self._build(self._config.equal_compute_model))

    def _build(self, shape: ModelConfig) -> keras.Model:
        """Builds a float model with a head wide enough for every network of the run."""
        return build_resnet(
            shape,
            # There are at least as many labels as superclasses, and as subclasses of any.
            num_classes=self._dataset.superclass_map.num_labels,
            image_size=self._config.data.image_size,
            channels=self._dataset.channels,
        )

    def _predictor(self, model: keras.Model) -> Predictor:
        return Predictor(
            model,
            self._dataset,
            image_size=self._config.data.image_size,
            batch_size=self._config.flat_fit.batch_size,
        )
