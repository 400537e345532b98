import random

import numpy as np
import tensorflow as tf

from ss_tf.training import randomness


def _draws(seed):
    randomness.set_up(seed=seed, deterministic=False)
    return [
        random.random(),
        np.random.random(),
        float(tf.random.uniform([])),
        float(tf.random.get_global_generator().uniform([])),
    ]


def test_every_source_of_randomness_follows_the_seed():
    assert _draws(7) == _draws(7)
    assert all(one != other for one, other in zip(_draws(7), _draws(8), strict=True))
