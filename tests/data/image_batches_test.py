from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ss_tf.data import examples, image_batches

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


def _build(source, image_format, indices, *, image_size=8, crop=None):
    indices = np.array(indices)
    batches = image_batches.build(
        source,
        image_format,
        indices=indices,
        image_size=image_size,
        crop=crop or (lambda image, seed: tf.cast(image[:image_size, :image_size], tf.float32)),
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


def test_crop_gets_each_image_and_its_own_seed(make_tree):
    root = make_tree("0.png", "1.png")

    def crop(image, seed):
        colour = tf.cast(image[0, 0, 0], tf.int32)
        return tf.fill([8, 8, 3], tf.cast(1000 * colour + tf.reduce_sum(seed), tf.float32))

    batches = _build(_files([root / "0.png", root / "1.png"]), _COLOUR, [[1, 0]], crop=crop)
    # Seeds are [0, 1] and [2, 3].
    np.testing.assert_array_equal(batches[0, :, 0, 0, 0], [1001, 5])


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
