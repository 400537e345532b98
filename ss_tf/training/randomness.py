"""Randomness: every draw comes from the seed of the run."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras


def set_up(*, seed: int, deterministic: bool) -> None:
    """Seeds the process; `deterministic` also rules out kernels whose results vary, for good."""
    keras.utils.set_random_seed(seed)
    # keras-cv asks for this generator, and may not seed it by the clock under determinism.
    tf.random.set_global_generator(tf.random.Generator.from_seed(seed))
    if deterministic:
        tf.config.experimental.enable_op_determinism()
