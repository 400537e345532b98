from __future__ import annotations

import pathlib

import numpy as np
import pytest

from ss_tf.data import catalog, imagenet, input_pipeline

_TWO_GROUPS = "superclass_imagenet/two_groups"


def test_two_levels_are_named_for_people(data_config, prepared):
    dataset = catalog.load(data_config(_TWO_GROUPS, data_dir=prepared))
    assert dataset.name == "superclass_imagenet/two_groups"
    assert dataset.superclass_map.superclass_names == ("elephant", "bicycle")
    names = dataset.superclass_map.label_names
    assert names[:2] == ("elephant/Indian elephant", "elephant/African elephant")
    assert dataset.superclass_map.superclass_of_label == (0, 0, 1, 1)


def test_splits_hold_every_image_once_sorted_by_key(data_config, prepared):
    dataset = catalog.load(data_config(_TWO_GROUPS, data_dir=prepared, minival_fraction=0.5))
    # Of the two training images of each label, one.
    assert [len(part) for part in (dataset.train, dataset.minival, dataset.validation)] == [4, 4, 4]
    np.testing.assert_array_equal(np.bincount(dataset.minival.labels), [1, 1, 1, 1])
    assert not set(dataset.train.keys) & set(dataset.minival.keys)
    assert dataset.train.keys.tolist() == sorted(dataset.train.keys.tolist())


def test_a_superclass_needs_its_own_shards_only(data_config, two_groups, fit_config):
    data_dir = two_groups.data_path.parents[2]
    dataset = catalog.load(data_config(_TWO_GROUPS, data_dir=data_dir))
    labels = dataset.superclass_map.labels_in(1)
    bicycles = dataset.train.of_labels(labels)
    own = {bicycles.files[number] for number in bicycles.images["file"]}
    others = set(dataset.train.files) - own
    assert others
    for path in others:
        pathlib.Path(path).unlink()
    batches = input_pipeline.train_batches(bicycles, dataset, fit=fit_config(batch_size=4), epoch=0)
    ((images, shown, _, _),) = batches
    assert images.shape == (4, 16, 16, 3)
    assert set(shown.numpy().tolist()) <= set(labels)


def test_data_set_that_is_not_prepared_says_what_to_type(data_config, tmp_path):
    with pytest.raises(ValueError, match=r"'superclass_imagenet' is not prepared in .*/1\.0\.0\."):
        catalog.load(data_config("superclass_imagenet", data_dir=tmp_path))
    expected = (
        rf"tfds build superclass_imagenet --imports=tfds_superclass --config=living_9 "
        rf"--data_dir={tmp_path} --manual_dir="
    )
    with pytest.raises(ValueError, match=expected):
        catalog.load(data_config("superclass_imagenet/living_9", data_dir=tmp_path))


def test_unknown_grouping_gets_the_list(data_config, tmp_path):
    with pytest.raises(ValueError, match=r"no grouping 'nonsense' in .*expected one of .*big_12"):
        catalog.load(data_config("superclass_imagenet/nonsense", data_dir=tmp_path))


def test_equal_names_are_told_apart_by_wnid():
    names = imagenet.label_names(
        ["n1", "n2", "n3", "n4"],
        ["bird", "bird", "truck", "truck"],
        names={"n1": "crane", "n2": "crane", "n3": "crane"},
    )
    assert names == ("bird/crane (n1)", "bird/crane (n2)", "truck/crane", "truck/n4")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file or directory"), ("{", "it is damaged"), ("[]", "it is damaged")],
)
def test_missing_or_damaged_metadata_is_named(data_config, two_groups, content, reason):
    path = two_groups.data_path / "metadata.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(
        ValueError, match=rf"1\.0\.0/metadata\.json cannot be read \({reason}\), .* Build the data"
    ):
        catalog.load(data_config(_TWO_GROUPS, data_dir=two_groups.data_path.parents[2]))


def test_addresses_are_refused(data_config):
    with pytest.raises(ValueError, match="data_dir is 'gs:/bucket/x', expected a folder on a lo"):
        catalog.load(data_config(_TWO_GROUPS, data_dir=pathlib.Path("gs://bucket/x")))
