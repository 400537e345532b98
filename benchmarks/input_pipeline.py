"""Times the input pipeline beside its peers, and beside a training step.

    python benchmarks/input_pipeline.py --json docs/results/input_pipeline.json

Data: 128 generated JPEG images of 500 x 375 pixels, quality 90, about 110 kB each like ImageNet's:
smooth noise of many sizes, straight edges and grain. They are written once as TFRecords by TFDS and
once as single files. Everything then comes from the page cache: disks are not measured.

All pipelines give float32 batches of 224 x 224 pixels in random order:

  ours           `train_batches`: any image at random from the TFRecords, a random crop decoded
                 alone, resize, mirroring, normalisation. Crops have 0.35 to all of the area.
  ours, 0.08     the same with crops of 0.08 to all of the area.
  plain TFDS     tfds.load(shuffle_files=True, as_supervised=True), map of tf.image.resize with
                 AUTOTUNE, batch, prefetch. No crop, no mirroring, no normalisation.
  normalised     the same with (resize / 255 - mean) / std in the map.
  Pillow         torch's DataLoader over the files, a worker process per core: Pillow decodes a
                 random crop's image, cuts, resizes and mirrors it; torch normalises it.

Each pipeline runs several times, in turns with the
others, so that what else the machine does hits all alike; medians are reported. Images/s per core
are images/s of the whole machine divided by its cores.

The training loop is a ResNet-18 of full width on 224 x 224 pixels, batches of 16, on what devices
TensorFlow has: its steps/s fed by our pipeline, over its steps/s on one batch held in memory.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import os
import pathlib
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tqdm
from PIL import Image

# Without this, a checkout that is not installed would not be found.
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
# Before TensorFlow, for which it chooses Keras 2.
import ss_tf  # noqa: F401

_WIDTH, _HEIGHT, _QUALITY = 500, 375, 90
_NUM_IMAGES = 128
# Times that the images are repeated in an epoch of ours, so that it does not end while it is timed.
_REPEATS = 128
_IMAGE_SIZE, _BATCH_SIZE = 224, 32
_LOOP_BATCH_SIZE = 16
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MIN_CROP_AREA, _SMALLER_CROP_AREA = 0.35, 0.08
# What a pipeline has made in advance is not counted.
_WARMUP_BATCHES = 6
_TIMED_BATCHES = 16
_CORES = len(os.sched_getaffinity(0))


def make_photo(seed: int) -> bytes:
    """Draws a photo-like JPEG image: its detail falls with its size, as in photos."""
    generator = np.random.default_rng(seed)
    pixels = np.full((_HEIGHT, _WIDTH, 3), 128.0)
    for num_waves, contrast in ((3, 70), (8, 40), (24, 25), (80, 15), (250, 10)):
        noise = generator.normal(size=(num_waves * _HEIGHT // _WIDTH + 1, num_waves, 3))
        for channel in range(3):
            layer = Image.fromarray(noise[..., channel].astype(np.float32))
            layer = layer.resize((_WIDTH, _HEIGHT), Image.Resampling.BICUBIC)
            pixels[..., channel] += contrast * np.asarray(layer)
    y, x = np.mgrid[:_HEIGHT, :_WIDTH]
    for _ in range(12):
        angle, place = generator.uniform(0, 2 * np.pi), generator.uniform(0, 1, 2)
        side = (x - place[0] * _WIDTH) * np.cos(angle) + (y - place[1] * _HEIGHT) * np.sin(angle)
        pixels[side > 0] += generator.normal(0, 20, 3)
    pixels += generator.normal(0, 20, (_HEIGHT, _WIDTH, 1))
    buffer = io.BytesIO()
    photo = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    photo.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def prepare(folder: pathlib.Path):
    """Writes the images as files, and as TFRecords through TFDS; returns the TFDS builder."""
    import tensorflow_datasets as tfds

    photos = [make_photo(seed) for seed in tqdm.trange(_NUM_IMAGES, desc="Drawing images")]
    for number, photo in enumerate(photos):
        (folder / f"{number:04d}.jpg").write_bytes(photo)

    class Photos(tfds.core.GeneratorBasedBuilder):
        """The features of superclass_imagenet."""

        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {
                "image": tfds.features.Image(encoding_format="jpeg"),
                "label": tfds.features.ClassLabel(num_classes=_NUM_IMAGES),
                "superclass": tfds.features.ClassLabel(num_classes=1),
                "file_name": tfds.features.Text(),
            }
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(features),
                supervised_keys=("image", "label"),
            )

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for number, photo in enumerate(photos):
                example = {"image": io.BytesIO(photo), "label": number, "superclass": 0}
                yield number, {**example, "file_name": f"{number:04d}.jpg"}

    builder = Photos(data_dir=folder)
    builder.download_and_prepare()
    return builder


def ours(builder, *, batch_size: int, min_crop_area: float = _MIN_CROP_AREA) -> Iterable:
    """Returns an epoch of ours over many times the images."""
    from ss_tf import config
    from ss_tf.data import catalog, examples, input_pipeline, records

    index = records.index_of(builder, "train")
    once = examples.Examples(index.records, index.labels, index.keys, index.files)
    fit = config.FitConfig(
        epochs=1,
        batch_size=batch_size,
        image_size=_IMAGE_SIZE,
        learning_rate=0.1,
        warmup_epochs=0.0,
        momentum=0.9,
        weight_decay=0.0,
        label_smoothing=0.0,
        min_crop_area=min_crop_area,
        augment=("flip",),
        mixup=0.0,
        cutmix=0.0,
        ema_decay=0.0,
        seed=0,
        checkpoint_minutes=60.0,
    )
    return input_pipeline.train_batches(
        once.select(np.tile(np.arange(_NUM_IMAGES), _REPEATS)),
        catalog.image_format("superclass_imagenet"),
        fit=fit,
        epoch=0,
    )


def plain_tfds(builder, *, is_normalised: bool) -> Iterable:
    """Returns what a few lines of TFDS make; `as_dataset` is what tfds.load calls."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    def resize(image, label):
        return tf.image.resize(image, [_IMAGE_SIZE, _IMAGE_SIZE]), label

    def resize_and_normalise(image, label):
        image = tf.image.resize(image, [_IMAGE_SIZE, _IMAGE_SIZE])
        return (image / 255.0 - _MEAN) / _STD, label

    # TFDS would keep so few images decoded in memory, but not those of ImageNet.
    uncached = tfds.ReadConfig(try_autocache=False)
    images = builder.as_dataset(
        split="train", shuffle_files=True, as_supervised=True, read_config=uncached
    ).repeat()
    images = images.map(resize_and_normalise if is_normalised else resize, tf.data.AUTOTUNE)
    return images.batch(_BATCH_SIZE).prefetch(tf.data.AUTOTUNE)


class PillowFiles:
    """The image files as a torch data set, whose items are cropped and mirrored at random."""

    def __init__(self, paths: list[str]):
        """Takes the paths of the files."""
        self._paths = paths * _REPEATS

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int):
        """Returns one image, normalised, float32 `[3, size, size]`."""
        import torch

        with Image.open(self._paths[index]) as file:
            image = file.convert("RGB")
        image = image.resize(
            (_IMAGE_SIZE, _IMAGE_SIZE),
            Image.Resampling.BILINEAR,
            box=_random_box(*image.size),
        )
        if torch.rand(()) < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
        mean, std = (torch.tensor(values)[:, None, None] for values in (_MEAN, _STD))
        return (pixels.float() / 255 - mean) / std


def _random_box(width: int, height: int) -> tuple[int, int, int, int]:
    """Draws a box as torchvision's RandomResizedCrop does, of the area that ours has."""
    import torch

    for _ in range(10):
        area = width * height * float(torch.empty(()).uniform_(_MIN_CROP_AREA, 1.0))
        aspect = float(torch.empty(()).uniform_(float(np.log(3 / 4)), float(np.log(4 / 3))).exp())
        box_width, box_height = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if box_width <= width and box_height <= height:
            left = int(torch.randint(width - box_width + 1, ()))
            top = int(torch.randint(height - box_height + 1, ()))
            return left, top, left + box_width, top + box_height
    return 0, 0, width, height


def pillow(folder: pathlib.Path) -> Iterable:
    """Returns torch's DataLoader over the files."""
    import torch.utils.data

    return torch.utils.data.DataLoader(
        PillowFiles([str(path) for path in sorted(folder.glob("*.jpg"))]),
        batch_size=_BATCH_SIZE,
        shuffle=True,
        num_workers=_CORES,
        # TensorFlow's threads do not survive a fork.
        multiprocessing_context="spawn",
        persistent_workers=True,
    )


def time_pipelines(pipelines: dict[str, Callable[[], Iterable]], turns: int) -> dict[str, list]:
    """Runs the pipelines in turns; returns images/s per core of each turn, by name."""
    rates = {name: [] for name in pipelines}
    for _ in tqdm.trange(turns, desc="Timing pipelines"):
        for name, make in pipelines.items():
            batches = iter(make())
            _take(batches, _WARMUP_BATCHES)
            rates[name].append(_BATCH_SIZE / _CORES / _take(batches, _TIMED_BATCHES))
            del batches
    return rates


def _take(batches: Iterator, count: int) -> float:
    """Takes some batches; returns the seconds that one took."""
    began = time.perf_counter()
    for _ in range(count):
        next(batches)
    return (time.perf_counter() - began) / count


def time_loop(builder, *, turns: int, steps: int) -> dict[str, list[float]]:
    """Trains on our pipeline and on one batch in memory, in turns; returns steps/s of each turn."""
    import tensorflow as tf
    import tf_keras as keras

    from ss_tf import config
    from ss_tf.models.resnet import build_resnet

    shape = config.ModelConfig(
        backbone="resnet18", resnet_blocks=None, base_width=64, stem="imagenet"
    )
    model = build_resnet(shape, num_classes=_NUM_IMAGES, image_size=_IMAGE_SIZE, channels=3, seed=0)
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
    batches = iter(ours(builder, batch_size=_LOOP_BATCH_SIZE))
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


def _ratio(rates: dict[str, list[float]], name: str, other: str) -> float | None:
    """Returns the median over the turns of one rate over another one's, None if not measured."""
    if other not in rates:
        return None
    return statistics.median(one / two for one, two in zip(rates[name], rates[other], strict=True))


def measure(*, turns: int, loop_turns: int, loop_steps: int) -> dict:
    """Measures everything; returns what goes into the JSON file."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        builder = prepare(folder)
        pipelines = {
            "ours": lambda: ours(builder, batch_size=_BATCH_SIZE),
            "ours, 0.08": lambda: ours(
                builder, batch_size=_BATCH_SIZE, min_crop_area=_SMALLER_CROP_AREA
            ),
            "plain TFDS": lambda: plain_tfds(builder, is_normalised=False),
            "normalised": lambda: plain_tfds(builder, is_normalised=True),
        }
        if importlib.util.find_spec("torch"):
            loader = pillow(folder)
            pipelines["Pillow"] = lambda: loader
        else:
            print("torch is not installed, so vs_pillow is null: pip install torch")
        rates = time_pipelines(pipelines, turns)
        loop = time_loop(builder, turns=loop_turns, steps=loop_steps)
        jpeg_bytes = [path.stat().st_size for path in folder.glob("*.jpg")]
    return {
        "vs_plain_tfds": _ratio(rates, "ours", "plain TFDS"),
        "vs_pillow": _ratio(rates, "ours", "Pillow"),
        "loop_vs_memory": _ratio(loop, "real input", "memory"),
        "vs_plain_tfds_crops_0.08": _ratio(rates, "ours, 0.08", "plain TFDS"),
        "vs_normalised_tfds": _ratio(rates, "ours", "normalised"),
        "images_per_second_per_core": {n: statistics.median(r) for n, r in rates.items()},
        "steps_per_second": {n: statistics.median(r) for n, r in loop.items()},
        "mean_jpeg_bytes": statistics.mean(jpeg_bytes),
        "cores": _CORES,
        "machine": platform.machine(),
    }


def main() -> None:
    """Measures, prints, and writes the file that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=pathlib.Path, help="file to write the results to")
    parser.add_argument("--turns", type=int, default=7, help="times that each pipeline is timed")
    parser.add_argument("--loop_turns", type=int, default=4, help="the same for the training loop")
    parser.add_argument("--loop_steps", type=int, default=3, help="training steps per turn")
    arguments = parser.parse_args()
    results = measure(
        turns=arguments.turns,
        loop_turns=arguments.loop_turns,
        loop_steps=arguments.loop_steps,
    )
    text = json.dumps(results, indent=1)
    print(text)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(f"{text}\n")


if __name__ == "__main__":
    main()
