"""The command line of the edge runtime."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from ss_tf.edge import images as edge_images
from ss_tf.edge.classifier import Answer, EdgeClassifier
from ss_tf.edge.manifest import Manifest
from ss_tf.edge.network import ACCELERATORS, CPU

_STOPPED = 130
# As networks see them, in memory at a time; a sub network is made once for all of these.
_IMAGES_TOGETHER = 64
# More than any machine has.
_MOST_MEGABYTES = 1_000_000_000


def main(arguments: Sequence[str]) -> int:
    """Prints what each image file shows; returns the exit code, 1 if anything went wrong."""
    options = _parser().parse_args(arguments)
    # After the arguments: --help needs no Pillow.
    from ss_tf.data import image_files

    cache_bytes = None if options.cache_mb is None else int(1e6 * options.cache_mb)
    exit_code = 0
    try:
        classifier = EdgeClassifier(
            options.bundle,
            num_threads=options.num_threads,
            cache_bytes=cache_bytes,
            accelerator=options.accelerator,
        )
        if options.accelerator != CPU:
            print(f"ss_tf.edge: runs on the {classifier.accelerator}", file=sys.stderr)
        for start in range(0, len(options.images), _IMAGES_TOGETHER):
            paths = options.images[start : start + _IMAGES_TOGETHER]
            num_answered = 0
            for path, answer in _answers(classifier, paths):
                print(f"{image_files.printable(path)}: {_line(answer)}", flush=True)
                num_answered += 1
            if num_answered < len(paths):
                exit_code = 1
    except (ValueError, OSError) as error:
        _complain(error)
        return 1
    except KeyboardInterrupt:
        return _STOPPED
    return exit_code


def _answers(classifier: EdgeClassifier, paths: Sequence[str]) -> Iterator[tuple[str, Answer]]:
    """Yields files and what they show; complains of those that cannot be read or answered.

    A sub network that cannot be made costs the answers of those images alone that want it.
    """
    from ss_tf.data import image_files

    read = []
    try:
        answers = classifier.classify_many(_pixels(paths, classifier.manifest, read=read))
    except ValueError as error:
        if len(paths) == 1:
            _complain(f"{image_files.printable(paths[0])} has no answer: {error}")
            return
        for path in read:
            yield from _answers(classifier, [path])
        return
    yield from zip(read, answers, strict=True)


def _pixels(paths: Sequence[str], manifest: Manifest, *, read: list[str]) -> Iterator[np.ndarray]:
    """Yields the images of files; adds to `read` those that are some, and complains of others."""
    from ss_tf.data import image_files

    side = edge_images.decoded_side(manifest.image_size)
    for path in paths:
        try:
            pixels = image_files.read_image(path, channels=manifest.channels, min_side=side)
        except image_files.UnreadableImageError as error:
            _complain(error)
            continue
        read.append(path)
        yield pixels


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ss_tf.edge", description="Classifies image files on a device."
    )
    parser.add_argument("bundle", help="folder that export.py --format=tflite made")
    parser.add_argument("images", nargs="+", help="image files")
    parser.add_argument("--num_threads", type=int, default=1, help="default: 1")
    parser.add_argument(
        "--accelerator",
        choices=ACCELERATORS,
        default=CPU,
        help="what networks run on; default: cpu. gpu: an error where there is none",
    )
    parser.add_argument(
        "--cache_mb",
        type=megabytes,
        help="MB that live sub networks may take; default: room for one. 0: one network at a time, "
        "the base included",
    )
    return parser


def megabytes(text: str) -> float:
    """Reads a number of MB.

    Raises:
      argparse.ArgumentTypeError: if it is none; argparse tells the user.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= _MOST_MEGABYTES:
        raise argparse.ArgumentTypeError(
            f"it is {text!r}, expected a number of MB from 0 to {_MOST_MEGABYTES:,}"
        )
    return number


def _line(answer: Answer) -> str:
    """Returns `owl (bird) 87.5 %`."""
    percent = f"{100 * answer.probability:.1f} %"
    superclass = _as_text(answer.superclass_name)
    if answer.label < 0:
        return f"{superclass} {percent}"
    return f"{_as_text(answer.label_name)} ({superclass}) {percent}"


def _as_text(name: str) -> str:
    """Returns a name, which came with the bundle, without what could steer a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def _complain(error: Exception | str) -> None:
    print(f"ss_tf.edge: error: {error}", file=sys.stderr)
