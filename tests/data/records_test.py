from __future__ import annotations

import collections
import io
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from ss_tf import files
from ss_tf.data import examples, record_reader, records


def _sequential(builder, split):
    """Reads a split with TFDS: key -> (JPEG bytes, label, superclass)."""
    decoders = {"image": tfds.decode.SkipDecoding()}
    rows = tfds.as_numpy(builder.as_dataset(split=split, decoders=decoders))
    return {
        row["file_name"].decode(): (row["image"], row["label"], row["superclass"]) for row in rows
    }


def _read(index, rows=slice(None)):
    places = index.records[rows]
    paths = np.array([path.encode() for path in index.files])[places["file"]]
    return record_reader.read(paths, places["offset"], places["length"])


def _first_shard(index):
    return pathlib.Path(index.files[0])


@pytest.mark.parametrize("split", ["train", "validation", "train_bicycle"])
def test_random_reads_find_what_tfds_reads_in_sequence(two_groups, split):
    index = records.index_of(two_groups, split)
    expected = _sequential(two_groups, split)
    assert len(index.keys) == two_groups.info.splits[split].num_examples
    assert index.records.dtype == examples.RECORD
    found = zip(_read(index), index.labels, index.superclasses, strict=True)
    assert dict(zip(index.keys.tolist(), found, strict=True)) == expected


def test_order_of_reading_is_free(two_groups):
    index = records.index_of(two_groups, "train")
    order = np.random.default_rng(0).permutation(len(index.keys))
    np.testing.assert_array_equal(_read(index, order), _read(index)[order])


def test_images_are_whole_files(two_groups):
    index = records.index_of(two_groups, "validation")
    for data in _read(index):
        with Image.open(io.BytesIO(data)) as image:
            assert image.format == "JPEG"
            image.load()


def test_part_of_a_split_opens_its_own_shards_only(two_groups):
    part = records.index_of(two_groups, "train_bicycle")
    whole = records.index_of(two_groups, "train")
    assert set(part.files) < set(whole.files)
    assert set(part.superclasses.tolist()) == {1}


def _forbid_scans(monkeypatch):
    def refuse(*_, **__):
        pytest.fail("The shards were scanned again.")

    monkeypatch.setattr(records, "_scan_shard", refuse)


def test_second_index_is_the_first_without_a_scan(two_groups, monkeypatch):
    first = records.index_of(two_groups, "train")
    _forbid_scans(monkeypatch)
    second = records.index_of(two_groups, "train")
    assert second.files == first.files
    for name in ("records", "labels", "superclasses", "keys"):
        np.testing.assert_array_equal(getattr(second, name), getattr(first, name), strict=True)


def test_nothing_but_the_index_is_left_beside_the_data(two_groups):
    before = {path.name for path in two_groups.data_path.iterdir()}
    records.index_of(two_groups, "train")
    after = {path.name for path in two_groups.data_path.iterdir()}
    assert after - before == {"train.index.safetensors"}


def test_a_data_set_that_was_built_again_is_scanned_again(two_groups):
    first = records.index_of(two_groups, "train")
    longest = max(map(pathlib.Path, first.files), key=lambda path: path.stat().st_size)
    number = first.files.index(str(longest))
    # Without its first record, whose frame ends where the second one's begins.
    data = longest.read_bytes()
    longest.write_bytes(data[16 + int.from_bytes(data[:8], "little") :])
    with pytest.raises(ValueError, match=rf"{longest.name} has \d+ records, expected \d+\."):
        records.index_of(two_groups, "train")
    assert collections.Counter(first.records["file"].tolist())[number] > 1


def test_data_that_cannot_be_written_to_works_and_says_so(two_groups, monkeypatch, capsys):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "write_tensors", refuse)
    index = records.index_of(two_groups, "train")
    assert len(_read(index)) == 8
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "train.index.safetensors cannot be written (Permission denied)" in out


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "other labels", "unreadable"])
def test_damaged_index_is_made_anew(two_groups, damage, capsys):
    first = records.index_of(two_groups, "train")
    kept = two_groups.data_path / "train.index.safetensors"
    data = kept.read_bytes()
    if damage == "other labels":
        tensors, metadata = files.read_tensors(kept)
        files.write_tensors(kept, {**tensors, "labels": tensors["labels"][::-1]}, metadata=metadata)
    elif damage == "unreadable":
        kept.unlink()
        kept.mkdir()
    else:
        flipped = data[:-1] + bytes([data[-1] ^ 1])
        kept.write_bytes({"empty": b"", "truncated": data[:-5], "flipped": flipped}[damage])
    capsys.readouterr()
    second = records.index_of(two_groups, "train")
    for name in ("records", "labels", "superclasses", "keys"):
        np.testing.assert_array_equal(getattr(second, name), getattr(first, name), strict=True)
    out = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r".*train\.index\.safetensors is damaged \(.+\); indexing again\.", out[0])
    if damage != "unreadable":
        assert len(out) == 1
        assert kept.read_bytes() == data


def _replace_image(shard, change):
    """Replaces a shard's first image by another one, with good checksums."""
    rows = [bytes(row) for row in tf.data.TFRecordDataset(str(shard)).as_numpy_iterator()]
    example = tf.train.Example.FromString(rows[0])
    example.features.feature["image"].bytes_list.value[0] = change(
        example.features.feature["image"].bytes_list.value[0]
    )
    with tf.io.TFRecordWriter(str(shard)) as writer:
        for row in [example.SerializeToString(), *rows[1:]]:
            writer.write(row)


def test_image_without_its_end_is_named_with_its_shard(two_groups):
    shard = _first_shard(records.index_of(two_groups, "train"))
    _replace_image(shard, lambda data: data[: len(data) // 2])
    with pytest.raises(ValueError, match=rf"Image \w+\.JPEG at byte \d+ of .*{shard.name} is a JP"):
        records.index_of(two_groups, "train")


def test_bytes_behind_an_images_end_do_no_harm(two_groups):
    shard = _first_shard(records.index_of(two_groups, "train"))
    _replace_image(shard, lambda data: data + bytes(100))
    assert len(records.index_of(two_groups, "train").keys) == 8


@pytest.mark.parametrize("damage", ["flipped", "truncated"])
def test_damaged_shard_is_named(two_groups, damage):
    shard = _first_shard(records.index_of(two_groups, "train"))
    (two_groups.data_path / "train.index.safetensors").unlink()
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(data if damage == "flipped" else data[:-7])
    with pytest.raises(ValueError, match=rf"{shard.name} is damaged after byte \d+") as caught:
        records.index_of(two_groups, "train")
    assert "\n" not in str(caught.value)


def test_missing_shard_is_named(two_groups):
    shard = _first_shard(records.index_of(two_groups, "train"))
    shard.unlink()
    with pytest.raises(ValueError, match=rf"{shard.name} cannot be read \(No such file"):
        records.index_of(two_groups, "train")


def test_image_that_is_no_jpeg_is_named_with_its_shard(two_groups, monkeypatch):
    monkeypatch.setattr(record_reader, "JPEG_START", b"\x89PNG")
    with pytest.raises(ValueError, match=r"Image \w+\.JPEG in .*tfrecord.* is no JPEG, it beg"):
        records.index_of(two_groups, "train")


def test_other_file_formats_are_refused(two_groups):
    info = two_groups.data_path / "dataset_info.json"
    info.write_text(info.read_text().replace('"tfrecord"', '"array_record"'))
    builder = tfds.builder_from_directory(two_groups.data_path)
    with pytest.raises(ValueError, match=r"is written as array_record, expected tfrecord\."):
        records.index_of(builder, "train")
