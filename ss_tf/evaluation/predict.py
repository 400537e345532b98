"""Superclass and subclass of single image files, by two-stage routing."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ss_tf.config import RunConfig
from ss_tf.data import catalog, image_files, listing, preprocessing
from ss_tf.data.examples import ImageFormat
from ss_tf.data.image_files import UnreadableImageError
from ss_tf.evaluation import prediction_format
from ss_tf.evaluation.prediction_format import Prediction, ScoredLabel
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing import fitted_policy, loading
from ss_tf.routing.router import Router
from ss_tf.training.run_dir import RunDir


def print_predictions(
    config: RunConfig,
    run: RunDir,
    paths: Sequence[str | os.PathLike],
    *,
    routing: str = "hard",
    top_k: int = 1,
    as_json: bool = False,
    cache_bytes: int = 0,
) -> int:
    """Prints one line per image as soon as its batch is done.

    What is wrong with an image that cannot be read goes to standard error, or is a line of JSON
    among the others; other images go on.

    Args:
      config: the run's settings.
      run: its folder.
      paths: image files, and folders, which stand for the images anywhere below them.
      routing: "hard", or "soft" for the policy fitted to the run.
      top_k: most labels per image.
      as_json: prints `prediction_format.json_line` instead of `text_line`.
      cache_bytes: most memory for sub networks that stay restored.

    Returns:
      Exit code: 0, or 1 if an image could not be read.

    Raises:
      ValueError: if a folder holds no image, or as `predict_images`.
    """
    files = listing.expand_folders(paths)  # Before the networks, which take seconds to load.
    exit_code = 0
    outcomes = predict_images(
        config, run, files, routing=routing, top_k=top_k, cache_bytes=cache_bytes
    )
    for outcome in outcomes:
        is_error = isinstance(outcome, UnreadableImageError)
        if as_json:
            print(prediction_format.json_line(outcome), flush=True)
        elif is_error:
            print(f"error: {outcome}", file=sys.stderr)
        else:
            print(prediction_format.text_line(outcome), flush=True)
        exit_code |= is_error
    return exit_code


def predict_images(
    config: RunConfig,
    run: RunDir,
    paths: Sequence[pathlib.Path],
    *,
    routing: str = "hard",
    top_k: int = 1,
    cache_bytes: int = 0,
) -> Iterator[Prediction | UnreadableImageError]:
    """Predicts image files with the run's int8 base and the sub networks of its bank.

    Args:
      config: the run's settings.
      run: its folder.
      paths: image files.
      routing: "hard", or "soft" for the policy fitted to the run.
      top_k: most labels in `top` of a prediction, at least 1; those with probability 0 are left
        out.
      cache_bytes: most memory for sub networks that stay restored.

    Returns:
      For each path, in order, its prediction, or what is wrong with the file. Batches are worked
      on as they are asked for.

    Raises:
      ValueError: if the run lacks a network that two-stage routing needs, or the policy that is
        asked for, or one is damaged; or if `top_k` is below 1.
    """
    if top_k < 1:
        raise ValueError(f"top_k is {top_k}, expected at least 1.")
    superclass_map = run.superclass_map()
    image_format = catalog.image_format(config.data.name)
    policy = fitted_policy.load(config, run, routing)
    router = loading.load_router(
        config, run, image_format=image_format, policy=policy, cache_bytes=cache_bytes
    )
    batch_size = config.flat_fit.batch_size

    def outcomes() -> Iterator[Prediction | UnreadableImageError]:
        for start in range(0, len(paths), batch_size):
            batch = paths[start : start + batch_size]
            images = [_read(p, image_format, image_size=config.data.image_size) for p in batch]
            yield from _predict(router, superclass_map, paths=batch, images=images, top_k=top_k)

    return outcomes()


def _predict(
    router: Router,
    superclass_map: SuperclassMap,
    *,
    paths: Sequence[pathlib.Path],
    images: Sequence[np.ndarray | UnreadableImageError],
    top_k: int,
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
        of_image = {name: values[row] for name, values in routed.items()}
        yield named(path, of_image, superclass_map, top_k=top_k)
        row += 1


def named(
    path: pathlib.Path,
    routed: Mapping[str, np.ndarray],
    superclass_map: SuperclassMap,
    *,
    top_k: int,
) -> Prediction:
    """Puts names to what a router decided about one image.

    Args:
      path: the image.
      routed: the fields of `decisions.Routed`, each of one image.
      superclass_map: gives the names.
      top_k: most labels in `top`, at least 1.
    """
    labels, names = superclass_map.label_names, superclass_map.superclass_names
    label, scores = int(routed["label"]), routed["scores"]
    # Equal ones in order of their index, as the router decides.
    best = np.argsort(-scores, kind="stable")[:top_k]
    return Prediction(
        path=path,
        superclass=names[routed["superclass"]],
        superclass_probability=float(routed["superclass_probability"]),
        subclass=None if label < 0 else labels[label],
        subclass_probability=float(routed["subclass_probability"]),
        opened=tuple(
            names[superclass]
            for superclass in np.flatnonzero(routed["opened"])
            # With one label there is no sub network to ask.
            if len(superclass_map.labels_in(superclass)) > 1
        ),
        top=tuple(
            ScoredLabel(
                label=labels[index],
                superclass=names[superclass_map.superclass_of_label[index]],
                probability=float(scores[index]),
            )
            for index in best
            if scores[index] > 0
        ),
    )


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
