from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ss_tf import config
from ss_tf.data import examples, folder, input_pipeline

_FORMAT = examples.ImageFormat(channels=1, mean=(0.25,), std=(0.5,), crop_fraction=1.0)
_COLOUR = examples.ImageFormat(channels=3, mean=(0.5,) * 3, std=(0.25,) * 3, crop_fraction=0.875)


def _examples(count, side=8):
    """Image n is filled with the gray n, and its label is n."""
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones(
        (1, side, side, 1), np.uint8
    )
    return examples.Examples(images, np.arange(count), np.arange(count).astype(str))


@pytest.fixture
def files(make_tree):
    """Returns ten examples that are files."""
    root = make_tree(*[f"{index}.png" for index in range(10)])
    paths = np.array(sorted(str(path) for path in root.iterdir()))
    return examples.Examples(paths, np.arange(10), paths)


def _train(source, image_format=_FORMAT, **changes):
    arguments = {"image_size": 8, "batch_size": 4, "augment": (), "seed": 0, "epoch": 0}
    batches = input_pipeline.train_batches(source, image_format, **(arguments | changes))
    return [(images.numpy(), labels.numpy()) for images, labels in batches]


def _evaluate(source, image_format=_FORMAT, *, batch_size=4, image_size=8):
    batches = input_pipeline.eval_batches(
        source, image_format, image_size=image_size, batch_size=batch_size
    )
    return [{name: value.numpy() for name, value in batch.items()} for batch in batches]


def _same(one, two):
    return len(one) == len(two) and all(
        np.array_equal(a, b)
        for left, right in zip(one, two, strict=True)
        for a, b in zip(left, right, strict=True)
    )


@pytest.mark.parametrize(("num_examples", "steps"), [(0, 0), (1, 1), (4, 1), (5, 2), (8, 2)])
def test_steps_per_epoch_rounds_up(num_examples, steps):
    assert input_pipeline.steps_per_epoch(num_examples, 4) == steps


def test_normalised_range_is_that_of_black_and_white():
    image_format = examples.ImageFormat(
        channels=2, mean=(0.5, 0.25), std=(0.5, 0.25), crop_fraction=1.0
    )
    # Channels: (0 - .5) / .5 = -1 to 1, and (0 - .25) / .25 = -1 to 3.
    assert input_pipeline.normalised_range(image_format) == (-1.0, 3.0)


def test_each_example_is_shown_and_the_last_batch_topped_up_from_the_start():
    batches = _train(_examples(10))
    labels = np.concatenate([labels for _, labels in batches])
    assert [len(labels) for _, labels in batches] == [4, 4, 4]
    assert sorted(labels[:10].tolist()) == list(range(10))
    np.testing.assert_array_equal(labels[10:], labels[:2])


def test_images_are_normalised_and_stay_with_their_labels():
    for images, labels in _train(_examples(10)):
        assert images.dtype == np.float32
        assert labels.dtype == np.int64
        expected = (labels / 255 - 0.25) / 0.5
        np.testing.assert_allclose(images[:, 3, 4, 0], expected, atol=1e-6)


def test_a_batch_larger_than_the_data_set_is_filled():
    ((images, labels),) = _train(_examples(3), batch_size=8)
    assert images.shape == (8, 8, 8, 1)
    assert set(labels.tolist()) == {0, 1, 2}


def test_shapes_are_known_before_the_first_batch():
    batches = input_pipeline.train_batches(
        _examples(10), _FORMAT, image_size=8, batch_size=4, augment=("flip",), seed=0, epoch=0
    )
    images, labels = batches.element_spec
    assert images == tf.TensorSpec([4, 8, 8, 1], tf.float32)
    assert labels == tf.TensorSpec([4], tf.int64)


@pytest.mark.parametrize("source", ["decoded", "files"])
def test_equal_seeds_give_equal_batches(source, files):
    source, image_format = (_examples(10), _FORMAT) if source == "decoded" else (files, _COLOUR)
    one, two = (_train(source, image_format, augment=config.AUGMENTATIONS) for _ in range(2))
    assert _same(one, two)


def test_epochs_and_seeds_differ_in_order():
    orders = {
        tuple(np.concatenate([labels for _, labels in _train(_examples(12), **which)]))
        for which in ({}, {"epoch": 1}, {"seed": 1}, {"seed": 1, "epoch": 1})
    }
    assert len(orders) == 4


def test_augmentation_differs_between_steps_and_epochs():
    source = _examples(1).select(np.zeros(8, int))
    source.images[:, :, :4] = 200
    changes = {"augment": ("translate", "color"), "batch_size": 1}
    images = [image for epoch in (0, 1) for image, _ in _train(source, epoch=epoch, **changes)]
    assert len({image.tobytes() for image in images}) == 16


@pytest.mark.parametrize("source", ["decoded", "files"])
def test_a_resumed_epoch_goes_on_exactly(source, files):
    source, image_format = (_examples(10), _FORMAT) if source == "decoded" else (files, _COLOUR)
    whole = _train(source, image_format, augment=("rotate", "color"), epoch=3)
    rest = _train(source, image_format, augment=("rotate", "color"), epoch=3, start_step=1)
    assert _same(whole[1:], rest)


def test_nothing_to_train_on_is_refused():
    with pytest.raises(ValueError, match="no examples to train on, expected at least one"):
        _train(_examples(0))


@pytest.mark.parametrize("batch_size", [1, 3, 4, 10, 16])
def test_evaluation_counts_each_example_exactly_once(batch_size):
    batches = _evaluate(_examples(10), batch_size=batch_size)
    assert {batch["image"].shape for batch in batches} == {(batch_size, 8, 8, 1)}
    mask = np.concatenate([batch["mask"] for batch in batches])
    labels = np.concatenate([batch["label"] for batch in batches])
    assert mask.dtype == np.float32
    assert mask.sum() == 10
    np.testing.assert_array_equal(labels[mask == 1], np.arange(10))


def test_evaluation_of_files_is_in_order_and_normalised(files):
    batches = _evaluate(files, _COLOUR)
    mask = np.concatenate([batch["mask"] for batch in batches])
    images = np.concatenate([batch["image"] for batch in batches])[mask == 1]
    # The fixture paints file number n in the gray n.
    np.testing.assert_allclose(images[:, 4, 4, 0], (np.arange(10) / 255 - 0.5) / 0.25, atol=1e-6)


@pytest.fixture
def mixed_sizes(tmp_path):
    """Returns the data set of a photo tree: three sizes in each class, class n in the gray 40 n."""
    # Width and height: smaller than the network's input, upright, and a panorama.
    sizes = [(7, 6), (60, 90), (400, 24)]
    for split in ("train", "validation"):
        for label, subclass in enumerate(["a/x", "a/y", "b/z"]):
            folder_of_class = tmp_path / split / subclass
            folder_of_class.mkdir(parents=True)
            for index, size in enumerate(sizes):
                image = Image.new("RGB", size, (40 * label,) * 3)
                image.save(folder_of_class / f"{index}.png")
    settings = config.DataConfig(
        name="folder", data_dir=tmp_path, image_size=8, minival_fraction=0.0, skip_unreadable=False
    )
    return folder.load(settings, _COLOUR)


def _assert_gray_of_labels(images, labels):
    grays = (40 * labels[:, None, None, None] / 255 - 0.5) / 0.25
    np.testing.assert_allclose(images, np.broadcast_to(grays, images.shape), atol=1e-5)


def test_images_of_all_sizes_share_a_training_batch(mixed_sizes):
    batches = _train(mixed_sizes.train, mixed_sizes, batch_size=9, augment=("flip",))
    ((images, labels),) = batches
    assert images.shape == (9, 8, 8, 3)
    np.testing.assert_array_equal(np.bincount(labels), [3, 3, 3])
    _assert_gray_of_labels(images, labels)


def test_images_of_all_sizes_share_an_evaluation_batch(mixed_sizes):
    batches = _evaluate(mixed_sizes.validation, mixed_sizes, batch_size=6)
    assert [batch["image"].shape for batch in batches] == [(6, 8, 8, 3)] * 2
    assert [batch["mask"].sum() for batch in batches] == [6, 3]
    for batch in batches:
        _assert_gray_of_labels(batch["image"], batch["label"])


def test_a_panorama_is_cut_and_not_squeezed(tmp_path):
    # Brightness rises by 1 every two columns, from 0 to 199.
    pixels = np.repeat(np.arange(200, dtype=np.uint8), 2)[None, :, None] * np.ones(
        (24, 1, 3), np.uint8
    )
    Image.fromarray(pixels).save(tmp_path / "panorama.png")
    paths = np.array([str(tmp_path / "panorama.png")])
    source = examples.Examples(paths, np.zeros(1, np.int64), paths)
    ((trained, _),) = _train(source, _COLOUR, batch_size=1)
    (evaluated,) = _evaluate(source, _COLOUR, batch_size=1)
    for image in (trained[0], evaluated["image"][0]):
        grays = (image * 0.25 + 0.5) * 255
        # A training crop is at most 24 * 4 / 3 = 32 columns wide.
        assert 4 < np.ptp(grays) < 16
    # The middle is between 99 and 100.
    np.testing.assert_allclose(grays.mean(), 99.5, atol=0.5)


def test_evaluation_resizes_decoded_images():
    (batch,) = _evaluate(_examples(4, side=20))
    np.testing.assert_allclose(
        batch["image"][:, 7, 0, 0], (np.arange(4) / 255 - 0.25) / 0.5, atol=1e-6
    )


def test_evaluation_of_nothing_has_no_batch():
    assert _evaluate(_examples(0)) == []
