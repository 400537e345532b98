"""ResidentNetwork: one Keras model that becomes each network of a run in turn."""

from __future__ import annotations

import pathlib
import threading

import numpy as np
import tf_keras as keras

from ss_tf.deltas import bank
from ss_tf.models import heads, int8_grid, integer_network
from ss_tf.models.integer_network import IntegerNetwork


class ResidentNetwork:
    """The base, or the sub network of a superclass restored from the bank.

    In memory are one model and the base in int8; sub networks stay on disk. Every switch sets all
    variables to stored values, so nothing is left of the network before and nothing drifts.

    Variables are exact. The padded head can make a CPU sum in another order than a head of the
    network's own width: of heads with two classes or more, seen for a batch of one image with
    2,048 features, never with 512 or fewer.

    Every method takes `lock`, so calls from several threads do not mix; a caller that switches and
    then wants logits holds `lock` over both.

    Attributes:
      lock: a `threading.RLock`.
    """

    def __init__(self, model: keras.Model, base: IntegerNetwork, bank_dir: pathlib.Path):
        """Makes the base resident.

        Args:
          model: quantization-aware network whose head is as wide as the widest network of the
            run. It is changed by every switch; nothing else may use it.
          base: the network that the bank's entries are relative to. Not modified.
          bank_dir: folder of the bank.

        Raises:
          ValueError: if the base does not fit the model; the message names the tensor.
        """
        self.lock = threading.RLock()
        self._model = model
        self._base = base
        self._bank_dir = pathlib.Path(bank_dir)
        self._assign(base)
        self._superclass_name = None

    @property
    def superclass_name(self) -> str | None:
        """The superclass whose sub network is resident, or None for the base."""
        return self._superclass_name

    @property
    def num_classes(self) -> int:
        """Number of logits of the network that is resident."""
        return self._num_classes

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an input image."""
        return self._model.input_shape[1:]

    def switch(self, superclass_name: str | None) -> None:
        """Makes the sub network of a superclass resident, or with None the base.

        Raises:
          ValueError: as `bank.read_entry`, or if the network does not fit the model. The network
            that was resident then still is.
        """
        with self.lock:
            if superclass_name == self._superclass_name:
                return
            if superclass_name is None:
                network = self._base
            else:
                network = bank.read_entry(self._bank_dir, superclass_name, base=self._base)
            self._assign(network)
            self._superclass_name = superclass_name

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Computes the logits of the resident network.

        Args:
          images: float32 `[batch, height, width, channels]`, normalised as for training.

        Returns:
          float32 `[batch, num_classes]`.

        Raises:
          ValueError: if the images have another shape or dtype.
        """
        check_images(images, self.image_shape)
        with self.lock:
            if not len(images):
                return np.zeros((0, self._num_classes), np.float32)
            return self._model.predict_on_batch(images)[:, : self._num_classes]

    def _assign(self, network: IntegerNetwork) -> None:
        """Sets all variables; changes nothing if the network does not fit."""
        width = self._model.output_shape[-1]
        num_classes = network.kernels[f"{integer_network.HEAD}/kernel"].shape[-1]
        if num_classes > width:
            raise ValueError(f"The network has {num_classes} classes, the model room for {width}.")
        int8_grid.assign_integer(heads.resize_network(network, width), self._model)
        self._num_classes = num_classes


def check_images(images: np.ndarray, image_shape: tuple[int, int, int]) -> None:
    """Raises ValueError unless `images` is a float32 batch of images of that shape."""
    if images.dtype != np.float32 or images.shape[1:] != image_shape or images.ndim != 4:
        raise ValueError(
            f"Images are {images.dtype} of shape {images.shape}, "
            f"expected float32 of shape {('batch', *image_shape)}."
        )
