"""The bytes of images inside larger files, read at random; finds the one that is damaged."""

from __future__ import annotations

import collections
import functools
import io
import multiprocessing.pool
import os

import numpy as np

from ss_tf.data import preprocessing

# What every JPEG file begins with.
JPEG_START = b"\xff\xd8\xff"
# Shards kept open: below the 1024 files that a process usually may open.
_OPEN_SHARDS = 512
# Path, offset and length. TensorFlow does not say which image it could not decode, and reads some
# batches ahead.
_last_read: collections.deque[tuple[bytes, int, int]] = collections.deque(maxlen=8192)


def read(paths: np.ndarray, offsets: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Reads some images.

    Args:
      paths: bytes `[n]`, of the shard of each.
      offsets: int64 `[n]`, of each image in its shard, bytes.
      lengths: int64 `[n]`, of each image, bytes.

    Returns:
      Object array `[n]` of bytes: the JPEG files as they were before TFDS packed them.

    Raises:
      ValueError: if a shard is missing or shorter, or has no JPEG there. The message names the
        place.
    """
    places = list(zip(paths.tolist(), offsets.tolist(), lengths.tolist(), strict=True))
    _last_read.extend(places)
    return np.array([_read_one(*place) for place in places], object)


def describe_damaged() -> str | None:
    """Looks for an image that cannot be decoded among those last read; says where it is.

    Returns:
      One sentence, or None if all can be decoded.
    """
    # A copy: threads that read ahead may still add to it.
    places = dict.fromkeys(_last_read.copy())
    with multiprocessing.pool.ThreadPool() as pool:
        return next(filter(None, pool.imap(_describe_damage, places)), None)


def _describe_damage(place: tuple[bytes, int, int]) -> str | None:
    path, offset, length = place
    try:
        data = _read_one(path, offset, length)
    except ValueError as error:
        return str(error)
    if preprocessing.is_whole_jpeg(data):
        return None
    return f"{os.fsdecode(path)} has a damaged JPEG image of {length} bytes at byte {offset}."


def _read_one(path: bytes, offset: int, length: int) -> bytes:
    try:
        # Kept in a variable: what another thread pushes out of the cache is closed when unused.
        file = _opened(path)
        data = os.pread(file.fileno(), length, offset)
    except OSError as error:
        raise ValueError(f"{os.fsdecode(path)} cannot be read: {error.strerror}.") from error
    if len(data) == length and data.startswith(JPEG_START):
        return data
    found = f"{len(data)} bytes" if len(data) < length else f"the bytes {data[:3].hex(' ')}"
    raise ValueError(
        f"{os.fsdecode(path)} has {found} at byte {offset}, expected a JPEG image of {length} "
        "bytes: the file changed since it was indexed, or is damaged."
    )


@functools.lru_cache(_OPEN_SHARDS)
def _opened(path: bytes) -> io.FileIO:
    """Opens a file, once; it is closed when it is forgotten and no longer in use."""
    return open(path, "rb", buffering=0)
