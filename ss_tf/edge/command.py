"""The command line of the edge runtime."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ss_tf.edge import images as edge_images
from ss_tf.edge.classifier import Answer, EdgeClassifier

_STOPPED = 130


def main(arguments: Sequence[str]) -> int:
    """Prints what each image file shows; returns the exit code, 1 if anything went wrong."""
    options = _parser().parse_args(arguments)
    # After the arguments: --help needs no Pillow.
    from ss_tf.data import image_files

    cache_bytes = None if options.cache_mb is None else int(1e6 * options.cache_mb)
    try:
        classifier = EdgeClassifier(
            options.bundle, num_threads=options.num_threads, cache_bytes=cache_bytes
        )
        manifest, pixels = classifier.manifest, {}
        for path in options.images:
            try:
                side = edge_images.decoded_side(manifest.image_size)
                pixels[path] = image_files.read_image(
                    path, channels=manifest.channels, min_side=side
                )
            except image_files.UnreadableImageError as error:
                _complain(error)
        for path, answer in zip(pixels, classifier.classify_many([*pixels.values()]), strict=True):
            print(f"{path}: {_line(answer)}")
    except (ValueError, OSError) as error:
        _complain(error)
        return 1
    except KeyboardInterrupt:
        return _STOPPED
    return int(len(pixels) < len(set(options.images)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ss_tf.edge", description="Classifies image files on a device."
    )
    parser.add_argument("bundle", help="folder that export.py --format=tflite made")
    parser.add_argument("images", nargs="+", help="image files")
    parser.add_argument("--num_threads", type=int, default=1, help="default: 1")
    parser.add_argument(
        "--cache_mb",
        type=float,
        help="MB that live sub networks may take; default: room for one. 0: one network at a time, "
        "the base included",
    )
    return parser


def _line(answer: Answer) -> str:
    """Returns `owl (bird) 87.5 %`."""
    percent = f"{100 * answer.probability:.1f} %"
    if answer.label < 0:
        return f"{answer.superclass_name} {percent}"
    return f"{answer.label_name} ({answer.superclass_name}) {percent}"


def _complain(error: Exception) -> None:
    print(f"ss_tf.edge: error: {error}", file=sys.stderr)
