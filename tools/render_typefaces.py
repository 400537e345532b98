"""Renders the data set `superclass_typefaces` from the fonts of Debian packages.

    python tools/render_typefaces.py --output=tfds_superclass/superclass_typefaces

The packages to install first are in typefaces_packages.txt. Needs Pillow and fontTools.
The result depends on nothing but the packages' versions (recorded in the manifest; others
are warned of), the FreeType inside Pillow (12.3.0 was used) and --seed; a run takes about
three minutes.
"""

from __future__ import annotations

import argparse
import logging
import pathlib
import random
from collections.abc import Sequence

import numpy as np
from typefaces import (
    faces,
    glyphs,
    manifest,
    packages,
    sampling,
    scripts,
    selection,
    sheets,
    storage,
)

_TOOLS = pathlib.Path(__file__).parent
_PACKAGES = _TOOLS / "typefaces_packages.txt"
_OUTPUT = _TOOLS.parent / "tfds_superclass" / "superclass_typefaces"


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--output", type=pathlib.Path, default=_OUTPUT, help="Folder to write to.")
    parser.add_argument("--seed", type=int, default=0, help="Seed of every random draw.")
    parser.add_argument("--train", type=int, default=110, help="Training images per typeface.")
    parser.add_argument(
        "--validation", type=int, default=50, help="Validation images per typeface."
    )
    parser.add_argument("--sheets", type=pathlib.Path, help="Folder for contact sheets.")
    parser.add_argument("--figure", type=pathlib.Path, help="PNG file for the overview figure.")
    parser.add_argument(
        "--licences_only",
        action="store_true",
        help="Rewrite the licences in the manifest in --output and stop; draws nothing.",
    )
    parser.add_argument(
        "--pictures_only",
        action="store_true",
        help="Draw --sheets and --figure from the files in --output; needs no fonts.",
    )
    return parser.parse_args(arguments)


def choose_faces() -> tuple[dict[str, list[faces.Face]], list[selection.Rejection]]:
    """Chooses the typefaces of all scripts.

    Returns:
      Script -> faces in the order of their labels, and the families refused.

    Raises:
      ValueError: if a package is not installed or a script does not get enough faces.
    """
    chosen, rejected, used_families = {}, [], set()
    for name, section in packages.read_sections(_PACKAGES).items():
        script = scripts.script_by_name(name)
        taken, refused = selection.choose(
            script,
            packages.candidates(section),
            used_families=used_families,
            excluded=section.excluded,
        )
        print(f"{name}: took {len(taken)} families, refused {len(refused)}", flush=True)
        if len(taken) != script.num_typefaces:
            raise ValueError(f"{name}: got {len(taken)} typefaces, expected {script.num_typefaces}")
        chosen[name] = sorted(taken, key=lambda face: selection.slug(face.family))
        rejected += refused
    return {script.name: chosen[script.name] for script in scripts.SCRIPTS}, rejected


def render(chosen: dict[str, list[faces.Face]], *, seed: int, count: int) -> np.ndarray:
    """Renders `count` images of every face, all different.

    Returns:
      uint8 `[labels, count, 32, 32]`.
    """
    seen: set[bytes] = set()
    images = []
    for name, members in chosen.items():
        characters = scripts.script_by_name(name).characters
        for face in members:
            # A generator for each typeface: adding one leaves the others as they are.
            generator = random.Random(f"{seed}/{name}/{selection.slug(face.family)}")
            size = glyphs.size_for_height(face.path, face_index=face.index, characters=characters)
            font = glyphs.load_font(face.path, face_index=face.index, size=size)
            images.append(
                sampling.distinct_images(generator, font, characters, count=count, seen=seen)
            )
        print(f"{name}: rendered {len(members)} typefaces, {count} images each", flush=True)
    return np.stack(images)


def write_data(options: argparse.Namespace) -> None:
    """Writes the data file, the manifest, the label names and the list of families refused."""
    chosen, rejected = choose_faces()
    rows = [manifest.entry(name, face) for name, members in chosen.items() for face in members]
    images = render(chosen, seed=options.seed, count=options.train + options.validation)
    options.output.mkdir(parents=True, exist_ok=True)
    manifest.write(options.output / "manifest.tsv", rows)
    manifest.write_rejections(options.output / "rejected.tsv", rejected)
    (options.output / "labels.txt").write_text("".join(f"{row.label}\n" for row in rows))
    path = options.output / "typefaces.npz"
    digest = storage.write(path, images[:, : options.train], images[:, options.train :])
    print(f"{path}: {path.stat().st_size:,} bytes, sha256 {digest}")
    # A small copy with every label, for tests.
    dummy = options.output / "dummy_data"
    dummy.mkdir(exist_ok=True)
    storage.write(dummy / path.name, images[:, :2], images[:, -1:])


def write_licences(folder: pathlib.Path) -> None:
    """Rewrites the licences in the manifest in `folder`, and nothing else."""
    path = folder / "manifest.tsv"
    manifest.write(path, manifest.licensed(manifest.read(path)))


def warn_of_version_changes() -> None:
    """Prints a line for each installed package that differs from the shipped manifest's."""
    for change in manifest.version_changes(manifest.read(_OUTPUT / "manifest.tsv")):
        print(f"warning: {change}; the result may differ from the shipped one", flush=True)


def write_pictures(options: argparse.Namespace) -> None:
    """Draws the pictures asked for from the files in the output folder."""
    labels = [row.label for row in manifest.read(options.output / "manifest.tsv")]
    images = storage.read(options.output / "typefaces.npz")["train"]
    if options.sheets:
        sheets.write_contact_sheets(options.sheets, images, labels)
    if options.figure:
        sheets.write_overview(options.figure, images, labels)


def main() -> None:
    """Runs the command line."""
    options = parse_arguments()
    # fontTools warns of harmless slips in the name tables of old fonts.
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    if not options.pictures_only:
        warn_of_version_changes()
    if options.licences_only:
        write_licences(options.output)
        return
    if not options.pictures_only:
        write_data(options)
    write_pictures(options)


if __name__ == "__main__":
    main()
