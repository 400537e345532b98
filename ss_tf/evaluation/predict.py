"""Superclass and subclass of single image files, by two-stage routing."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from ss_tf.config import RunConfig
from ss_tf.data import catalog, image_files, preprocessing
from ss_tf.data.examples import ImageFormat
from ss_tf.data.image_files import UnreadableImageError
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing import loading
from ss_tf.routing.router import Router
from ss_tf.training.run_dir import RunDir


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a run says about one image.

    Attributes:
      path: the image.
      superclass: name of the superclass decided.
      superclass_probability: in [0, 1].
      subclass: name of the label decided, one of the superclass's.
      subclass_probability: given the superclass, in [0, 1].
    """

    path: pathlib.Path
    superclass: str
    superclass_probability: float
    subclass: str
    subclass_probability: float


def print_predictions(
    config: RunConfig, run: RunDir, paths: Sequence[pathlib.Path], *, cache_bytes: int = 0
) -> int:
    """Prints one line per image as soon as its batch is done.

    What is wrong with an image that cannot be read goes to standard error; others go on.

    Returns:
      Exit code: 0, or 1 if an image could not be read.

    Raises:
      ValueError: as `predict_images`.
    """
    exit_code = 0
    for outcome in predict_images(config, run, paths, cache_bytes=cache_bytes):
        if isinstance(outcome, Prediction):
            print(format_line(outcome), flush=True)
        else:
            print(f"error: {outcome}", file=sys.stderr)
            exit_code = 1
    return exit_code


def format_line(prediction: Prediction) -> str:
    """Returns `path: superclass 98.1 %, subclass 74.0 %`; the second is given the first."""
    return (
        f"{image_files.printable(prediction.path)}: "
        f"{prediction.superclass} {100 * prediction.superclass_probability:.1f} %, "
        f"{prediction.subclass} {100 * prediction.subclass_probability:.1f} %"
    )


def predict_images(
    config: RunConfig, run: RunDir, paths: Sequence[pathlib.Path], *, cache_bytes: int = 0
) -> Iterator[Prediction | UnreadableImageError]:
    """Predicts image files with the run's int8 base and the sub networks of its bank.

    Args:
      config: the run's settings.
      run: its folder.
      paths: image files.
      cache_bytes: as `loading.load_router`.

    Returns:
      For each path, in order, its prediction, or what is wrong with the file. Batches are worked
      on as they are asked for.

    Raises:
      ValueError: as `loading.load_router`.
    """
    superclass_map = run.superclass_map()
    image_format = catalog.image_format(config.data.name)
    router = loading.load_router(config, run, image_format=image_format, cache_bytes=cache_bytes)
    batch_size = config.flat_fit.batch_size

    def outcomes() -> Iterator[Prediction | UnreadableImageError]:
        for start in range(0, len(paths), batch_size):
            batch = paths[start : start + batch_size]
            images = [_read(p, image_format, image_size=config.data.image_size) for p in batch]
            yield from _predict(router, superclass_map, paths=batch, images=images)

    return outcomes()


def _predict(
    router: Router,
    superclass_map: SuperclassMap,
    *,
    paths: Sequence[pathlib.Path],
    images: Sequence[np.ndarray | UnreadableImageError],
) -> Iterator[Prediction | UnreadableImageError]:
    """Routes the images of one batch that could be read."""
    readable = [image for image in images if isinstance(image, np.ndarray)]
    routed = {}
    if readable:
        routed = {name: tensor.numpy() for name, tensor in router(np.stack(readable)).items()}
    row = 0
    for path, image in zip(paths, images, strict=True):
        if not isinstance(image, np.ndarray):
            yield image
            continue
        yield Prediction(
            path=path,
            superclass=superclass_map.superclass_names[routed["superclass"][row]],
            superclass_probability=float(routed["superclass_probability"][row]),
            subclass=superclass_map.label_names[routed["label"][row]],
            subclass_probability=float(routed["subclass_probability"][row]),
        )
        row += 1


def _read(
    path: pathlib.Path, image_format: ImageFormat, *, image_size: int
) -> np.ndarray | UnreadableImageError:
    """Reads an image as evaluation does: float32 `[image_size, image_size, channels]`."""
    try:
        pixels = image_files.read_image(
            path,
            channels=image_format.channels,
            min_side=preprocessing.decoded_side(image_size),
        )
    except UnreadableImageError as error:
        return error
    crop = preprocessing.centre_crop(
        pixels, image_size=image_size, crop_fraction=image_format.crop_fraction
    )
    return preprocessing.normalise(preprocessing.to_unit_range(crop), image_format).numpy()
