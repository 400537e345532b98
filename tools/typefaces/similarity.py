"""How alike two typefaces render the same characters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from . import glyphs


def signature(font, characters: str) -> np.ndarray:
    """Renders the canonical form of every character, without any jitter.

    Args:
      font: a Pillow font, large enough that canonical glyphs are scaled down.
      characters: what to render; each must have ink.

    Returns:
      float32 `[len(characters), side, side]` in [0, 1].
    """
    return np.stack([glyphs.canonical(glyphs.draw(font, c)) for c in characters])


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Returns how much of the ink of two signatures differs, averaged over characters.

    For each character: the sum of absolute differences over the sum of both inks, so
    0 is the same rendering and 1 shares no ink. It is relative to the ink, otherwise
    light typefaces would all seem alike.

    Args:
      first, second: float32 `[characters, side, side]` in [0, 1], same characters.

    Raises:
      ValueError: if the shapes differ.
    """
    if first.shape != second.shape:
        raise ValueError(f"signatures: got shapes {first.shape} and {second.shape}, expected equal")
    difference = np.abs(first - second).sum((1, 2))
    ink = (first + second).sum((1, 2))
    return float(np.mean(difference / ink))


def nearest(candidate: np.ndarray, taken: Mapping[str, np.ndarray]) -> tuple[str, float]:
    """Returns name and distance of the taken signature most like `candidate`.

    Returns:
      `("", inf)` if nothing is taken yet.
    """
    best = ("", float("inf"))
    for name, other in taken.items():
        apart = distance(candidate, other)
        if apart < best[1]:
            best = (name, apart)
    return best
