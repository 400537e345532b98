"""Images inside the TFRecord files of TFDS: where each lies, so that they can be read at random.

TFDS reads records one after the other. To show an epoch in an order of our own, and to go on in the
middle of it, an image must be found by its number: one scan of the files notes where each lies.
"""

from __future__ import annotations

import functools
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
from ss_tf.data import preprocessing, record_reader
from ss_tf.data.examples import RECORD

# A record is framed by 8 bytes of length and 4 of checksum in front, and 4 of checksum behind
# (tensorflow/core/lib/io/record_writer.h).
_HEADER_BYTES, _FOOTER_BYTES = 12, 4
# What every JPEG file ends with, give or take what some programs append.
_JPEG_END, _END_BYTES = b"\xff\xd9", 64
_LABELS = ("label", "superclass")
# Shards scanned at a time. More would not help: they share Python's lock.
_SCANNED_AT_ONCE = 4
# Changes when the content of the index does, so that an older one is not taken for it.
_VERSION = "2"


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

    The result is kept beside the data. It is made anew when the shards' names or sizes change, or
    the kept one is damaged.

    Args:
      builder: of a prepared data set in TFRecord files, with the features image (JPEG), label,
        superclass and file_name.
      split: name of one of its splits.

    Raises:
      ValueError: if a shard is missing or damaged, or an image no whole JPEG.
    """
    if builder.info.file_format != tfds.core.FileFormat.TFRECORD:
        raise ValueError(
            f"{builder.data_dir} is written as {builder.info.file_format.value}, expected "
            "tfrecord. Build the data set with --file_format=tfrecord."
        )
    shard_lengths = _shard_lengths(builder, split)
    paths = tuple(shard_lengths)
    shards = [[os.path.basename(path), _size(path)] for path in paths]
    metadata = {"version": _VERSION, "shards": json.dumps(shards)}
    kept = pathlib.Path(builder.data_dir) / f"{split}.index.safetensors"
    if tensors := _read_kept(kept, metadata):
        return _unpack(tensors, paths)
    index = _scan(shard_lengths, split=split)
    tensors = _pack(index)
    # Another process may write its own at the same time.
    temporary = kept.with_name(f"{kept.name}.{uuid.uuid4().hex}")
    try:
        files.write_tensors(
            temporary, tensors, metadata={**metadata, "sha256": files.digest(tensors)}
        )
        os.replace(temporary, kept)
    except OSError as error:
        print(f"{kept} cannot be written ({error.strerror}), so the next start scans again.")
    return index


def _read_kept(kept: pathlib.Path, metadata: Mapping[str, str]) -> dict[str, np.ndarray] | None:
    """Returns the tensors of a kept index, or None if there is none, or it does not fit."""
    if not kept.exists():
        return None
    try:
        tensors, found = files.read_tensors(kept)
    except (ValueError, OSError) as error:
        why = error.__cause__ or error
    else:
        if found == {**metadata, "sha256": files.digest(tensors)}:
            return tensors
        if {**found, "sha256": ""} != {**metadata, "sha256": ""}:
            return None
        why = "its checksum does not fit it"
    print(f"{kept} is damaged ({why}); indexing again.")
    return None


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
        if not image.startswith(record_reader.JPEG_START):
            raise ValueError(f"Image {key} in {path} is no JPEG, it begins {image[:3].hex(' ')}.")
        offset = start + record.index(image)
        # To decode them all would take hours.
        if _JPEG_END not in image[-_END_BYTES:] and not preprocessing.is_whole_jpeg(image):
            raise ValueError(
                f"Image {key} at byte {offset} of {path} is a JPEG without its end. Check the "
                "archives and build the data set again."
            )
        label, superclass = (features[name].int64_list.value[0] for name in _LABELS)
        rows.append(((number, offset, len(image)), label, superclass, key))
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
