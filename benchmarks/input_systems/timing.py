"""Times pipelines in turns, and a training loop that one of them feeds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator

import tqdm

from input_systems import photos, pipelines

_LOOP_BATCH_SIZE = 16
# What a pipeline has made in advance is not counted.
_WARMUP_BATCHES = 6
_TIMED_BATCHES = 16


def time_pipelines(systems: dict[str, Callable[[], Iterable]], turns: int) -> dict[str, list]:
    """Runs the pipelines in turns; returns images/s per core of each turn, by name."""
    rates = {name: [] for name in systems}
    for _ in tqdm.trange(turns, desc="Timing pipelines"):
        for name, make in systems.items():
            batches = iter(make())
            _take(batches, _WARMUP_BATCHES)
            rates[name].append(
                pipelines.BATCH_SIZE / pipelines.CORES / _take(batches, _TIMED_BATCHES)
            )
            del batches
    return rates


def time_loop(builder, *, turns: int, steps: int) -> dict[str, list[float]]:
    """Trains on our pipeline and on one batch in memory, in turns; returns steps/s of each turn."""
    import tensorflow as tf
    import tf_keras as keras

    from ss_tf import config
    from ss_tf.models.resnet import build_resnet

    shape = config.ModelConfig(
        backbone="resnet18", resnet_blocks=None, base_width=64, stem="imagenet"
    )
    model = build_resnet(
        shape, num_classes=photos.NUM_IMAGES, image_size=pipelines.IMAGE_SIZE, channels=3, seed=0
    )
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    rates = {"real input": [], "memory": []}
    batches = iter(pipelines.ours(builder, batch_size=_LOOP_BATCH_SIZE))
    for _ in range(_WARMUP_BATCHES):
        kept = next(batches)
        float(step(kept.images, kept.labels))
    for _ in tqdm.trange(turns, desc="Timing the training loop"):
        for name in rates:
            began = time.perf_counter()
            for _ in range(steps):
                batch = next(batches) if name == "real input" else kept
                loss = step(batch.images, batch.labels)
            float(loss)  # Waits for the device.
            rates[name].append(steps / (time.perf_counter() - began))
    return rates


def ratio(rates: dict[str, list[float]], name: str, other: str) -> float | None:
    """Returns the median over the turns of one rate over another one's, None if not measured."""
    if other not in rates:
        return None
    return statistics.median(one / two for one, two in zip(rates[name], rates[other], strict=True))


def _take(batches: Iterator, count: int) -> float:
    """Takes some batches; returns the seconds that one took."""
    began = time.perf_counter()
    for _ in range(count):
        next(batches)
    return (time.perf_counter() - began) / count
