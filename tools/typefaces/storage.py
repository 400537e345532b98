"""The shipped file: images at four bits per pixel in a compressed npz archive."""

from __future__ import annotations

import hashlib
import pathlib

import numpy as np

# Sixteen levels from 0 to 255 are the multiples of 17.
LEVEL_STEP = 17


def pack(images: np.ndarray) -> np.ndarray:
    """Packs two pixels into a byte, the left one in the high half.

    Args:
      images: uint8 `[..., width]`, multiples of 17, `width` even.

    Returns:
      uint8 `[..., width / 2]`.

    Raises:
      ValueError: if an intensity is not a multiple of 17.
    """
    if np.any(images % LEVEL_STEP):
        odd = int(images[images % LEVEL_STEP != 0][0])
        raise ValueError(f"images: got intensity {odd}, expected multiples of {LEVEL_STEP}")
    levels = images // LEVEL_STEP
    return levels[..., 0::2] << 4 | levels[..., 1::2]


def unpack(packed: np.ndarray) -> np.ndarray:
    """Restores the uint8 images `[..., width]` from `pack`'s `[..., width / 2]`."""
    levels = np.stack([packed >> 4, packed & 15], axis=-1)
    return (LEVEL_STEP * levels).reshape(*packed.shape[:-1], 2 * packed.shape[-1])


def write(path: pathlib.Path, train: np.ndarray, validation: np.ndarray) -> str:
    """Writes both splits and, beside them, the file's SHA-256; returns it in hex.

    The digest goes to `sha256.txt` in the form that `sha256sum --check` reads.

    Args:
      path: the .npz file to write.
      train, validation: uint8 `[labels, images, 32, 32]`, multiples of 17.
    """
    np.savez_compressed(path, train=pack(train), validation=pack(validation))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name("sha256.txt").write_text(f"{digest}  {path.name}\n")
    return digest


def read(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns split name -> uint8 `[labels, images, 32, 32]` of a file from `write`."""
    with np.load(path, allow_pickle=False) as archive:
        return {split: unpack(archive[split]) for split in archive.files}
