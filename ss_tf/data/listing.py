"""What folders hold: their entries, and the image files anywhere below them."""

from __future__ import annotations

import collections
import os
import pathlib
import stat
from collections.abc import Iterator, Sequence

from ss_tf.data import image_files

# What operating systems leave in picture folders; names that start with a dot are ignored too.
_IGNORED_NAMES = ("thumbs.db", "desktop.ini", "__macosx")


def entries(folder: str | os.PathLike) -> list[os.DirEntry]:
    """Lists what is in a folder, without what systems leave there, sorted by name.

    Raises:
      ValueError: if it cannot be listed; the message names it.
    """
    try:
        with os.scandir(folder) as found:
            listed = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        shown = image_files.printable(folder)
        raise ValueError(f"{shown} cannot be listed: {error.strerror}.") from error
    return [
        entry
        for entry in listed
        if not entry.name.startswith(".") and entry.name.lower() not in _IGNORED_NAMES
    ]


def expand_folders(paths: Sequence[str | os.PathLike]) -> list[pathlib.Path]:
    """Puts in the place of each folder the images below it; other paths stay as they are.

    Args:
      paths: files, which need not exist or be images, and folders.

    Returns:
      The files, in the order of `paths`, those of one folder sorted. A file that is given twice
      is there twice.

    Raises:
      ValueError: if a folder holds no image, or one cannot be listed; the message names it.
    """
    expanded = []
    for path in map(pathlib.Path, paths):
        expanded += images_below(path) if os.path.isdir(path) else [path]
    return expanded


def images_below(root: pathlib.Path) -> list[pathlib.Path]:
    """Returns the image files of a folder and of all folders in it, sorted by folder and name.

    A file is an image by its extension, in capitals or not. Hidden files and folders are left out,
    and what is no file, as a pipe. A link that leads nowhere is listed if it is named as an image:
    whoever reads it says what is wrong. Links to folders are followed, but each folder is listed
    once, however many links lead to it: under its own path if that is below `root`.

    Raises:
      ValueError: if there is none, or a folder cannot be listed; the message names it.
    """
    found = [pathlib.Path(path) for path in _walk(root) if _is_image(path)]
    if not found:
        raise ValueError(
            f"{image_files.printable(root)} holds no image, expected at least one file named "
            f"*{', *'.join(image_files.EXTENSIONS)} in it or in a folder below it."
        )
    return sorted(found)


def _walk(root: pathlib.Path) -> Iterator[str]:
    """Yields the path of all that is no folder below `root`, in no particular order."""
    folders, links, seen = [os.fspath(root)], collections.deque(), set()
    while folders or links:
        # Links last, so that a folder has its own path rather than one through a link.
        folder = folders.pop() if folders else links.popleft()
        identity = os.stat(folder)
        if (identity.st_dev, identity.st_ino) in seen:
            continue
        seen.add((identity.st_dev, identity.st_ino))
        for entry in entries(folder):
            if not os.path.isdir(entry.path):
                yield entry.path
            elif entry.is_symlink():
                links.append(entry.path)
            else:
                folders.append(entry.path)


def _is_image(path: str) -> bool:
    if pathlib.PurePath(path).suffix.lower() not in image_files.EXTENSIONS:
        return False
    return not os.path.exists(path) or stat.S_ISREG(os.stat(path).st_mode)
