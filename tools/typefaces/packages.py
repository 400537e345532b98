"""Reading the list of Debian packages to choose typefaces from."""

from __future__ import annotations

import dataclasses
import pathlib

from . import faces, scripts


@dataclasses.dataclass
class Section:
    """What the package list says about one script.

    Attributes:
      packages: (package, families to consider or an empty tuple for all), in order of
        preference.
      excluded: base family -> why it was left out after looking at it.
    """

    packages: list[tuple[str, tuple[str, ...]]] = dataclasses.field(default_factory=list)
    excluded: dict[str, str] = dataclasses.field(default_factory=dict)


def read_sections(path: pathlib.Path) -> dict[str, Section]:
    """Reads the package list; its own head explains the syntax.

    Returns:
      Script name -> section, in the order of the file.

    Raises:
      ValueError: if a line stands before the first section, a section names no known
        script, or an exclusion gives no reason.
    """
    sections: dict[str, Section] = {}
    section = None
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        line = raw.partition("#")[0].strip()
        if not line:
            continue
        if line.startswith("["):
            section = sections.setdefault(scripts.script_by_name(line.strip("[]")).name, Section())
        elif section is None:
            raise ValueError(f"{path}:{number}: got {line!r}, expected a [script] line first")
        elif line.startswith("!"):
            family, _, reason = line[1:].partition(":")
            if not reason.strip():
                raise ValueError(f"{path}:{number}: got {line!r}, expected '! Family: reason'")
            section.excluded[faces.base_family(family)] = reason.strip()
        else:
            package, _, families = line.partition("=")
            wanted = tuple(name.strip() for name in families.split(";") if name.strip())
            section.packages.append((package.strip(), wanted))
    return sections


def candidates(section: Section) -> list[faces.Face]:
    """Returns the faces of a section's installed packages, in order of preference.

    Raises:
      ValueError: if a package is not installed.
    """
    return [
        face
        for package, families in section.packages
        for face in faces.package_faces(package)
        if not families or face.family in families
    ]
