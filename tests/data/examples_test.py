from __future__ import annotations

import numpy as np
import pytest

from ss_tf.data import examples


def _decoded(num_images=4):
    images = np.arange(num_images, dtype=np.uint8)[:, None, None, None] * np.ones(
        (1, 2, 2, 1), np.uint8
    )
    keys = np.array([f"image {index}" for index in range(num_images)])
    return examples.Examples(images, np.arange(num_images) % 3, keys)


def test_pixels_are_decoded_and_paths_are_not():
    files = examples.Examples(np.array(["a.jpg"]), np.array([0]), np.array(["a"]))
    assert _decoded().is_decoded
    assert not files.is_decoded
    assert len(files) == 1


def _records(numbers, files):
    images = np.zeros(len(numbers), examples.RECORD)
    images["file"] = numbers
    images["length"] = np.arange(len(numbers))
    keys = np.array([f"image {index}" for index in range(len(numbers))])
    return examples.Examples(images, np.arange(len(numbers)) % 3, keys, files)


def test_kinds_are_told_apart():
    files = examples.Examples(np.array(["a.jpg"]), np.array([0]), np.array(["a"]))
    kinds = [source.kind for source in (_decoded(), files, _records([0], ("shard",)))]
    assert kinds == [examples.Kind.PIXELS, examples.Kind.PATHS, examples.Kind.RECORDS]


def test_selected_records_keep_their_files():
    chosen = _records([0, 1, 0, 1], ("x", "y")).of_labels([1])
    assert chosen.files == ("x", "y")
    assert chosen.images["file"].tolist() == [1]
    assert chosen.images["length"].tolist() == [1]


def test_record_in_an_unknown_file_is_refused():
    with pytest.raises(ValueError, match=r"files 0 to 2, expected numbers of the 2 files"):
        _records([0, 2], ("x", "y"))


def test_select_keeps_images_labels_and_keys_together():
    chosen = _decoded().select(np.array([3, 1]))
    np.testing.assert_array_equal(chosen.images[:, 0, 0, 0], [3, 1])
    np.testing.assert_array_equal(chosen.labels, [0, 1])
    assert chosen.keys.tolist() == ["image 3", "image 1"]


def test_select_copies():
    original = _decoded()
    original.select(np.arange(4)).images[:] = 9
    assert original.images.max() == 3


def test_of_labels_takes_exactly_those_labels_in_order():
    # Labels are 0, 1, 2, 0.
    chosen = _decoded().of_labels((2, 0))
    assert chosen.keys.tolist() == ["image 0", "image 2", "image 3"]


def test_of_no_labels_is_empty_and_still_valid():
    assert len(_decoded().of_labels(())) == 0


def test_float_images_are_refused():
    with pytest.raises(ValueError, match=r"images is float32 of shape \(1, 2, 2, 1\).*uint8"):
        examples.Examples(np.zeros((1, 2, 2, 1), np.float32), np.array([0]), np.array(["a"]))


def test_a_missing_label_is_refused():
    with pytest.raises(ValueError, match=r"labels is int64 of shape \(1,\).*shape \(2,\)"):
        examples.Examples(np.array(["a", "b"]), np.array([0]), np.array(["a", "b"]))


def test_keys_that_are_bytes_are_refused():
    with pytest.raises(ValueError, match=r"keys is \|S1.*expected str"):
        examples.Examples(np.array(["a"]), np.array([0]), np.array([b"a"]))
