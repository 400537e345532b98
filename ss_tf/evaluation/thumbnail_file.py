"""thumbnails.safetensors: small images of what systems get wrong, beside predictions.npz.

They are kept because the page is computed without the data set.
"""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Iterable

import numpy as np

from ss_tf import files

NAME = "thumbnails.safetensors"
# In base64 that is 12 MB of the page, which leaves room for all else.
MAX_BYTES = 9_000_000


def write(
    path: pathlib.Path,
    positions: np.ndarray,
    images: Iterable[bytes],
    *,
    digest: str,
    max_bytes: int = MAX_BYTES,
) -> int:
    """Writes as many images as there is room for.

    Args:
      path: of the file; an older one is replaced whole.
      positions: int64 `[m]`, which image of the validation images each is.
      images: `m` encoded images, in this order; they are asked for one by one.
      digest: of the validation images.
      max_bytes: of the images together.

    Returns:
      How many were written.
    """
    kept, room = [], max_bytes
    for image in images:
        room -= len(image)
        if room < 0:
            break
        kept.append(image)
    tensors = {
        "positions": positions[: len(kept)],
        "ends": np.cumsum([len(image) for image in kept], dtype=np.int64),
        "images": np.frombuffer(b"".join(kept), np.uint8),
    }
    files.write_tensors(path, tensors, metadata={"digest": digest})
    return len(kept)


def read(path: pathlib.Path, *, digest: str) -> dict[int, bytes]:
    """Reads what `write` wrote.

    Args:
      path: of the file.
      digest: of the validation images that are reported.

    Returns:
      Position -> encoded image.

    Raises:
      ValueError: naming the file, if it is damaged, or holds other images.
      OSError: if it cannot be opened.
    """
    tensors, metadata = files.read_tensors(path)
    if metadata.get("digest") != digest:
        raise ValueError(
            f"{path} has thumbnails of the images {metadata.get('digest')}, expected {digest}: "
            "evaluate the run again, or delete the file for a page without thumbnails."
        )
    shapes = {name: (tensor.dtype.kind, tensor.ndim) for name, tensor in tensors.items()}
    if shapes != {"positions": ("i", 1), "ends": ("i", 1), "images": ("u", 1)}:
        raise ValueError(
            f"{path} is damaged: it has {shapes}, expected positions, ends and images."
        )
    ends = [0, *tensors["ends"].tolist()]
    positions, data = tensors["positions"].tolist(), tensors["images"].tobytes()
    if len(positions) != len(ends) - 1 or ends != sorted(ends) or ends[-1] != len(data):
        raise ValueError(
            f"{path} is damaged: {len(positions)} positions and {len(ends) - 1} ends do not tell "
            f"its {len(data)} bytes apart."
        )
    pieces = (data[start:end] for start, end in itertools.pairwise(ends))
    return dict(zip(positions, pieces, strict=True))
