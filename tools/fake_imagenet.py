"""Writes archives of exactly the form of ImageNet's, with few and tiny images.

    python tools/fake_imagenet.py DIR
    python tools/fake_imagenet.py DIR --grouping=living_9

All classes of a grouping are there (by default the 253 of Superclassing ImageNet), and three
others. An image's colour tells its
superclass and its stripes the class, so a short training learns something. The same arguments
always give the same bytes (with the same Pillow).
"""

from __future__ import annotations

import argparse
import colorsys
import io
import pathlib
import tarfile
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.datasets.imagenet2012 import (
    imagenet2012_dataset_builder as imagenet2012,
)

from ss_tf.hierarchy import groupings, imagenet_classes

# Resource of the TFDS package: line n is the wnid of ILSVRC2012_val_{n:08d}.JPEG.
VALIDATION_LABELS = "datasets/imagenet2012/validation_labels.txt"
# Classes outside the grouping, which a builder must leave out.
_NUM_OUTSIDERS = 3
_NOISE_LEVELS = 25.0


def write(
    directory: pathlib.Path | str,
    *,
    images_per_class: int = 4,
    validation_per_class: int = 1,
    side: int = 32,
    grouping: str = "superclassing",
    roots: Sequence[str] = (),
) -> None:
    """Writes ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar.

    Args:
      directory: where to; made if it is missing.
      images_per_class: training images, of which the known defects of a class come first.
      validation_per_class: validation images, at most the 50 that ImageNet has.
      side: height of the images, pixels; they are up to twice as wide.
      grouping: whose classes, one of `groupings.NAMES`.
      roots: WordNet synset of each superclass, in place of a grouping with a name.

    Raises:
      ValueError: if there are no images to write, or more than 50 for validation, or no grouping
        of that name.
    """
    for name, value, most in (
        ("images_per_class", images_per_class, 10_000),
        ("validation_per_class", validation_per_class, 50),
        ("side", side, 10_000),
    ):
        if not 1 <= value <= most:
            raise ValueError(f"Got {name} {value}, expected 1 to {most}.")
    found = groupings.from_roots(roots) if roots else groupings.by_name(grouping)
    looks = _class_looks(found.groups)
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    train = (
        (f"{wnid}.tar", _tar(_train_images(wnid, look, count=images_per_class, side=side)))
        for wnid, look in looks.items()
    )
    (directory / "ILSVRC2012_img_train.tar").write_bytes(_tar(train))
    validation = _validation_images(looks, count=validation_per_class, side=side)
    (directory / "ILSVRC2012_img_val.tar").write_bytes(_tar(validation))


def _class_looks(groups: Mapping[str, Sequence[str]]) -> dict[str, tuple[float, float]]:
    """Returns wnid -> hue of its superclass and angle of its stripes, both in [0, 1)."""
    looks = {}
    for superclass, wnids in enumerate(groups.values()):
        for subclass, wnid in enumerate(wnids):
            looks[wnid] = (superclass / len(groups), subclass / len(wnids))
    outsiders = (wnid for wnid, _ in imagenet_classes.classes() if wnid not in looks)
    looks |= {wnid: (0.0, 0.0) for wnid, _ in zip(outsiders, range(_NUM_OUTSIDERS), strict=False)}
    return dict(sorted(looks.items()))


def _train_images(
    wnid: str, look: tuple[float, float], *, count: int, side: int
) -> Iterator[tuple[str, bytes]]:
    """Yields the images of a class, with ImageNet's known defects under their names."""
    defects = [
        name
        for name in [*imagenet2012.CMYK_IMAGES, *imagenet2012.PNG_IMAGES]
        if name.startswith(f"{wnid}_")
    ]
    names = [*defects, *(f"{wnid}_{number}.JPEG" for number in range(1, count + 1))]
    for name in names[:count]:
        yield name, _encode(_draw(look, name=name, side=side), name)


def _validation_images(
    looks: Mapping[str, tuple[float, float]], *, count: int, side: int
) -> Iterator[tuple[str, bytes]]:
    """Yields validation images of each class, under numbers that ImageNet gave to the class."""
    left = dict.fromkeys(looks, count)
    labels = tfds.core.tfds_path(VALIDATION_LABELS).read_text().split()
    for number, wnid in enumerate(labels, start=1):
        if left.get(wnid):
            left[wnid] -= 1
            name = f"ILSVRC2012_val_{number:08d}.JPEG"
            yield name, _encode(_draw(looks[wnid], name=name, side=side), name)


def _draw(look: tuple[float, float], *, name: str, side: int) -> np.ndarray:
    """Draws stripes of the class on the colour of the superclass; uint8 `[side, width, 3]`."""
    hue, angle = look
    generator = np.random.default_rng(list(name.encode()))
    width = side + int(generator.integers(side + 1))
    y, x = np.mgrid[:side, :width] / side
    wave = np.sin(6 * np.pi * (x * np.cos(np.pi * angle) + y * np.sin(np.pi * angle)))
    colour = np.array(colorsys.hsv_to_rgb(hue, 0.8, 200))
    image = colour * (0.8 + 0.2 * wave[..., np.newaxis])
    image += generator.normal(0, _NOISE_LEVELS, (side, width, 1))
    return np.clip(image, 0, 255).astype(np.uint8)


def _encode(pixels: np.ndarray, name: str) -> bytes:
    """Encodes as JPEG; in CMYK, or as PNG, where ImageNet has it so by mistake."""
    image = Image.fromarray(pixels)
    buffer = io.BytesIO()
    if name in imagenet2012.PNG_IMAGES:
        image.save(buffer, "PNG")
    elif name in imagenet2012.CMYK_IMAGES:
        image.convert("CMYK").save(buffer, "JPEG")
    else:
        image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _tar(files: Iterator[tuple[str, bytes]]) -> bytes:
    """Packs files into a tar archive; no owner, no time, so that nothing but the files counts."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files:
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return buffer.getvalue()


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("directory", type=pathlib.Path, help="Folder to write both archives to.")
    parser.add_argument("--images_per_class", type=int, default=4, help="Training images.")
    parser.add_argument("--validation_per_class", type=int, default=1, help="Validation images.")
    parser.add_argument("--side", type=int, default=32, help="Height of the images, pixels.")
    classes = parser.add_mutually_exclusive_group()
    classes.add_argument(
        "--grouping",
        choices=groupings.NAMES,
        default="superclassing",
        help="Whose classes (default: %(default)s).",
    )
    classes.add_argument(
        "--roots",
        type=lambda roots: roots.split(","),
        default=(),
        help="Comma-separated WordNet synsets, one per superclass, in place of a grouping.",
    )
    return parser.parse_args(arguments)


def main() -> None:
    """Writes the archives."""
    write(**vars(parse_arguments()))


if __name__ == "__main__":
    main()
