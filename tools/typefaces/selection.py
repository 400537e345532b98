"""Choosing the typefaces of one script."""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Iterable, Mapping

import numpy as np

from . import faces, glyphs, scripts, similarity

# Below this distance two typefaces count as the same. Measured: copies and mergers of one
# design lie below 0.07, designs derived from one another (Carlito from Lato, STIX from
# Times) reach 0.12, and most independent designs of one kind start at 0.16.
MIN_DISTANCE = 0.15

# A face whose characters mostly share one glyph (upper and lower case drawn alike are
# half) is a dingbat font or a placeholder.
_MIN_DISTINCT_SHARE = 0.45

_SIGNATURE_SIZE = 72


@dataclasses.dataclass(frozen=True)
class Rejection:
    """A family that was looked at and left out, and why."""

    script: str
    family: str
    package: str
    reason: str


def slug(family: str) -> str:
    """Returns `family` as lower-case ASCII words joined by hyphens.

    Licence names that some designers put into the family name are dropped.
    """
    words = re.findall(r"[a-z0-9]+", family.lower())
    return "-".join(word for word in words if word not in ("gpl", "gnu"))


def regular_faces(candidates: Iterable[faces.Face], characters: str) -> list[faces.Face]:
    """Keeps faces that map all `characters`, and of each family the most regular one.

    Returns:
      One face per family, in order of each family's first appearance.
    """
    needed = {ord(character) for character in characters}
    families = collections.defaultdict(list)
    for face in candidates:
        if needed <= face.code_points:
            families[faces.base_family(face.family)].append(face)
    return [min(members, key=faces.distance_from_regular) for members in families.values()]


def glyph_fault(face: faces.Face, characters: str) -> str:
    """Returns why the rendered glyphs of `face` cannot be used, or an empty string."""
    try:
        font = glyphs.load_font(face.path, face_index=face.index, size=_SIGNATURE_SIZE)
        missing = glyphs.missing_characters(font, characters)
    except OSError as error:
        return f"cannot be drawn: {error}"
    if missing:
        return f"no glyph for {len(missing)} of {len(characters)} characters"
    distinct = {glyphs.draw(font, character).tobytes() for character in characters}
    if len(distinct) < _MIN_DISTINCT_SHARE * len(characters):
        return f"only {len(distinct)} different glyphs for {len(characters)} characters"
    return ""


def choose(
    script: scripts.Script,
    candidates: Iterable[faces.Face],
    *,
    used_families: set[str],
    excluded: Mapping[str, str],
) -> tuple[list[faces.Face], list[Rejection]]:
    """Takes faces in the given order until the script has as many as it needs.

    Args:
      script: the script to fill.
      candidates: faces in order of preference.
      used_families: base families that scripts have taken. Extended here.
      excluded: base family -> reason, for faces that were looked at and left out.

    Returns:
      The faces taken, and the families refused on the way.
    """
    taken: dict[str, faces.Face] = {}
    signatures: dict[str, np.ndarray] = {}
    rejections: list[Rejection] = []
    for face in regular_faces(candidates, script.characters):
        if len(taken) == script.num_typefaces:
            break
        family = faces.base_family(face.family)
        reason = "family serves another script" if family in used_families else ""
        reason = reason or excluded.get(family) or glyph_fault(face, script.characters)
        if not reason:
            signatures[face.family] = _signature(face, script.characters)
            reason = _twin(face.family, signatures)
        if reason:
            signatures.pop(face.family, None)
            rejections.append(Rejection(script.name, face.family, face.package, reason))
        else:
            taken[face.family] = face
            used_families.add(family)
    return list(taken.values()), rejections


def _signature(face: faces.Face, characters: str) -> np.ndarray:
    font = glyphs.load_font(face.path, face_index=face.index, size=_SIGNATURE_SIZE)
    return similarity.signature(font, characters)


def _twin(family: str, signatures: Mapping[str, np.ndarray]) -> str:
    """Returns which taken family `family` renders nearly like, or an empty string."""
    others = {name: other for name, other in signatures.items() if name != family}
    twin, apart = similarity.nearest(signatures[family], others)
    return f"renders nearly like {twin}: distance {apart:.3f}" if apart < MIN_DISTANCE else ""
