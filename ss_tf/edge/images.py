"""Images on their way into a network, as evaluation shows them: crop, resize, normalise."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ss_tf.edge.manifest import Manifest


def decoded_side(image_size: int) -> int:
    """Returns the side, in pixels, to which large files may be shrunk as they are decoded."""
    # That of `ss_tf.data.preprocessing.decoded_side` for a whole image.
    return 2 * image_size


def to_inputs(images: Iterable[np.ndarray], manifest: Manifest) -> np.ndarray:
    """Crops, resizes and normalises images, one at a time: a generator may decode them as it goes.

    Args:
      images: uint8 `[height, width, channels]` each, of any size; or one array of them. Those of
        the network's size need no Pillow where all of an image is shown.
      manifest: of the bundle.

    Returns:
      float32 `[n, size, size, channels]`.

    Raises:
      ValueError: if an image is of another kind; the message tells which.
    """
    side, channels = manifest.image_size, manifest.channels
    mean, std = np.float32(manifest.mean), np.float32(manifest.std)
    inputs = []
    for number, image in enumerate(images):
        _check(image, number, channels=channels)
        crop = centre_crop(image, image_size=side, crop_fraction=manifest.crop_fraction)
        inputs.append((crop / np.float32(255) - mean) / std)
    return np.array(inputs, np.float32).reshape(-1, side, side, channels)


def check_inputs(inputs: np.ndarray, manifest: Manifest) -> None:
    """Raises ValueError unless these are normalised images as the networks of a bundle see them.

    LiteRT would resize a network to the images of another size that it is given, or read a part.
    """
    side, channels = manifest.image_size, manifest.channels
    is_array = isinstance(inputs, np.ndarray)
    if not is_array or inputs.dtype != np.float32 or inputs.shape[1:] != (side, side, channels):
        got = f"{inputs.dtype} {list(inputs.shape)}" if is_array else type(inputs).__name__
        raise ValueError(
            f"Normalised images are {got}, expected float32 [n, {side}, {side}, {channels}]: "
            "classify takes pixels of any size."
        )


def centre_crop(image: np.ndarray, *, image_size: int, crop_fraction: float) -> np.ndarray:
    """Cuts out the centre square and resizes it, as `ss_tf.data.preprocessing` does.

    Args:
      image: uint8 `[height, width, channels]`.
      image_size: side of the result, pixels.
      crop_fraction: side of the square as a share of the short side, in (0, 1].

    Returns:
      float32 `[image_size, image_size, channels]` in [0, 255].
    """
    height, width = image.shape[:2]
    side = max(int(np.rint(np.float32(min(height, width)) * np.float32(crop_fraction))), 1)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side].astype(np.float32)
    if side == image_size:
        return square
    from PIL import Image  # Here, as who has images of the right size need not have Pillow.

    resized = [
        Image.fromarray(plane).resize((image_size, image_size), Image.Resampling.BILINEAR)
        for plane in np.moveaxis(square, -1, 0)
    ]
    return np.stack([np.asarray(plane) for plane in resized], axis=-1)


def _check(image: np.ndarray, number: int, *, channels: int) -> None:
    """Raises ValueError unless an image is pixels of the right number of channels."""
    is_array = isinstance(image, np.ndarray)
    good = is_array and image.dtype == np.uint8 and image.ndim == 3
    if not good or image.shape[-1] != channels or not image.size:
        got = f"{image.dtype} {list(image.shape)}" if is_array else type(image).__name__
        raise ValueError(
            f"Image {number} is {got}, expected uint8 [height, width, {channels}] of a pixel or "
            "more."
        )
