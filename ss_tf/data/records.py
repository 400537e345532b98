"""Images inside the TFRecord files of TFDS, read at random: where each lies, and its bytes.

TFDS reads records one after the other. To show an epoch in an order of our own, and to go on in the
middle of it, an image must be found by its number: one scan of the files notes where each lies.
"""

from __future__ import annotations

import functools
import io
import json
import multiprocessing.pool
import os
import pathlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
import tqdm

from ss_tf import files
from ss_tf.data.examples import RECORD

# A record is framed by 8 bytes of length and 4 of checksum in front, and 4 of checksum behind
# (tensorflow/core/lib/io/record_writer.h).
_HEADER_BYTES, _FOOTER_BYTES = 12, 4
# What every JPEG file begins with.
_JPEG_START = b"\xff\xd8\xff"
# Shards scanned at a time. More would not help: they share Python's lock.
_SCANNED_AT_ONCE = 4
# Shards kept open: below the 1024 files that a process usually may open.
_OPEN_SHARDS = 512
# Changes when the content of the index does, so that an older one is not taken for it.
_VERSION = "1"


class RecordIndex(NamedTuple):
    """Where the images of a split lie, in the order of its files.

    Attributes:
      files: path of each shard.
      records: RECORD `[n]`; `file` counts in `files`.
      labels: int64 `[n]`.
      superclasses: int64 `[n]`.
      keys: str `[n]`, the file names.
    """

    files: tuple[str, ...]
    records: np.ndarray
    labels: np.ndarray
    superclasses: np.ndarray
    keys: np.ndarray


def index_of(builder: tfds.core.DatasetBuilder, split: str) -> RecordIndex:
    """Finds every image of a split, by reading its shards once.

    The result is kept beside the data. It is made anew when the shards' names or sizes change.

    Args:
      builder: of a prepared data set in TFRecord files, with the features image (JPEG), label,
        superclass and file_name.
      split: name of one of its splits.

    Raises:
      ValueError: if a shard is missing or damaged, an image no JPEG, or the kept index damaged.
    """
    if builder.info.file_format != tfds.core.FileFormat.TFRECORD:
        raise ValueError(
            f"{builder.data_dir} is written as {builder.info.file_format.value}, expected "
            "tfrecord. Build the data set with --file_format=tfrecord."
        )
    paths = tuple(_shard_lengths(builder, split))
    shards = [[os.path.basename(path), _size(path)] for path in paths]
    metadata = {"version": _VERSION, "shards": json.dumps(shards)}
    kept = pathlib.Path(builder.data_dir) / f"{split}.index.safetensors"
    if kept.exists():
        tensors, kept_metadata = files.read_tensors(kept)
        if kept_metadata == metadata:
            return _unpack(tensors, paths)
    index = _scan(_shard_lengths(builder, split), split=split)
    # Another process may write its own at the same time.
    temporary = kept.with_name(f"{kept.name}.{uuid.uuid4().hex}")
    try:
        files.write_tensors(temporary, _pack(index), metadata=metadata)
        os.replace(temporary, kept)
    except OSError as error:
        print(f"{kept} cannot be written ({error.strerror}), so the next start scans again.")
    return index


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
    places = zip(paths.tolist(), offsets.tolist(), lengths.tolist(), strict=True)
    return np.array([_read_one(*place) for place in places], object)


def _read_one(path: bytes, offset: int, length: int) -> bytes:
    try:
        # Kept in a variable: what another thread pushes out of the cache is closed when unused.
        file = _opened(path)
        data = os.pread(file.fileno(), length, offset)
    except OSError as error:
        raise ValueError(f"{os.fsdecode(path)} cannot be read: {error.strerror}.") from error
    if len(data) == length and data.startswith(_JPEG_START):
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


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read ({error.strerror}), expected a shard of the data set."
        ) from error


def _shard_lengths(builder: tfds.core.DatasetBuilder, split: str) -> dict[str, int]:
    """Returns path -> number of records of each shard that has any.

    A split that is part of another one has its shards' names, too, with no records of them.
    """
    info = builder.info.splits[split]
    lengths = zip(info.filepaths, info.shard_lengths, strict=True)
    return {os.fspath(path): length for path, length in lengths if length}


def _scan(shard_lengths: Mapping[str, int], *, split: str) -> RecordIndex:
    """Reads the shards, several at a time, showing progress."""
    paths = tuple(shard_lengths)
    num_images = sum(shard_lengths.values())
    with (
        tqdm.tqdm(desc=f"Indexing {split}", total=num_images, unit=" images") as bar,
        multiprocessing.pool.ThreadPool(_SCANNED_AT_ONCE) as pool,
    ):
        scan = functools.partial(_scan_shard, on_image=bar.update)
        shards = pool.starmap(scan, enumerate(paths), chunksize=1)
    for path, rows in zip(paths, shards, strict=True):
        if len(rows) != shard_lengths[path]:
            raise ValueError(f"{path} has {len(rows)} records, expected {shard_lengths[path]}.")
    rows = [row for shard in shards for row in shard]
    positions, labels, superclasses, keys = zip(*rows, strict=True) if rows else ((),) * 4
    return RecordIndex(
        files=paths,
        records=np.array(list(positions), RECORD),
        labels=np.array(labels, np.int64),
        superclasses=np.array(superclasses, np.int64),
        keys=np.array(keys, np.str_),
    )


def _scan_shard(
    number: int, path: str, *, on_image: Callable[[], object]
) -> list[tuple[tuple[int, int, int], int, int, str]]:
    """Returns (file number, offset, length), label, superclass and key of each image of a shard."""
    rows = []
    for start, record in _records(path):
        features = tf.train.Example.FromString(record).features.feature
        (image,) = features["image"].bytes_list.value
        key = features["file_name"].bytes_list.value[0].decode()
        if not image.startswith(_JPEG_START):
            raise ValueError(f"Image {key} in {path} is no JPEG, it begins {image[:3].hex(' ')}.")
        rows.append(
            (
                (number, start + record.index(image), len(image)),
                features["label"].int64_list.value[0],
                features["superclass"].int64_list.value[0],
                key,
            )
        )
        on_image()
    return rows


def _records(path: str) -> Iterator[tuple[int, bytes]]:
    """Yields each record of a shard, with the place of its first byte; checks its checksums.

    Raises:
      ValueError: if the shard is damaged.
    """
    start = _HEADER_BYTES
    try:
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            yield start, record
            start += len(record) + _FOOTER_BYTES + _HEADER_BYTES
    except tf.errors.DataLossError as error:
        raise ValueError(
            f"{path} is damaged after byte {start - _HEADER_BYTES}: a record's checksum does not "
            "fit it. Build the data set again."
        ) from error


def _pack(index: RecordIndex) -> dict[str, np.ndarray]:
    """Turns an index into plain tensors."""
    text = "\n".join(index.keys.tolist()).encode()
    return {
        **{name: index.records[name] for name in RECORD.names},
        "labels": index.labels,
        "superclasses": index.superclasses,
        "keys": np.frombuffer(text, np.uint8),
    }


def _unpack(tensors: dict[str, np.ndarray], paths: tuple[str, ...]) -> RecordIndex:
    """Undoes `_pack`."""
    found = np.empty(len(tensors["labels"]), RECORD)
    for name in RECORD.names:
        found[name] = tensors[name]
    keys = tensors["keys"].tobytes().decode().split("\n") if len(found) else []
    return RecordIndex(
        files=paths,
        records=found,
        labels=tensors["labels"],
        superclasses=tensors["superclasses"],
        keys=np.array(keys, np.str_),
    )
