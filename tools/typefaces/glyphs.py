"""Ink of characters: rendering one typeface, cropping, and the canonical form."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image, ImageFont

from . import bitmap_font

Font = ImageFont.FreeTypeFont | bitmap_font.BitmapFont

# Side of a canonical glyph in pixels: about the detail that a 32-pixel image can show.
CANONICAL_SIDE = 24

# Median ink height in pixels at which glyphs are drawn before they are scaled down: four
# times the height in the final image, so that the outline is exact where it matters.
DRAWN_HEIGHT = 88

_PROBE_SIZE = 64
_MISSING_CHARACTER = "\U0010fffe"


def load_font(path: str | os.PathLike[str], *, face_index: int, size: int) -> Font:
    """Opens one face of a font file at `size` pixels per em.

    The basic layout draws each character by itself (isolated Arabic forms, no
    ligatures), so the result does not depend on an installed shaping library.
    """
    if str(path).endswith(".pcf.gz"):
        return bitmap_font.BitmapFont(str(path), size=size)
    return ImageFont.truetype(
        str(path), size, index=face_index, layout_engine=ImageFont.Layout.BASIC
    )


def draw(font: Font, text: str) -> np.ndarray:
    """Draws `text` and crops to its ink.

    Returns:
      uint8 `[height, width]`, 0 is paper and 255 ink; `[0, 0]` if nothing is drawn.
    """
    if isinstance(font, bitmap_font.BitmapFont):
        return crop_to_ink(font.draw(text))
    mask, _ = font.getmask2(text, mode="L")
    width, height = mask.size
    return crop_to_ink(np.array(mask, np.uint8).reshape(height, width))


def crop_to_ink(image: np.ndarray) -> np.ndarray:
    """Returns the smallest part of `image` (uint8 `[h, w]`) that holds all its ink.

    A pixel counts as ink from a quarter of full black, so that the faint rims of
    antialiasing do not move the crop.
    """
    inked = image >= 64
    rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    if rows.size == 0:
        return np.zeros((0, 0), np.uint8)
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def canonical(ink: np.ndarray, *, side: int = CANONICAL_SIDE) -> np.ndarray:
    """Scales cropped ink to fill a square and centres it, keeping its proportions.

    Args:
      ink: uint8 `[height, width]`, not empty.
      side: side of the square in pixels.

    Returns:
      float32 `[side, side]` in [0, 1].
    """
    scale = side / max(ink.shape)
    height, width = (max(1, round(scale * length)) for length in ink.shape)
    small = Image.fromarray(ink).resize((width, height), Image.Resampling.BOX)
    square = np.zeros((side, side), np.float32)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = np.asarray(small, np.float32) / 255
    return square


def size_for_height(path: str, *, face_index: int, characters: str) -> int:
    """Returns the size (pixels per em) at which the median ink is `DRAWN_HEIGHT` high.

    Fonts fill their em very differently; without this, size alone would give a
    typeface away.

    Raises:
      ValueError: if the face draws none of `characters`.
    """
    font = load_font(path, face_index=face_index, size=_PROBE_SIZE)
    heights = [draw(font, character).shape[0] for character in characters]
    median = float(np.median(heights))
    if median < 1:
        raise ValueError(f"{path}: got blank glyphs, expected ink for {characters[:8]}...")
    return max(8, min(1000, round(_PROBE_SIZE * DRAWN_HEIGHT / median)))


def missing_characters(font: Font, characters: str) -> str:
    """Returns those of `characters` that draw nothing or the 'missing' box.

    A character map may list a character whose glyph is empty or the box, so the
    rendered glyph is looked at too.
    """
    box = draw(font, _MISSING_CHARACTER)
    missing = []
    for character in characters:
        ink = draw(font, character)
        if ink.size == 0 or np.array_equal(ink, box):
            missing.append(character)
    return "".join(missing)
