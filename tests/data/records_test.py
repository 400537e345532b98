from __future__ import annotations

import collections
import io
import pathlib

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from ss_tf import files
from ss_tf.data import examples, records


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
    return records.read(paths, places["offset"], places["length"])


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


def test_files_that_are_not_kept_open_are_read_all_the_same(two_groups, monkeypatch):
    index = records.index_of(two_groups, "train")
    expected = _read(index)
    monkeypatch.setattr(records, "_opened", records._opened.__wrapped__)
    np.testing.assert_array_equal(_read(index), expected)


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


def test_damaged_index_is_named(two_groups):
    records.index_of(two_groups, "train")
    kept = two_groups.data_path / "train.index.safetensors"
    kept.write_bytes(kept.read_bytes()[:-5])
    with pytest.raises(ValueError, match=r"train\.index\.safetensors is not a whole"):
        records.index_of(two_groups, "train")


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


def _write(path, data):
    path.write_bytes(data)
    return np.array([str(path).encode()])


def test_short_read_names_file_and_place(tmp_path):
    paths = _write(tmp_path / "shard", b"\xff\xd8\xff" + bytes(20))
    with pytest.raises(ValueError, match=r"shard has 21 bytes at byte 2, expected .* of 30 bytes"):
        records.read(paths, np.array([2]), np.array([30]))


def test_bytes_that_are_no_jpeg_name_file_and_place(tmp_path):
    paths = _write(tmp_path / "shard", b"\xff\xd8\xff" + bytes(20))
    with pytest.raises(ValueError, match=r"shard has the bytes d8 ff 00 at byte 1, expected"):
        records.read(paths, np.array([1]), np.array([10]))


def test_file_that_vanished_is_named(tmp_path):
    paths = np.array([str(tmp_path / "gone").encode()])
    with pytest.raises(ValueError, match=r"gone cannot be read: No such file or directory"):
        records.read(paths, np.array([0]), np.array([10]))


def test_image_that_is_no_jpeg_is_named_with_its_shard(two_groups, monkeypatch):
    monkeypatch.setattr(records, "_JPEG_START", b"\x89PNG")
    with pytest.raises(ValueError, match=r"Image \w+\.JPEG in .*tfrecord.* is no JPEG, it beg"):
        records.index_of(two_groups, "train")


def test_other_file_formats_are_refused(two_groups):
    info = two_groups.data_path / "dataset_info.json"
    info.write_text(info.read_text().replace('"tfrecord"', '"array_record"'))
    builder = tfds.builder_from_directory(two_groups.data_path)
    with pytest.raises(ValueError, match=r"is written as array_record, expected tfrecord\."):
        records.index_of(builder, "train")
