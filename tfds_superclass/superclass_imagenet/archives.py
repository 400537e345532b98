"""Finds and reads ILSVRC2012's images: from its two tar archives, or from extracted trees.

Images are found by the headers of archives and the names in folders alone, and archives are never
unpacked to disk. Paths may be remote ones that TFDS knows, such as `gs://`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import posixpath
import re
import tarfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import BinaryIO, NamedTuple

import tensorflow_datasets as tfds

# Relative, because `tfds build` may import this folder as a package of its own.
from . import whole_images

TRAIN_TAR = "ILSVRC2012_img_train.tar"
VALIDATION_TAR = "ILSVRC2012_img_val.tar"
# Sizes as TFDS has them (checksums.tsv of imagenet2012), digests as torchvision does.
INSTRUCTIONS = f"""\
Log in at https://image-net.org/download-images, choose ILSVRC2012, and download the training
images (Task 1 & 2) and the validation images (all tasks). Put both archives into the manual_dir:
  {TRAIN_TAR}  147,897,477,120 bytes, MD5 1d675b47d978889d74fa0da5fadfb00e
  {VALIDATION_TAR}      6,744,924,160 bytes, MD5 29b22e2961454d5413ddabcf34fc5622
Extracted ones do as well: train/<wnid>/*.JPEG, and val/*.JPEG or val/<wnid>/*.JPEG.
"""
_SOURCE = "image-net.org/download-images"

# Resource of the TFDS package: line n is the wnid of ILSVRC2012_val_{n:08d}.JPEG.
VALIDATION_LABELS = "datasets/imagenet2012/validation_labels.txt"
_VALIDATION_NAME = re.compile(r"ILSVRC2012_val_(\d{8})\.JPEG")
_WHOLE_FILE = -1


class Extent(NamedTuple):
    """Bytes of a file that are an encoded image, or a tar archive of such.

    Attributes:
      name: file name of the image or the archive.
      path: the file that holds it.
      start: offset of its first byte.
      size: in bytes; -1 for all the file.
    """

    name: str
    path: str
    start: int
    size: int


def find_train(folder: tfds.core.Path, wnids: Collection[str]) -> dict[str, tuple[Extent, ...]]:
    """Finds the training images of each class.

    Raises:
      ValueError: if `folder` has neither archive nor tree, or one that is damaged, lacks classes,
        or has one twice or with images of another.
    """
    archive, tree = folder / TRAIN_TAR, folder / "train"
    if archive.exists():
        inner = {extent.name: (extent,) for extent in _each_once(_list_archive(archive))}
        found = {wnid: inner.get(f"{wnid}.tar", ()) for wnid in wnids}
        return _check_complete(found, archive, expected="<wnid>.tar")
    if tree.exists():
        found = {
            wnid: tuple(
                _checked_name(image, wnid, tree / wnid)
                for image in _list_folder(tree / wnid, "*.JPEG")
            )
            for wnid in wnids
        }
        return _check_complete(found, tree, expected="<wnid>/*.JPEG")
    raise ValueError(_missing(folder, TRAIN_TAR, tree="train/"))


def find_validation(
    folder: tfds.core.Path, wnids: Collection[str]
) -> dict[str, tuple[Extent, ...]]:
    """Finds the validation images of each class, which their numbers tell.

    Raises:
      ValueError: if `folder` has neither archive nor tree, or one that is damaged, lacks classes,
        or has an image twice or in the folder of another class.
    """
    archive, tree = folder / VALIDATION_TAR, folder / "val"
    if archive.exists():
        place, extents = archive, _list_archive(archive)
    elif tree.exists():
        place, extents = tree, _list_folder(tree, "*.JPEG", "n*/*.JPEG")
    else:
        raise ValueError(_missing(folder, VALIDATION_TAR, tree="val/"))
    labels = tfds.core.tfds_path(VALIDATION_LABELS).read_text().split()
    found: dict[str, list[Extent]] = {wnid: [] for wnid in wnids}
    for extent in _each_once(sorted(extents)):
        wnid = _validation_label(extent, labels)
        if wnid in found:
            found[wnid].append(extent)
    complete = {wnid: tuple(images) for wnid, images in found.items()}
    return _check_complete(complete, place, expected="ILSVRC2012_val_NNNNNNNN.JPEG")


def read_images(extents: Iterable[Extent]) -> Iterator[tuple[str, bytes]]:
    """Yields file name and encoded bytes of each image, those of tar archives one by one.

    Raises:
      ValueError: if something is damaged, empty, no image, twice in an archive, or not an image of
        the class that its archive is named after.
    """
    for path, parts in itertools.groupby(extents, key=lambda extent: extent.path):
        with _open(path) as file:
            for part in parts:
                count = 0
                is_archive = part.name.endswith(".tar")
                for image in _list_class(file, part) if is_archive else [part]:
                    yield image.name, _read(file, image)
                    count += 1
                if not count:
                    raise ValueError(f"{path}: {part.name} in it is empty, expected images.")


@contextlib.contextmanager
def _open(path: str | tfds.core.Path) -> Iterator[BinaryIO]:
    try:
        with tfds.core.Path(path).open("rb") as file:
            yield file
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"{path}: {reason}, expected a file that can be read.") from error


def _list_archive(path: tfds.core.Path) -> list[Extent]:
    with _open(path) as file:
        size = file.seek(0, os.SEEK_END) or file.tell()  # TensorFlow's files return None.
        return list(_list_tar(file, Extent(path.name, os.fspath(path), 0, size)))


def _list_class(file: BinaryIO, archive: Extent) -> Iterator[Extent]:
    """Yields the training images of a class, which its archive is named after."""
    wnid = archive.name.removesuffix(".tar")
    for image in _each_once(_list_tar(file, archive)):
        yield _checked_name(image, wnid, f"{archive.path}: {archive.name}")


def _list_tar(file: BinaryIO, archive: Extent) -> Iterator[Extent]:
    """Yields the files of a tar archive, which may be a part of the open `file`."""
    file.seek(archive.start)
    try:
        with tarfile.open(fileobj=file, mode="r:") as headers:
            for header in headers:
                if header.offset_data + header.size > archive.start + archive.size:
                    raise tarfile.ReadError(f"{header.name} is cut off")
                name = posixpath.basename(header.name)
                if header.isfile() and not name.startswith("."):
                    yield Extent(name, archive.path, header.offset_data, header.size)
        # At a damaged header tarfile stops as it does at the end, which is a block of zeros.
        file.seek(headers.offset)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError(f"no tar header at byte {headers.offset:,}")
    except tarfile.TarError as error:
        inside = "" if archive.path.endswith(archive.name) else f"{archive.name} in it: "
        raise ValueError(
            f"{archive.path}: {inside}{error}, expected a whole tar archive as it comes from "
            f"{_SOURCE}. Check its MD5 and download it again."
        ) from error


def _list_folder(folder: tfds.core.Path, *patterns: str) -> Iterator[Extent]:
    for pattern in patterns:
        for path in sorted(folder.glob(pattern)):
            if not path.name.startswith("."):
                yield Extent(path.name, os.fspath(path), 0, _WHOLE_FILE)


def _read(file: BinaryIO, image: Extent) -> bytes:
    file.seek(image.start)
    data = file.read() if image.size == _WHOLE_FILE else file.read(image.size)
    fault = whole_images.fault(image.name, data)
    if fault:
        raise ValueError(f"{image.path}: {image.name} {fault}, expected a whole JPEG image.")
    return data


def _each_once(extents: Iterable[Extent]) -> Iterator[Extent]:
    """Yields them as they come, and refuses a name that comes again."""
    seen: dict[str, Extent] = {}
    for extent in extents:
        first = seen.setdefault(extent.name, extent)
        if first is not extent:
            places = " and ".join(
                place.path if place.size == _WHOLE_FILE else f"{place.path} at byte {place.start:,}"
                for place in (first, extent)
            )
            raise ValueError(f"Got {extent.name} twice, {places}, expected it once.")
        yield extent


def _checked_name(image: Extent, wnid: str, place: object) -> Extent:
    """Returns a training image if it is named as one of its class."""
    if not re.fullmatch(rf"{wnid}_\d+\.JPEG", image.name):
        raise ValueError(f"{place}: got an image {image.name}, expected {wnid}_<number>.JPEG.")
    return image


def _validation_label(extent: Extent, labels: list[str]) -> str:
    """Returns the class of a validation image."""
    match = _VALIDATION_NAME.fullmatch(extent.name)
    number = int(match[1]) if match else 0
    if not 1 <= number <= len(labels):
        raise ValueError(
            f"{extent.path}: got an image {extent.name}, expected ILSVRC2012_val_NNNNNNNN.JPEG "
            f"with a number from 1 to {len(labels)}."
        )
    wnid = labels[number - 1]
    folder = posixpath.basename(posixpath.dirname(extent.path))
    if re.fullmatch(r"n\d{8}", folder) and folder != wnid:
        raise ValueError(f"{extent.path}: is in folder {folder}, expected {wnid} for its number.")
    return wnid


def _check_complete(
    found: Mapping[str, tuple[Extent, ...]], place: tfds.core.Path, *, expected: str
) -> dict[str, tuple[Extent, ...]]:
    """Returns `found` if it has images of every class."""
    missing = [wnid for wnid, extents in found.items() if not extents]
    if missing:
        some = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise ValueError(
            f"{place}: no images of {len(missing)} of the {len(found)} classes ({some}), "
            f"expected {expected} of each, as they come from {_SOURCE}."
        )
    return dict(found)


def _missing(folder: tfds.core.Path, archive: str, *, tree: str) -> str:
    return (
        f"{folder}: found neither {archive} nor {tree}, expected one of them: download {archive} "
        f"from {_SOURCE} (ILSVRC2012) and put it there."
    )
