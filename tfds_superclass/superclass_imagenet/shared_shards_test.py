"""Tests of splits that share files, on files that TFDS's own writer could have written."""

import pytest
import tensorflow_datasets as tfds

from tfds_superclass.superclass_imagenet import shared_shards


def _part(folder, name, lengths, *, num_bytes):
    """Writes files that hold their split's name and shard index."""
    template = tfds.core.ShardedFileTemplate(
        data_dir=folder, dataset_name="pets", split=name, filetype_suffix="tfrecord"
    )
    part = tfds.core.SplitInfo(
        name=name, shard_lengths=lengths, num_bytes=num_bytes, filename_template=template
    )
    for index, path in enumerate(part.filepaths):
        path.write_text(f"{name} {index}")
    return part


@pytest.fixture(name="splits")
def _splits(tmp_path):
    parts = [
        _part(tmp_path, "train_cat", [3, 4], num_bytes=700),
        _part(tmp_path, "train_dog", [5], num_bytes=500),
        _part(tmp_path, "train_emu", [1, 1, 2], num_bytes=400),
    ]
    return tfds.core.SplitDict(shared_shards.unite("train", parts))


def _reads(split):
    return [
        (tfds.core.Path(part.filename).read_text(), part.skip, part.take, part.examples_in_shard)
        for part in split.file_instructions
    ]


def test_whole_reads_all_files_in_the_order_of_the_parts(splits):
    assert list(splits) == ["train", "train_cat", "train_dog", "train_emu"]
    assert _reads(splits["train"]) == [
        ("train_cat 0", 0, 3, 3),
        ("train_cat 1", 0, 4, 4),
        ("train_dog 0", 0, 5, 5),
        ("train_emu 0", 0, 1, 1),
        ("train_emu 1", 0, 1, 1),
        ("train_emu 2", 0, 2, 2),
    ]
    assert splits["train"].num_examples == 16


def test_part_reads_only_its_own_files(splits):
    assert _reads(splits["train_dog"]) == [("train_dog 0", 0, 5, 5)]
    assert [file for file, *_ in _reads(splits["train_emu"])] == [
        f"train_emu {i}" for i in range(3)
    ]
    assert [splits[name].num_examples for name in splits] == [16, 7, 5, 4]


def test_slices_count_within_the_part(splits):
    assert _reads(splits["train_emu[1:3]"]) == [("train_emu 1", 0, 1, 1), ("train_emu 2", 0, 1, 2)]
    assert _reads(splits["train_dog[80%:]+train_cat[:1]"]) == [
        ("train_dog 0", 4, 1, 5),
        ("train_cat 0", 0, 1, 3),
    ]
    assert _reads(splits["train[6:8]"]) == [("train_cat 1", 3, 1, 4), ("train_dog 0", 0, 1, 5)]


def test_no_byte_counts_twice(splits):
    assert sum(split.num_bytes for split in splits.values()) == 1600
    assert splits["train"].num_bytes == 1600


def test_files_are_renamed_to_the_whole(splits, tmp_path):
    found = sorted(path.name for path in tmp_path.iterdir())
    assert found == [f"pets-train.tfrecord-{index:05d}-of-00006" for index in range(6)]
    assert found == splits["train"].filenames


def test_splits_survive_dataset_info(splits, tmp_path):
    template = tfds.core.ShardedFileTemplate(
        data_dir=tmp_path, dataset_name="pets", filetype_suffix="tfrecord"
    )
    restored = tfds.core.SplitDict.from_proto(splits.to_proto(), filename_template=template)
    for name in splits:
        assert _reads(restored[name]) == _reads(splits[name])


def test_an_index_beside_a_file_is_renamed_with_it(tmp_path):
    part = _part(tmp_path, "train_cat", [3], num_bytes=1)
    index = part.filepaths[0].with_name(part.filepaths[0].name + "_index.json")
    index.write_text("{}")
    shared_shards.unite("train", [part])
    assert (tmp_path / "pets-train.tfrecord-00000-of-00001_index.json").read_text() == "{}"
