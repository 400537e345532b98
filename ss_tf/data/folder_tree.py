"""Two-level photo trees: which image files there are, of which subclass, in which split."""

from __future__ import annotations

import os
import pathlib
import unicodedata

from ss_tf.data import image_files, listing

TRAIN = "train"
VALIDATION = "validation"
# Split of every image in a tree that is not divided on top.
UNDIVIDED = ""

# A third split is common beside the two, and nothing here may ever look at it.
_IGNORED_SPLIT = "test"

# (superclass, subclass) -> paths of its images, both sorted.
Groups = dict[tuple[str, str], list[str]]


def read_tree(root: pathlib.Path) -> dict[str, Groups]:
    """Lists the files of a tree `superclass/subclass/file`.

    Every file of a subclass folder is listed, whatever its extension, so that nothing is left out
    unseen. Files above that level are ignored unless they are images. Links are followed.
    Names of folders are brought to Unicode form NFC: two systems may spell one name differently.

    Args:
      root: the folder with the superclasses, or with `train` and `validation`.

    Returns:
      {UNDIVIDED: groups}, or {TRAIN: groups, VALIDATION: groups}. A group may be empty.

    Raises:
      ValueError: if there is no such folder, or if it is no two-level tree. The message names the
        path and shows the expected tree.
    """
    if not root.is_dir():
        raise ValueError(f"data_dir {str(root)!r} is not a folder, expected one.{_expected(root)}")
    folders = _folders(str(root), root=root)
    splits = [split for split in (TRAIN, VALIDATION) if split in folders]
    if not splits:
        return {UNDIVIDED: _groups(folders, root=root)}
    for split in (TRAIN, VALIDATION):
        if split not in folders:
            raise ValueError(
                f"{root} has {splits[0]}/ but no {split}/, expected both or neither."
                f"{_expected(root)}"
            )
    for name in folders:
        if name not in (TRAIN, VALIDATION, _IGNORED_SPLIT):
            raise ValueError(
                f"{folders[name]} lies beside {TRAIN}/ and {VALIDATION}/, expected only these two "
                f"(and {_IGNORED_SPLIT}/, which is not read).{_expected(root)}"
            )
    return {split: _groups(_folders(folders[split], root=root), root=root) for split in splits}


def _groups(superclasses: dict[str, str], *, root: pathlib.Path) -> Groups:
    """Lists the files of each subclass, given superclass name -> folder."""
    return {
        (superclass, subclass): _files(folder, root=root)
        for superclass, superclass_folder in superclasses.items()
        for subclass, folder in _folders(superclass_folder, root=root).items()
    }


def _folders(parent: str, *, root: pathlib.Path) -> dict[str, str]:
    """Returns name -> path of the folders in `parent`, sorted by name; at least one."""
    folders = {}
    for entry in listing.entries(parent):
        if os.path.isdir(entry.path):
            name = _name(entry)
            if name in folders:
                other = os.path.basename(folders[name])
                # Escaped, for they look the same.
                raise ValueError(
                    f"{parent} has folders {other!a} and {entry.name!a}, one name in two "
                    "Unicode spellings, expected one folder. Move the images of one to the other."
                )
            folders[name] = entry.path
        elif not os.path.exists(entry.path):
            raise ValueError(f"{entry.path} is a link that leads nowhere, expected a folder.")
        elif pathlib.PurePath(entry.name).suffix.lower() in image_files.EXTENSIONS:
            raise ValueError(
                f"{entry.path} is an image outside a subclass folder.{_expected(root)}"
            )
    if not folders:
        raise ValueError(f"{parent} holds no folders.{_expected(root)}")
    return dict(sorted(folders.items()))


def _files(subclass_folder: str, *, root: pathlib.Path) -> list[str]:
    """Returns the paths in a subclass folder, sorted; an error if one of them is a folder."""
    entries = listing.entries(subclass_folder)
    for entry in entries:
        if os.path.isdir(entry.path):
            raise ValueError(
                f"{entry.path} is a folder inside a subclass folder, expected only images there."
                f"{_expected(root)}"
            )
    return [entry.path for entry in entries]


def _name(folder: os.DirEntry) -> str:
    """Returns the name that a folder gives its class.

    Raises:
      ValueError: if the name is not text, or if the folder is a link to one that contains it.
    """
    real = pathlib.Path(folder.path).resolve()
    if folder.is_symlink() and real in pathlib.Path(folder.path).absolute().parents:
        raise ValueError(f"{folder.path} is a link to {real}, a folder that contains it.")
    name = unicodedata.normalize("NFC", folder.name)
    if name != name.encode("utf-8", "replace").decode("utf-8"):
        raise ValueError(
            f"The name of folder {image_files.printable(folder.path)} is not valid UTF-8, "
            "expected a name that is."
        )
    return name


def _expected(root: pathlib.Path) -> str:
    """Shows the trees that can be read."""
    return f"""
Expected
  {root}/SUPERCLASS/SUBCLASS/IMAGE, for example {root}/dog/husky/1.jpg
or
  {root}/{TRAIN}/SUPERCLASS/SUBCLASS/IMAGE and
  {root}/{VALIDATION}/SUPERCLASS/SUBCLASS/IMAGE
with at least two superclasses and images named *{", *".join(image_files.EXTENSIONS)}."""
