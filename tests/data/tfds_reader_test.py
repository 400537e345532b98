from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from ss_tf.data import catalog, tfds_reader


def _mock(make_columns):
    """Mocks TFDS: every split consists of the columns that `make_columns(split)` returns."""

    def as_dataset(builder, split, **_):
        columns = make_columns(split)
        types = builder.info.features.dtype
        return tf.data.Dataset.from_tensor_slices(
            {name: tf.cast(values, types[name]) for name, values in columns.items()}
        )

    return tfds.testing.mock_data(as_dataset_fn=as_dataset)


def _cifar_columns(split):
    """Ten images of each label; each pixel of an image is its label; coarse = label // 5."""
    labels = np.tile(np.arange(100), 10 if split == "train" else 2)
    return {
        "image": labels[:, None, None, None] * np.ones((1, 32, 32, 3), np.int64),
        "label": labels,
        "coarse_label": labels // 5,
        "id": [f"{split}_{index:05d}" for index in range(len(labels))],
    }


def test_coarse_labels_of_cifar100_become_superclasses(data_config):
    with _mock(_cifar_columns):
        dataset = catalog.load(data_config("cifar100"))
    assert dataset.superclass_map.num_labels == 100
    assert dataset.superclass_map.num_superclasses == 20
    assert dataset.superclass_map.superclass_of_label == tuple(label // 5 for label in range(100))


def test_cifar100_is_decoded_and_reported_on_its_test_split(data_config):
    with _mock(_cifar_columns):
        dataset = catalog.load(data_config("cifar100"))
    assert dataset.train.images.shape == (1000, 32, 32, 3)
    assert dataset.validation.images.dtype == np.uint8
    assert dataset.validation.keys[:2].tolist() == ["test_00000", "test_00001"]
    assert dataset.unreadable == ()
    np.testing.assert_array_equal(dataset.train.images[:, 3, 3, 1], dataset.train.labels)


def test_minival_is_held_out_of_every_label(data_config):
    with _mock(_cifar_columns):
        dataset = catalog.load(data_config("cifar100", minival_fraction=0.2))
    np.testing.assert_array_equal(np.bincount(dataset.train.labels), [8] * 100)
    np.testing.assert_array_equal(np.bincount(dataset.minival.labels), [2] * 100)
    assert not set(dataset.train.keys) & set(dataset.minival.keys)


def test_the_order_of_tfds_does_not_matter(data_config):
    def backwards(split):
        return {name: values[::-1] for name, values in _cifar_columns(split).items()}

    with _mock(_cifar_columns):
        dataset = catalog.load(data_config("cifar100", minival_fraction=0.2))
    with _mock(backwards):
        again = catalog.load(data_config("cifar100", minival_fraction=0.2))
    np.testing.assert_array_equal(again.train.keys, dataset.train.keys)
    np.testing.assert_array_equal(again.train.images, dataset.train.images)


def test_typefaces_are_read_by_script(data_config):
    features = tfds.builder_cls("superclass_typefaces")().info.features
    labels = np.arange(features["label"].num_classes)
    names = features["label"].names
    scripts = features["superclass"].names

    def columns(split):
        return {
            "image": labels[:, None, None, None] * np.ones((1, 32, 32, 1), np.int64),
            "label": labels,
            "superclass": [scripts.index(name.partition("/")[0]) for name in names],
            "subclass": np.zeros_like(labels),
            "file_name": [f"{name}/{split}_000" for name in names],
        }

    with _mock(columns):
        dataset = catalog.load(data_config("superclass_typefaces"))
    assert dataset.superclass_map.label_names == tuple(names)
    assert dataset.superclass_map.superclass_names == tuple(scripts)
    assert dataset.train.images.shape == (len(labels), 32, 32, 1)
    for superclass, script in enumerate(scripts):
        for label in dataset.superclass_map.labels_in(superclass):
            assert names[label].startswith(f"{script}/")


@pytest.mark.slow
def test_real_typefaces_are_built_and_read_whole(data_config, tmp_path):
    dataset = catalog.load(
        data_config("superclass_typefaces", data_dir=tmp_path, minival_fraction=0.1)
    )
    assert dataset.superclass_map.num_superclasses == 10
    assert dataset.superclass_map.num_labels == 253
    per_label = np.bincount(dataset.train.labels) + np.bincount(dataset.minival.labels)
    assert per_label.min() >= 100
    assert np.bincount(dataset.validation.labels).min() >= 20
    parts = (dataset.train, dataset.minival, dataset.validation)
    images = np.concatenate([part.images for part in parts])
    assert len({image.tobytes() for image in images}) == len(images)
    keys = np.concatenate([part.keys for part in parts])
    assert len(set(keys.tolist())) == len(keys)


_NAMES = {"label_names": ["husky", "pug", "lion"], "superclass_names": ["cat", "dog"]}


def test_map_is_derived_from_examples():
    derived = tfds_reader.derive_map(np.array([2, 0, 1, 0, 2]), np.array([0, 1, 1, 1, 0]), **_NAMES)
    assert derived.label_names == ("husky", "pug", "lion")
    assert derived.superclass_of_label == (1, 1, 0)


def test_label_in_two_superclasses_is_named():
    with pytest.raises(ValueError, match=r"Label 'pug' has cat, dog, expected .* one superclass"):
        tfds_reader.derive_map(np.array([0, 1, 1, 2]), np.array([1, 1, 0, 0]), **_NAMES)


def test_label_without_examples_is_named():
    with pytest.raises(ValueError, match="Label 'pug' has no example, expected"):
        tfds_reader.derive_map(np.array([0, 2]), np.array([1, 0]), **_NAMES)
