"""The list of chosen typefaces: where each comes from and under which licence."""

from __future__ import annotations

import csv
import dataclasses
import pathlib
import re
import subprocess
from collections.abc import Iterable

from . import faces, selection

_DOCUMENTATION = pathlib.Path("/usr/share/doc")

# A field of the machine-readable form: its lines after the first are indented.
_FIELD = re.compile(r"^(Files|License):[ \t]*((?:.*\n?)(?:[ \t]+.*\n?)*)", re.MULTILINE)

# Wording of copyright files that are not in Debian's machine-readable form.
_LICENCE_WORDING = (
    ("SIL Open Font License", "OFL"),
    ("SIL OPEN FONT LICENSE", "OFL"),
    ("Open Font License", "OFL"),
    ("IPA Font License", "IPA"),
    ("Arphic Public License", "Arphic-Public-License"),
    ("ARPHIC PUBLIC LICENSE", "Arphic-Public-License"),
    ("Apache License", "Apache-2.0"),
    ("GNU Lesser General Public License", "LGPL"),
    ("GNU General Public License", "GPL"),
    ("GNU GENERAL PUBLIC LICENSE", "GPL"),
    ("common-licenses/GPL", "GPL"),
    ("public domain", "public-domain"),
    ("Public Domain", "public-domain"),
    ("Bitstream", "Bitstream-Vera"),
    ("Permission is hereby granted", "MIT-like"),
)


@dataclasses.dataclass(frozen=True)
class Entry:
    """One row of the manifest; the order of rows is the order of labels."""

    superclass: str
    label: str
    family: str
    file: str
    face_index: int
    package: str
    version: str
    licence: str


def entry(script: str, face: faces.Face) -> Entry:
    """Describes a chosen face with what its installed Debian package declares."""
    return Entry(
        superclass=script,
        label=f"{script}/{selection.slug(face.family)}",
        family=face.family,
        file=face.file_name,
        face_index=face.index,
        package=face.package,
        version=package_version(face.package),
        licence=declared_licence(_copyright_text(face.package), face.file_name),
    )


def package_version(package: str) -> str:
    """Returns the installed version of a Debian package."""
    query = ["dpkg-query", "--show", "--showformat=${Version}", package]
    return subprocess.run(query, capture_output=True, text=True, check=True).stdout


def _copyright_text(package: str) -> str:
    return (_DOCUMENTATION / package / "copyright").read_text(errors="replace")


def declared_licence(text: str, file_name: str) -> str:
    """Finds the licence that a Debian copyright file declares for a font file.

    In the machine-readable form the last `Files` paragraph that matches wins, as its
    specification says; otherwise well-known wording is looked for.

    Returns:
      A short name such as `OFL-1.1`, or `see copyright file`.
    """
    licence = ""
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(_FIELD.findall(paragraph))
        patterns = fields.get("Files", "").split() if "License" in fields else []
        if any(_matches(pattern, file_name) for pattern in patterns):
            licence = fields["License"].splitlines()[0].strip() or licence
    if licence:
        return licence
    found = dict.fromkeys(short for wording, short in _LICENCE_WORDING if wording in text)
    return " and ".join(found) or "see copyright file"


def _matches(pattern: str, file_name: str) -> bool:
    # Installed files have left their source folders: only the last part can be compared.
    last = pattern.rstrip(",").rpartition("/")[2] or "*"
    expression = re.escape(last).replace(r"\*", ".*").replace(r"\?", ".")
    return not pattern.startswith("debian/") and re.fullmatch(expression, file_name) is not None


def write(path: pathlib.Path, entries: Iterable[Entry]) -> None:
    """Writes the manifest as tab-separated text with a header line."""
    names = [field.name for field in dataclasses.fields(Entry)]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(names)
        writer.writerows(dataclasses.astuple(row) for row in entries)


def write_rejections(path: pathlib.Path, rejections: Iterable[selection.Rejection]) -> None:
    """Writes the families that were left out, with the reason, as tab-separated text."""
    names = [field.name for field in dataclasses.fields(selection.Rejection)]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(names)
        writer.writerows(dataclasses.astuple(row) for row in rejections)


def read(path: pathlib.Path) -> list[Entry]:
    """Reads what `write` wrote.

    Raises:
      ValueError: if the header is not the expected one.
    """
    names = [field.name for field in dataclasses.fields(Entry)]
    with open(path, newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file, delimiter="\t")
    if header != names:
        raise ValueError(f"{path}: got columns {header}, expected {names}")
    entries = [Entry(**dict(zip(names, row, strict=True))) for row in rows]
    return [dataclasses.replace(row, face_index=int(row.face_index)) for row in entries]
