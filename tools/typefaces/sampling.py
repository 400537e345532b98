"""Drawing the images of one typeface: random characters, small changes, no repeats."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import random

import numpy as np
from PIL import Image

from . import glyphs

SIDE = 32
NUM_LEVELS = 16

_SUPERSAMPLING = 4
# Free pixels that ink keeps to the border.
_MARGIN = 1
_MAX_ATTEMPTS = 1000


@dataclasses.dataclass(frozen=True)
class Jitter:
    """Ranges of the random changes of one image.

    Attributes:
      one_height: median ink height of the script in pixels when one character is shown.
      two_height: the same for two characters side by side.
      scale: factor on the height, drawn from [1 - scale, 1 + scale].
      degrees: rotation, drawn from [-degrees, degrees].
      shift: distance from the centre in pixels, drawn from [-shift, shift] per axis.
    """

    one_height: float = 22.0
    two_height: float = 16.0
    scale: float = 0.15
    degrees: float = 8.0
    shift: float = 3.0


def draw_lot(generator: random.Random, characters: str) -> str:
    """Returns one of `characters` or, in two of three cases, two."""
    return "".join(generator.choice(characters) for _ in range(generator.choice((1, 2, 2))))


def fitting_scale(shape: tuple[int, int], *, wanted: float, angle: float) -> float:
    """Returns `wanted`, or less if rotated ink of `shape` would not fit the image.

    Args:
      shape: height and width of the ink in pixels before scaling.
      wanted: scale to use if it fits.
      angle: rotation in radians.
    """
    height, width = shape
    sine, cosine = abs(math.sin(angle)), abs(math.cos(angle))
    largest = max(height * cosine + width * sine, height * sine + width * cosine)
    return min(wanted, (SIDE - 2 * _MARGIN) / largest)


def place(
    ink: np.ndarray, *, scale: float, angle: float, centre: tuple[float, float]
) -> np.ndarray:
    """Scales and rotates ink about its middle and puts it into an image.

    Args:
      ink: uint8 `[height, width]`.
      scale: final pixels per pixel of `ink`.
      angle: counter-clockwise rotation in radians.
      centre: x and y in the image, in pixels, where the middle of the ink goes.

    Returns:
      uint8 `[SIDE, SIDE]` with `NUM_LEVELS` levels: multiples of 17.
    """
    # Pillow wants the inverse map, from output to input pixels, at the finer raster.
    factor = 1 / (scale * _SUPERSAMPLING)
    cosine, sine = math.cos(angle) * factor, math.sin(angle) * factor
    x, y = centre[0] * _SUPERSAMPLING, centre[1] * _SUPERSAMPLING
    middle_x, middle_y = ink.shape[1] / 2, ink.shape[0] / 2
    matrix = (
        *(cosine, -sine, middle_x - cosine * x + sine * y),
        *(sine, cosine, middle_y - sine * x - cosine * y),
    )
    size = (SIDE * _SUPERSAMPLING, SIDE * _SUPERSAMPLING)
    large = Image.fromarray(ink).transform(
        size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
    )
    return quantize(np.asarray(large.reduce(_SUPERSAMPLING)))


def quantize(image: np.ndarray) -> np.ndarray:
    """Rounds uint8 intensities to `NUM_LEVELS` levels from 0 to 255."""
    step = 255 // (NUM_LEVELS - 1)
    return ((image.astype(np.int32) + step // 2) // step * step).astype(np.uint8)


def random_image(
    generator: random.Random, font: glyphs.Font, characters: str, jitter: Jitter
) -> np.ndarray:
    """Draws one or two random characters with random size, rotation and position.

    Returns:
      uint8 `[SIDE, SIDE]`, ink 255 on paper 0.
    """
    text = draw_lot(generator, characters)
    ink = glyphs.draw(font, text)
    height = jitter.one_height if len(text) == 1 else jitter.two_height
    wanted = height / glyphs.DRAWN_HEIGHT * generator.uniform(1 - jitter.scale, 1 + jitter.scale)
    angle = math.radians(generator.uniform(-jitter.degrees, jitter.degrees))
    scale = fitting_scale(ink.shape, wanted=wanted, angle=angle)
    centre = tuple(
        SIDE / 2 + _bounded_shift(generator, jitter.shift, room)
        for room in _room(ink.shape, scale, angle)
    )
    return place(ink, scale=scale, angle=angle, centre=centre)


def _room(shape: tuple[int, int], scale: float, angle: float) -> tuple[float, float]:
    """Returns how far the ink's middle may move in x and y, in pixels."""
    height, width = shape[0] * scale, shape[1] * scale
    sine, cosine = abs(math.sin(angle)), abs(math.cos(angle))
    extent_x, extent_y = width * cosine + height * sine, height * cosine + width * sine
    free = SIDE - 2 * _MARGIN
    return max(0.0, (free - extent_x) / 2), max(0.0, (free - extent_y) / 2)


def _bounded_shift(generator: random.Random, shift: float, room: float) -> float:
    return max(-room, min(room, generator.uniform(-shift, shift)))


def distinct_images(
    generator: random.Random,
    font: glyphs.Font,
    characters: str,
    *,
    count: int,
    seen: set[bytes],
    jitter: Jitter = Jitter(),
) -> np.ndarray:
    """Draws `count` images, none of which is in `seen` or occurs twice.

    Args:
      generator: source of all randomness.
      font: the typeface at `glyphs.DRAWN_HEIGHT`.
      characters: characters to choose from.
      count: number of images.
      seen: SHA-256 digests of images drawn before, by any typeface. Extended here.
      jitter: ranges of the random changes.

    Returns:
      uint8 `[count, SIDE, SIDE]`.

    Raises:
      ValueError: if no new image turns up in many attempts.
    """
    images = []
    for _ in range(count):
        for _ in range(_MAX_ATTEMPTS):
            image = random_image(generator, font, characters, jitter)
            digest = hashlib.sha256(image.tobytes()).digest()
            if digest not in seen:
                break
        else:
            raise ValueError(
                f"images: got {len(images)} different ones in {_MAX_ATTEMPTS} attempts for the "
                f"next, expected {count}"
            )
        seen.add(digest)
        images.append(image)
    return np.stack(images)
