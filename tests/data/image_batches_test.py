from __future__ import annotations

import io
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ss_tf.data import examples, image_batches, record_reader

_GRAY = examples.ImageFormat(channels=1, mean=(0.5,), std=(0.5,), crop_fraction=1.0)
_COLOUR = examples.ImageFormat(channels=3, mean=(0.5,) * 3, std=(0.5,) * 3, crop_fraction=0.875)


def _decoded(count=5, side=8):
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones(
        (1, side, side, 1), np.uint8
    )
    return examples.Examples(images, np.zeros(count, np.int64), np.arange(count).astype(str))


def _files(paths):
    paths = np.array([str(path) for path in paths])
    return examples.Examples(paths, np.zeros(len(paths), np.int64), paths)


def _corner(height, width, seed):
    return tf.constant([0, 0, 8, 8])


def _build(source, image_format, indices, *, image_size=8, choose_box=_corner, antialias=True):
    indices = np.array(indices)
    batches = image_batches.build(
        source,
        image_format,
        indices=indices,
        image_size=image_size,
        min_crop_area=0.35,
        antialias=antialias,
        choose_box=choose_box,
        seeds=np.arange(indices.size * 2, dtype=np.int32).reshape(*indices.shape, 2),
    )
    return np.array([batch.numpy() for batch in batches])


def test_decoded_images_are_gathered_unchanged():
    batches = _build(_decoded(), _GRAY, [[4, 0], [2, 2]])
    assert batches.dtype == np.uint8
    assert batches.shape == (2, 2, 8, 8, 1)
    np.testing.assert_array_equal(batches[..., 3, 3, 0], [[4, 0], [2, 2]])


def test_decoded_images_of_another_size_are_resized():
    batches = _build(_decoded(side=20), _GRAY, [[3, 1]])
    assert batches.shape == (1, 2, 8, 8, 1)
    np.testing.assert_allclose(batches[0, :, 4, 4, 0], [3, 1], atol=1e-4)


def test_files_are_read_in_the_order_of_the_indices(make_tree):
    root = make_tree(*[f"{index:02d}.png" for index in range(20)])
    indices = np.random.default_rng(0).permutation(20).reshape(4, 5)
    batches = _build(_files(sorted(root.iterdir())), _COLOUR, indices)
    # The fixture paints file number n in the gray n.
    np.testing.assert_array_equal(batches[..., 0, 0, 1], indices)


def test_box_is_chosen_from_each_image_and_its_own_seed(tmp_path):
    # Pixel (y, x) of either image is the gray 20 y + x.
    for name, shape in (("0.png", (9, 12)), ("1.png", (12, 9))):
        pixels = 20 * np.arange(shape[0])[:, None] + np.arange(shape[1])
        Image.fromarray(np.repeat(pixels[..., None], 3, axis=2).astype(np.uint8)).save(
            tmp_path / name
        )

    def choose_box(height, width, seed):
        return tf.stack([(height - 9) // 3, tf.reduce_sum(seed) // 3, 8, 8])

    source = _files([tmp_path / "0.png", tmp_path / "1.png"])
    batches = _build(source, _COLOUR, [[1, 0]], choose_box=choose_box)
    # Seeds are [0, 1] and [2, 3]: the boxes begin at (1, 0) and (0, 1).
    np.testing.assert_allclose(batches[0, :, 0, 0, 0], [20, 1], atol=1e-4)


def test_gray_files_have_one_channel_where_the_data_set_has(make_tree):
    root = make_tree("0.png")
    assert _build(_files([root / "0.png"]), _GRAY, [[0]]).shape == (1, 1, 8, 8, 1)


def test_names_beyond_ascii_are_read(tmp_path):
    path = tmp_path / "größe 犬.png"
    Image.new("RGB", (8, 8), (9, 9, 9)).save(path)
    assert _build(_files([path]), _COLOUR, [[0]]).max() == 9


def test_file_that_vanished_is_named(tmp_path):
    with pytest.raises(tf.errors.OpError, match=r"gone\.png: No such file or directory"):
        _build(_files([tmp_path / "gone.png"]), _COLOUR, [[0]])


@pytest.fixture
def shards(tmp_path):
    """Returns forty gray JPEG images, number n in the gray 5 n, in two files; one is large."""
    places, contents = [], [b"x" * 7, b""]
    for index in range(40):
        buffer = io.BytesIO()
        side = 64 if index == 39 else 16
        Image.new("L", (side, side + 4), 5 * index).save(buffer, "JPEG")
        number = index % 2
        places.append((number, len(contents[number]), buffer.tell()))
        contents[number] += buffer.getvalue() + b"between"
    files = tuple(str(tmp_path / f"shard {number} größe") for number in (0, 1))
    for file, content in zip(files, contents, strict=True):
        pathlib.Path(file).write_bytes(content)
    keys = np.arange(40).astype(str)
    return examples.Examples(np.array(places, examples.RECORD), np.arange(40), keys, files)


@pytest.mark.parametrize("antialias", [True, False])
def test_images_inside_files_are_read_in_the_order_of_the_indices(shards, antialias):
    indices = np.random.default_rng(0).permutation(40).reshape(4, 10)
    batches = _build(
        shards,
        _COLOUR,
        indices,
        antialias=antialias,
        choose_box=lambda height, width, _: tf.stack([0, 0, height, width]),
    )
    assert batches.shape == (4, 10, 8, 8, 3)
    np.testing.assert_allclose(batches[..., 0, 0, 1], 5 * indices, atol=1)


def test_no_images_inside_files_give_no_batch(shards):
    assert len(_build(shards.select(np.arange(0)), _COLOUR, np.zeros((0, 4), int))) == 0


def test_file_that_shrank_is_named_with_the_place(shards):
    pathlib.Path(shards.files[1]).write_bytes(b"short")
    with pytest.raises(tf.errors.OpError, match=r"größe has \d bytes at byte \d+, expected a JPEG"):
        _build(shards, _COLOUR, [[1, 0]])
    with pytest.raises(tf.errors.OpError) as caught:
        _build(shards, _COLOUR, [[1, 0]])
    explained = image_batches.explain(caught.value)
    assert re.search(r"größe has \d bytes at byte \d+, expected a JPEG.*damaged\.$", explained)
    assert "\n" not in explained


def test_image_that_cannot_be_decoded_is_explained_with_file_and_place(shards):
    record_reader._last_read.clear()
    number, offset, length = shards.images[6]
    data = bytearray(pathlib.Path(shards.files[number]).read_bytes())
    # A Huffman table that claims more codes than there are.
    data[data.index(b"\xff\xc4", offset) + 5] = 200
    pathlib.Path(shards.files[number]).write_bytes(data)
    with pytest.raises(tf.errors.OpError) as caught:
        _build(shards, _COLOUR, np.arange(40).reshape(4, 10))
    assert image_batches.explain(caught.value) == (
        f"{shards.files[number]} has a damaged JPEG image of {length} bytes at byte {offset}. "
        "Check the archives and build the data set again."
    )


def test_vanished_image_file_is_explained(tmp_path):
    with pytest.raises(tf.errors.OpError) as caught:
        _build(_files([tmp_path / "gone.png"]), _COLOUR, [[0]])
    expected = f"{tmp_path / 'gone.png'}: No such file or directory"
    assert image_batches.explain(caught.value) == expected


def test_what_is_no_damage_is_not_explained():
    assert image_batches.explain(KeyError("bug")) is None
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        tf.reshape(tf.zeros([3]), [2])
    assert image_batches.explain(caught.value) is None
