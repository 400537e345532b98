from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ss_tf.data import record_reader


@pytest.fixture(autouse=True)
def nothing_read():
    record_reader._last_read.clear()


@pytest.fixture
def shard(tmp_path):
    """Returns path, offsets and lengths of three images; the second one has lost its end."""
    buffer = io.BytesIO()
    Image.effect_noise((40, 30), 50).save(buffer, "JPEG")
    whole = buffer.getvalue()
    images = [whole, whole[: len(whole) // 2], whole]
    path = tmp_path / "shard"
    path.write_bytes(b"".join(images))
    lengths = np.array([len(image) for image in images])
    return np.array([str(path).encode()] * 3), np.cumsum(lengths) - lengths, lengths


@pytest.mark.parametrize("are_kept_open", [True, False])
def test_images_are_read_in_any_order(shard, monkeypatch, are_kept_open):
    if not are_kept_open:
        monkeypatch.setattr(record_reader, "_opened", record_reader._opened.__wrapped__)
    order = [2, 0, 1, 2]
    found = record_reader.read(*(column[order] for column in shard))
    whole = found[0]
    assert found.tolist() == [whole, whole, whole[: shard[2][1]], whole]


def test_damaged_image_is_found_among_the_last_read(shard):
    record_reader.read(*shard)
    path, offsets, lengths = shard
    expected = f"has a damaged JPEG image of {lengths[1]} bytes at byte {offsets[1]}."
    assert record_reader.describe_damaged() == f"{path[0].decode()} {expected}"


def test_whole_images_are_not_accused(shard):
    record_reader.read(*(column[[0, 2]] for column in shard))
    assert record_reader.describe_damaged() is None


def test_file_that_vanished_after_reading_is_named(shard, tmp_path):
    record_reader.read(*(column[:1] for column in shard))
    (tmp_path / "shard").unlink()
    record_reader._opened.cache_clear()
    assert "shard cannot be read: No such file" in record_reader.describe_damaged()


def _write(path, data):
    path.write_bytes(data)
    return np.array([str(path).encode()])


def test_short_read_names_file_and_place(tmp_path):
    paths = _write(tmp_path / "shard", b"\xff\xd8\xff" + bytes(20))
    with pytest.raises(ValueError, match=r"shard has 21 bytes at byte 2, expected .* of 30 bytes"):
        record_reader.read(paths, np.array([2]), np.array([30]))


def test_bytes_that_are_no_jpeg_name_file_and_place(tmp_path):
    paths = _write(tmp_path / "shard", b"\xff\xd8\xff" + bytes(20))
    with pytest.raises(ValueError, match=r"shard has the bytes d8 ff 00 at byte 1, expected"):
        record_reader.read(paths, np.array([1]), np.array([10]))


def test_file_that_vanished_is_named(tmp_path):
    paths = np.array([str(tmp_path / "gone").encode()])
    with pytest.raises(ValueError, match=r"gone cannot be read: No such file or directory"):
        record_reader.read(paths, np.array([0]), np.array([10]))
