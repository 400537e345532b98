"""Faces: what the font files of installed Debian packages contain."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess

from fontTools import ttLib

from . import bitmap_font

_SUFFIXES = (".ttf", ".otf", ".ttc", ".pcf.gz")

# Bitmap fonts name themselves just "fixed"; these are their makers.
_BITMAP_FAMILIES = {
    "etl24-thai.pcf.gz": "ETL Fixed Thai",
    "pvemacs_20r.pcf.gz": "Poonlap Fixed Thai",
    "thai18.pcf.gz": "NECTEC Fixed Thai",
    "thai8x13.pcf.gz": "Yenbut Fixed Thai",
    "thai8x20.pcf.gz": "Manop Fixed Thai",
}

# Words that tell members of one family apart: weight, width, slope, and the region for
# which a CJK font or the interface for which a UI font is tuned.
_STYLE_WORDS = frozenset(
    (
        *("thin", "hairline", "light", "extralight", "ultralight", "book", "regular", "normal"),
        *("roman", "medium", "demi", "semibold", "demibold", "bold", "extrabold", "ultrabold"),
        *("heavy", "black", "italic", "oblique", "condensed", "semicondensed", "extracondensed"),
        *("narrow", "ui", "hk", "jp", "kr", "sc", "tc", "cn", "tw", "mbe"),
    )
)
_REGULAR_WEIGHT = 400


@dataclasses.dataclass(frozen=True)
class Face:
    """One face of a font file.

    Attributes:
      package: Debian package that installs the file.
      path: the file.
      index: index of the face inside the file, 0 unless it is a collection.
      family: family name as the font gives it.
      style: style name as the font gives it, such as `Regular`.
      weight: 400 is regular, 700 bold.
      code_points: the characters it maps.
    """

    package: str
    path: str
    index: int
    family: str
    style: str
    weight: int
    code_points: frozenset[int]

    @property
    def file_name(self) -> str:
        """Name of the font file without folders."""
        return pathlib.PurePath(self.path).name


def base_family(family: str) -> str:
    """Returns the family name in lower case without trailing style words.

    `Lato Light` and `Lato` are one family; `Noto Sans Mono` is not `Noto Sans`.
    """
    words = family.lower().replace("-", " ").replace("_", " ").split()
    while len(words) > 1 and words[-1] in _STYLE_WORDS:
        words.pop()
    return " ".join(words)


def distance_from_regular(face: Face) -> tuple:
    """Returns a sort key under which the most regular face of a family comes first."""
    words = face.style.lower().replace("-", " ").split()
    slanted = any(word in ("italic", "oblique") for word in words)
    # Variants in the family name ("Lato Black") count too.
    extra_words = sum(word not in ("regular", "book", "normal", "roman") for word in words)
    return (
        slanted,
        abs(face.weight - _REGULAR_WEIGHT),
        len(face.family),
        extra_words,
        face.file_name,
        face.index,
    )


def font_files(package: str) -> list[str]:
    """Returns the font files of an installed Debian package, sorted, links resolved.

    Raises:
      ValueError: if the package is not installed.
    """
    listing = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        raise ValueError(f"package {package}: not installed, expected: apt-get install {package}")
    return sorted(
        {
            os.path.realpath(line)
            for line in listing.stdout.splitlines()
            if line.lower().endswith(_SUFFIXES) and os.path.isfile(line)
        }
    )


def read_faces(path: str, package: str) -> list[Face]:
    """Returns the faces of one font file; none if its tables cannot be read."""
    if path.endswith(".pcf.gz"):
        return _bitmap_face(path, package)
    with open(path, "rb") as file:
        is_collection = file.read(4) == b"ttcf"
    try:
        fonts = ttLib.TTCollection(path, lazy=True).fonts if is_collection else [ttLib.TTFont(path)]
        return [_face(font, path, index, package) for index, font in enumerate(fonts)]
    except (ttLib.TTLibError, KeyError, AttributeError, ValueError, OSError) as error:
        print(f"left out {path}: unreadable ({error!r})")
        return []


def _face(font: ttLib.TTFont, path: str, index: int, package: str) -> Face:
    names = font["name"]
    return Face(
        package=package,
        path=path,
        index=index,
        family=(names.getDebugName(16) or names.getDebugName(1)).strip(),
        style=(names.getDebugName(17) or names.getDebugName(2) or "Regular").strip(),
        weight=font["OS/2"].usWeightClass if "OS/2" in font else _REGULAR_WEIGHT,
        code_points=frozenset(font.getBestCmap() or ()),
    )


def _bitmap_face(path: str, package: str) -> list[Face]:
    family = _BITMAP_FAMILIES.get(pathlib.PurePath(path).name)
    if family is None:
        return []
    characters = bitmap_font.BitmapFont(path, size=16).characters
    points = frozenset(map(ord, characters))
    return [Face(package, path, 0, family, "Regular", _REGULAR_WEIGHT, points)]


def package_faces(package: str) -> list[Face]:
    """Returns every readable face of an installed package."""
    return [face for path in font_files(package) for face in read_faces(path, package)]
