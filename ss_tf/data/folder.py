"""The data set `folder`: a person's own photos in a two-level tree."""

from __future__ import annotations

import multiprocessing.pool
import os
import pathlib
import stat
import unicodedata

import numpy as np
import tqdm

from ss_tf import config as config_lib
from ss_tf.data import folder_tree, image_files, preprocessing, splits
from ss_tf.data.examples import Dataset, Examples, ImageFormat
from ss_tf.hierarchy.superclass_map import SuperclassMap

# Share of every subclass that becomes validation when the tree has no validation/ of its own.
VALIDATION_FRACTION = 0.2


def load(config: config_lib.DataConfig, image_format: ImageFormat) -> Dataset:
    """Lists the photos under `config.data_dir`, and reads each once to see that it can be read.

    A tree without `train/` and `validation/` is split by the hash of each file's relative path:
    of every subclass a fifth, and at least one image, goes to validation; a single image is
    trained on. A label's name is "superclass/subclass", labels are in the order of these names.
    A file whose extension is not an image's counts as unreadable, so that nothing is left out
    unseen.

    Raises:
      ValueError: if there is no two-level tree with two superclasses; if a subclass has no
        image to train on, or no subclass one to validate on; or if an image is unreadable and
        not `config.skip_unreadable`.
    """
    if config.data_dir is None:
        raise ValueError("Data set 'folder' needs --data_dir, got none, expected a photo folder.")
    # No shell expands the ~ of --data_dir=~/photos.
    root = pathlib.Path(config.data_dir).expanduser()
    tree = folder_tree.read_tree(root)
    superclass_map = _superclass_map(tree, root=root)
    listed = {split: _examples(groups, superclass_map, root=root) for split, groups in tree.items()}
    # Before the long part; unreadable images may leave a class empty later.
    _check_not_empty(*_divide(listed), superclass_map=superclass_map, root=root)
    reasons = _unreadable(listed, image_format, image_size=config.image_size)
    if reasons and not config.skip_unreadable:
        raise ValueError(_refusal(reasons))
    train, validation = _divide(_without(listed, list(reasons)))
    _check_not_empty(train, validation, superclass_map=superclass_map, root=root)
    held_out = splits.hold_out(
        train.keys, train.labels, fraction=config.minival_fraction, at_least=0
    )
    return Dataset(
        name=config.name,
        superclass_map=superclass_map,
        train=train.select(~held_out),
        minival=train.select(held_out),
        validation=validation,
        unreadable=tuple((_key(path, root=root), reason) for path, reason in reasons.items()),
        **vars(image_format),
    )


def _superclass_map(tree: dict[str, folder_tree.Groups], *, root: pathlib.Path) -> SuperclassMap:
    """Collects the classes of all splits; the order does not depend on the file system."""
    pairs = sorted({pair for groups in tree.values() for pair in groups})
    names: dict[str, list[str]] = {}
    for superclass, subclass in pairs:
        names.setdefault(superclass, []).append(f"{superclass}/{subclass}")
    if len(names) < 2:
        raise ValueError(
            f"{root} has only one superclass, {next(iter(names))!r}, expected at least two."
        )
    return SuperclassMap.from_groups(names)


def _examples(
    groups: folder_tree.Groups, superclass_map: SuperclassMap, *, root: pathlib.Path
) -> Examples:
    """Lists the files of one split."""
    label_of = {name: label for label, name in enumerate(superclass_map.label_names)}
    pairs = [(path, label_of["/".join(group)]) for group, paths in groups.items() for path in paths]
    return Examples(
        images=np.array([path for path, _ in pairs], np.str_),
        labels=np.array([label for _, label in pairs], np.int64),
        keys=np.array([_key(path, root=root) for path, _ in pairs], np.str_),
    )


def _key(path: str, *, root: pathlib.Path) -> str:
    """Returns an image's name wherever its tree lies: the path from `root`, with forward slashes.

    Reports list images by it, so that they show nobody's disk.
    """
    relative = pathlib.Path(path).relative_to(root).as_posix()
    return image_files.printable(unicodedata.normalize("NFC", relative))


def _unreadable(
    listed: dict[str, Examples], image_format: ImageFormat, *, image_size: int
) -> dict[str, str]:
    """Reads every image as training will; returns path -> reason of those that fail."""
    paths = [path for examples in listed.values() for path in examples.images.tolist()]
    min_side = preprocessing.decoded_side(image_size)

    def check(path: str) -> str | None:
        try:
            _check_kind(path)
            image_files.read_image(path, channels=image_format.channels, min_side=min_side)
        except image_files.UnreadableImageError as error:
            return error.reason
        return None

    # Threads suffice: Pillow lets go of Python's lock while it decodes.
    with multiprocessing.pool.ThreadPool(os.cpu_count()) as pool:
        checks = pool.imap(check, paths, chunksize=8)
        reasons = list(tqdm.tqdm(checks, "Checking images", len(paths), unit="image"))
    return {path: reason for path, reason in zip(paths, reasons, strict=True) if reason}


def _check_kind(path: str) -> None:
    """Raises UnreadableImageError unless the path is a file with an image's extension."""
    extension = pathlib.PurePath(path).suffix
    if extension.lower() not in image_files.EXTENSIONS:
        expected = ", ".join(image_files.EXTENSIONS)
        reason = f"extension {extension!r} is not an image's, expected one of {expected}"
        raise image_files.UnreadableImageError(path, reason)
    # A pipe would block for ever; a missing file is read_image's to explain.
    if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
        raise image_files.UnreadableImageError(path, "not a regular file")


def _refusal(reasons: dict[str, str]) -> str:
    """Returns one line about the first unreadable image and how many others there are."""
    path, reason = next(iter(reasons.items()))
    others = f" (and {len(reasons) - 1} others)" if len(reasons) > 1 else ""
    return (
        f"Unreadable image {image_files.printable(path)}: {reason}{others}. "
        "Remove it, or leave unreadable images out with --skip_unreadable."
    )


def _without(listed: dict[str, Examples], paths: list[str]) -> dict[str, Examples]:
    """Leaves the images at `paths` out of every split."""
    return {
        split: examples.select(~np.isin(examples.images, paths))
        for split, examples in listed.items()
    }


def _divide(listed: dict[str, Examples]) -> tuple[Examples, Examples]:
    """Returns (train, validation), splitting a tree that is not divided on top."""
    if folder_tree.UNDIVIDED not in listed:
        return listed[folder_tree.TRAIN], listed[folder_tree.VALIDATION]
    everything = listed[folder_tree.UNDIVIDED]
    chosen = splits.hold_out(
        everything.keys, everything.labels, fraction=VALIDATION_FRACTION, at_least=1
    )
    return everything.select(~chosen), everything.select(chosen)


def _check_not_empty(
    train: Examples,
    validation: Examples,
    *,
    superclass_map: SuperclassMap,
    root: pathlib.Path,
) -> None:
    """Raises ValueError, naming a subclass, if there is nothing to train or to validate on."""
    missing = np.setdiff1d(np.arange(superclass_map.num_labels), train.labels)
    if missing.size:
        name = superclass_map.label_names[missing[0]]
        raise ValueError(
            f"Subclass {name!r} of {root} has no readable image to train on, "
            f"expected at least one ({missing.size} such subclasses in all)."
        )
    if not len(validation):
        raise ValueError(
            f"{root} has no image left for validation, expected a subclass with two images or more."
        )
