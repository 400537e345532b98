"""Logits of a network over examples, each example exactly once."""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf
import tf_keras as keras
import tqdm

from ss_tf.data import input_pipeline
from ss_tf.data.examples import Examples, ImageFormat

# A terminal is redrawn often; a log file gets a line every ten seconds.
_REFRESH_SECONDS = 0.5 if sys.stderr.isatty() else 10.0


class Predictor:
    """A model with its compiled forward pass.

    Weights may be assigned to the model between calls: networks of one shape, with heads filled up
    to one width, then share one compilation, which takes longer than running a small network.
    """

    def __init__(
        self,
        model: keras.Model,
        image_format: ImageFormat,
        *,
        image_size: int,
        batch_size: int,
    ):
        """Takes a model (shared, not copied; float or quantization-aware)."""
        self.model = model
        self._image_format = image_format
        self._image_size = image_size
        self._batch_size = batch_size
        # AutoGraph would rewrite what tfmot wraps around every layer, and find nothing to convert.
        self._forward = tf.function(lambda images: model(images, training=False), autograph=False)

    @property
    def width(self) -> int:
        """Number of logits the model has; networks may use fewer."""
        return self.model.output_shape[-1]

    def logits(self, examples: Examples, *, num_classes: int, title: str) -> np.ndarray:
        """Runs the model with its present weights, showing progress in images per second.

        Args:
          examples: any number.
          num_classes: logits in use, the first of the model's.
          title: shown with the progress.

        Returns:
          float32 `[n, num_classes]`, in the order of the examples.

        Raises:
          ValueError: if the batches do not hold every example exactly once.
        """
        batches = input_pipeline.eval_batches(
            examples,
            self._image_format,
            image_size=self._image_size,
            batch_size=self._batch_size,
        )
        rows = [np.zeros((0, num_classes), np.float32)]
        with tqdm.tqdm(
            desc=title,
            total=len(examples),
            unit=" images",
            mininterval=_REFRESH_SECONDS,
            dynamic_ncols=True,
        ) as bar:
            for batch in batches:
                is_counted = batch["mask"].numpy() > 0
                logits = self._forward(batch["image"]).numpy()
                rows.append(logits[is_counted, :num_classes])
                bar.update(int(is_counted.sum()))
        result = np.concatenate(rows)
        if len(result) != len(examples):
            raise ValueError(
                f"{title} has logits of {len(result)} images, expected {len(examples)}."
            )
        return result
