from __future__ import annotations

import hashlib
import io
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ss_tf import config
from ss_tf.data import catalog, examples, folder, input_pipeline, mixing, preprocessing

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


@pytest.fixture(name="train")
def _train(fit_config):
    """Returns a function that lists an epoch's batches: images and labels, or all four parts."""

    def list_batches(source, image_format=_FORMAT, *, epoch=0, start_step=0, **changes):
        whole = input_pipeline.WHOLE
        places = {"start_step": start_step, "shard": changes.pop("shard", whole)}
        places["num_epochs"] = changes.pop("num_epochs", 1)
        fit = fit_config(**({"image_size": 8, "batch_size": 4} | changes))
        batches = input_pipeline.train_batches(source, image_format, fit=fit, epoch=epoch, **places)
        return [mixing.Batch(*(part.numpy() for part in batch)) for batch in batches]

    return list_batches


def _evaluate(source, image_format=_FORMAT, *, batch_size=4, image_size=8, **changes):
    batches = input_pipeline.eval_batches(
        source, image_format, image_size=image_size, batch_size=batch_size, **changes
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


def test_each_example_is_shown_and_the_last_batch_topped_up_from_the_start(train):
    batches = train(_examples(10))
    labels = np.concatenate([labels for _, labels, *_ in batches])
    assert [len(labels) for _, labels, *_ in batches] == [4, 4, 4]
    assert sorted(labels[:10].tolist()) == list(range(10))
    np.testing.assert_array_equal(labels[10:], labels[:2])


def test_images_are_normalised_and_stay_with_their_labels(train):
    for images, labels, *_ in train(_examples(10)):
        assert images.dtype == np.float32
        assert labels.dtype == np.int64
        expected = (labels / 255 - 0.25) / 0.5
        np.testing.assert_allclose(images[:, 3, 4, 0], expected, atol=1e-6)


def test_a_batch_larger_than_the_data_set_is_filled(train):
    ((images, labels, *_),) = train(_examples(3), batch_size=8)
    assert images.shape == (8, 8, 8, 1)
    assert set(labels.tolist()) == {0, 1, 2}


def test_shapes_are_known_before_the_first_batch(fit_config):
    fit = fit_config(batch_size=4, image_size=8, augment=("flip",), mixup=0.2)
    batches = input_pipeline.train_batches(_examples(10), _FORMAT, fit=fit, epoch=0)
    assert batches.element_spec == mixing.Batch(
        images=tf.TensorSpec([4, 8, 8, 1], tf.float32),
        labels=tf.TensorSpec([4], tf.int64),
        partners=tf.TensorSpec([4], tf.int64),
        shares=tf.TensorSpec([4], tf.float32),
    )


@pytest.mark.parametrize("source", ["decoded", "files"])
def test_equal_seeds_give_equal_batches(source, files, train):
    source, image_format = (_examples(10), _FORMAT) if source == "decoded" else (files, _COLOUR)
    one, two = (train(source, image_format, augment=config.AUGMENTATIONS) for _ in range(2))
    assert _same(one, two)


def test_epochs_and_seeds_differ_in_order(train):
    orders = {
        tuple(np.concatenate([labels for _, labels, *_ in train(_examples(12), **which)]))
        for which in ({}, {"epoch": 1}, {"seed": 1}, {"seed": 1, "epoch": 1})
    }
    assert len(orders) == 4


def test_augmentation_differs_between_steps_and_epochs(train):
    source = _examples(1).select(np.zeros(8, int))
    source.images[:, :, :4] = 200
    changes = {"augment": ("translate", "color"), "batch_size": 1}
    images = [image for epoch in (0, 1) for image, *_ in train(source, epoch=epoch, **changes)]
    assert len({image.tobytes() for image in images}) == 16


@pytest.mark.parametrize("source", ["decoded", "files"])
def test_a_resumed_epoch_goes_on_exactly(source, files, train):
    source, image_format = (_examples(10), _FORMAT) if source == "decoded" else (files, _COLOUR)
    whole = train(source, image_format, augment=("rotate", "color"), epoch=3)
    rest = train(source, image_format, augment=("rotate", "color"), epoch=3, start_step=1)
    assert _same(whole[1:], rest)


def test_several_epochs_in_one_are_the_epochs_one_by_one(train):
    whole = train(_examples(10), epoch=3, num_epochs=2)
    assert _same(whole, train(_examples(10), epoch=3) + train(_examples(10), epoch=4))


def test_nothing_to_train_on_is_refused(train):
    with pytest.raises(ValueError, match="no examples to train on, expected at least one"):
        train(_examples(0))


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


def test_images_of_all_sizes_share_a_training_batch(mixed_sizes, train):
    batches = train(mixed_sizes.train, mixed_sizes, batch_size=9, augment=("flip",))
    ((images, labels, *_),) = batches
    assert images.shape == (9, 8, 8, 3)
    np.testing.assert_array_equal(np.bincount(labels), [3, 3, 3])
    _assert_gray_of_labels(images, labels)


def test_images_of_all_sizes_share_an_evaluation_batch(mixed_sizes):
    batches = _evaluate(mixed_sizes.validation, mixed_sizes, batch_size=6)
    assert [batch["image"].shape for batch in batches] == [(6, 8, 8, 3)] * 2
    assert [batch["mask"].sum() for batch in batches] == [6, 3]
    for batch in batches:
        _assert_gray_of_labels(batch["image"], batch["label"])


def test_a_panorama_is_cut_and_not_squeezed(tmp_path, train):
    # Brightness rises by 1 every two columns, from 0 to 199.
    pixels = np.repeat(np.arange(200, dtype=np.uint8), 2)[None, :, None] * np.ones(
        (24, 1, 3), np.uint8
    )
    Image.fromarray(pixels).save(tmp_path / "panorama.png")
    paths = np.array([str(tmp_path / "panorama.png")])
    source = examples.Examples(paths, np.zeros(1, np.int64), paths)
    ((trained, *_),) = train(source, _COLOUR, batch_size=1)
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


def test_batches_of_one_device_stay_what_they_were(train):
    """The numbers in README were measured with these very batches."""
    images = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 1), dtype=np.uint8)
    source = examples.Examples(images, np.arange(10), np.arange(10).astype(str))
    typefaces = catalog.image_format("superclass_typefaces")
    batches = train(source, typefaces, image_size=32, augment=("translate",), seed=3, epoch=2)
    assert [batch.labels.tolist() for batch in batches] == [
        [7, 4, 1, 8],
        [6, 0, 2, 9],
        [3, 5, 7, 4],
    ]
    digest = hashlib.sha256()
    for batch in batches:
        digest.update(np.round((batch.images * 0.5 + 0.5) * 255).astype(np.uint8).tobytes())
        digest.update(batch.labels.tobytes())
    expected = "01bcc1b10770cd8909ccb14155fd3ec4c843b0641d49006991d610c8c56afa3f"
    assert digest.hexdigest() == expected


def _shards(count, replicas):
    return [input_pipeline.Shard(index, count, replicas) for index in range(count)]


def _joined(parts, replicas):
    """Puts the batches of several processes together, step by step, part by part."""
    steps = len(parts[0]) // replicas
    return [
        tuple(
            np.concatenate(arrays)
            for arrays in zip(
                *(batch for own in parts for batch in own[step * replicas : (step + 1) * replicas]),
                strict=True,
            )
        )
        for step in range(steps)
    ]


@pytest.mark.parametrize(("count", "replicas"), [(1, 2), (2, 1), (2, 2), (4, 1)])
@pytest.mark.parametrize("source", ["decoded", "files"])
def test_processes_together_show_the_whole_batches(source, files, count, replicas, train):
    source, image_format = (_examples(10), _FORMAT) if source == "decoded" else (files, _COLOUR)
    parts = [train(source, image_format, shard=shard) for shard in _shards(count, replicas)]
    assert {len(batch.labels) for own in parts for batch in own} == {4 // (count * replicas)}
    assert _same(_joined(parts, replicas), train(source, image_format))


def test_devices_get_the_same_however_they_are_spread_over_processes(train):
    changes = {"augment": ("translate", "color"), "mixup": 0.5, "cutmix": 0.5, "start_step": 1}
    spread = [train(_examples(10), shard=shard, **changes) for shard in _shards(2, 1)]
    (together,) = (train(_examples(10), shard=shard, **changes) for shard in _shards(1, 2))
    assert _same(_joined(spread, 1), _joined([together], 2))


def test_parts_of_a_batch_are_varied_differently(train):
    source = _examples(1).select(np.zeros(8, int))
    source.images[:, :, :4] = 200
    changes = {"augment": ("translate", "color"), "batch_size": 8}
    batches = train(source, shard=input_pipeline.Shard(0, 1, 8), **changes)
    assert len({batch.images.tobytes() for batch in batches}) == 8


@pytest.mark.parametrize(("count", "replicas"), [(1, 2), (2, 1), (2, 2)])
def test_processes_together_evaluate_each_example_once(count, replicas):
    parts = [_evaluate(_examples(10), shard=shard) for shard in _shards(count, replicas)]
    assert {batch["image"].shape[0] for own in parts for batch in own} == {4 // (count * replicas)}
    joined = _joined([[tuple(batch.values()) for batch in own] for own in parts], replicas)
    assert _same(joined, [tuple(batch.values()) for batch in _evaluate(_examples(10))])


def test_batches_that_cannot_be_shared_out_are_refused(train):
    shard = input_pipeline.Shard(index=0, count=3, replicas=2)
    message = r"batch_size is 4, expected a multiple of 6: .* 3 processes with 2 devices each"
    with pytest.raises(ValueError, match=message):
        train(_examples(10), shard=shard)
    with pytest.raises(ValueError, match=message):
        _evaluate(_examples(10), shard=shard)


def test_images_are_mixed_with_others_of_their_batch(train):
    ((images, labels, partners, shares),) = train(_examples(10), batch_size=10, mixup=0.5)
    grays = shares * labels + (1 - shares) * partners
    np.testing.assert_allclose(images[:, 3, 4, 0], (grays / 255 - 0.25) / 0.5, atol=1e-5)
    assert (shares < 1).any()


def test_smallest_crop_of_files_is_set(tmp_path, train):
    # Brightness tells the row: a crop of little area has a small range.
    pixels = np.arange(0, 200, 2, dtype=np.uint8)[:, None, None] * np.ones((1, 100, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "0.png")
    paths = np.array([str(tmp_path / "0.png")] * 40)
    source = examples.Examples(paths, np.zeros(40, np.int64), np.arange(40).astype(str))
    ranges = {}
    for area in (0.05, 0.95):
        ((images, *_),) = train(source, _COLOUR, batch_size=40, min_crop_area=area)
        ranges[area] = np.ptp(images, axis=(1, 2, 3)) * 0.25 * 255
    assert ranges[0.05].min() < 100 < 130 < ranges[0.95].min()


@pytest.fixture
def imagenet(prepared, data_config):
    """Returns the images of a small ImageNet, inside TFRecord files."""
    return catalog.load(
        data_config("superclass_imagenet/two_groups", data_dir=prepared, image_size=8)
    )


def _pillow(dataset, row):
    """Decodes one image of the training split."""
    file, offset, length = dataset.train.images[row].tolist()
    data = pathlib.Path(dataset.train.files[file]).read_bytes()[offset : offset + length]
    return Image.open(io.BytesIO(data)).convert("RGB")


def test_evaluation_of_images_inside_files_shows_the_centre_that_pillow_cuts(imagenet):
    batches = _evaluate(imagenet.train, imagenet, batch_size=8)
    for row, image in enumerate(batches[0]["image"]):
        pillow = _pillow(imagenet, row)
        side = round(0.875 * min(pillow.size))
        left, top = (pillow.width - side) // 2, (pillow.height - side) // 2
        square = pillow.resize(
            (8, 8), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side)
        )
        pixels = (image * imagenet.std + imagenet.mean) * 255
        # At the rim of a part that is decoded alone, colours are filled in differently.
        difference = np.abs(pixels - np.asarray(square))
        assert difference[1:-1, 1:-1].max() <= 2
        assert difference.mean() <= 2


def test_training_on_images_inside_files_shows_the_box_that_was_drawn(imagenet, train):
    ((images, labels, *_),) = train(imagenet.train, imagenet, batch_size=8, seed=5, epoch=1)
    generator = np.random.default_rng([5, 1])
    rows = generator.permutation(8)
    seeds = generator.integers(2**31 - 1, size=(1, 8, 2), dtype=np.int32)[0]
    np.testing.assert_array_equal(labels, imagenet.train.labels[rows])
    for image, row, seed in zip(images, rows, seeds, strict=True):
        pillow = _pillow(imagenet, row)
        top, left, height, width = preprocessing.random_crop_box(
            pillow.height, pillow.width, min_area=0.35, seed=seed
        ).numpy()
        part = pillow.crop((left, top, left + width, top + height))
        # Decoded at a half or a quarter, and picked from what is left: not quite the same filter.
        expected = np.asarray(part.resize((8, 8), Image.Resampling.BILINEAR)).astype(int)
        pixels = (image * imagenet.std + imagenet.mean) * 255
        assert np.abs(pixels - expected).mean() < 12


def test_an_epoch_of_images_inside_files_goes_on_exactly(imagenet, train):
    changes = {"augment": ("flip", "color"), "batch_size": 3, "epoch": 2}
    whole = train(imagenet.train, imagenet, **changes)
    assert _same(whole[1:], train(imagenet.train, imagenet, start_step=1, **changes))
