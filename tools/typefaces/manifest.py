"""The list of chosen typefaces: where each comes from and under which licence."""

from __future__ import annotations

import csv
import dataclasses
import pathlib
import subprocess
from collections.abc import Iterable

from . import faces, licences, selection


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
    """Describes a chosen face and the installed Debian package that it comes from."""
    return Entry(
        superclass=script,
        label=f"{script}/{selection.slug(face.family)}",
        family=face.family,
        file=face.file_name,
        face_index=face.index,
        package=face.package,
        version=package_version(face.package),
        licence=licences.licence(face.package, face.file_name),
    )


def package_version(package: str) -> str:
    """Returns the installed version of a Debian package.

    Raises:
      ValueError: if the package is not installed.
    """
    query = ["dpkg-query", "--show", "--showformat=${Version}", package]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise ValueError(f"package {package}: not installed, expected: apt-get install {package}")
    return answer.stdout


def licensed(entries: Iterable[Entry]) -> list[Entry]:
    """Returns the entries with their licences looked up again."""
    return [
        dataclasses.replace(row, licence=licences.licence(row.package, row.file)) for row in entries
    ]


def version_changes(entries: Iterable[Entry]) -> list[str]:
    """Returns a line for each package whose installed version is not the recorded one."""
    recorded = {row.package: row.version for row in entries}
    installed = {package: package_version(package) for package in recorded}
    return [
        f"package {package}: installed {installed[package]}, recorded {version}"
        for package, version in recorded.items()
        if installed[package] != version
    ]


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
