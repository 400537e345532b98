from __future__ import annotations

import pytest

from ss_tf.data import catalog


def test_the_bundled_data_set_comes_first():
    assert catalog.names() == (
        "superclass_typefaces",
        "cifar100",
        "superclass_imagenet",
        "folder",
    )


@pytest.mark.parametrize("name", catalog.names())
def test_formats_have_one_mean_and_std_per_channel(name):
    image_format = catalog.image_format(name)
    assert len(image_format.mean) == len(image_format.std) == image_format.channels
    assert all(0 < mean < 1 for mean in image_format.mean)
    assert all(0 < std < 1 for std in image_format.std)
    assert 0 < image_format.crop_fraction <= 1


def test_load_gives_the_data_set_its_name_and_format(make_tree, data_config):
    root = make_tree("a/x/0.png", "a/x/1.png", "b/y/0.png")
    dataset = catalog.load(data_config("folder", data_dir=root, image_size=8))
    image_format = catalog.image_format("folder")
    assert dataset.name == "folder"
    assert (dataset.channels, dataset.mean, dataset.std, dataset.crop_fraction) == (
        image_format.channels,
        image_format.mean,
        image_format.std,
        image_format.crop_fraction,
    )


def test_unknown_name_gets_the_list_and_a_guess():
    with pytest.raises(
        ValueError, match=r"Unknown data set 'cifar10', expected one of .*'cifar100'\?"
    ):
        catalog.image_format("cifar10")


def test_unknown_name_without_likeness_gets_the_list_only():
    with pytest.raises(ValueError, match=r"'xyz', expected one of superclass_typefaces.*folder\.$"):
        catalog.image_format("xyz")


def test_groupings_of_imagenet_share_its_format():
    image_format = catalog.image_format("superclass_imagenet/living_9")
    assert image_format == catalog.image_format("superclass_imagenet")


def test_data_sets_without_groupings_refuse_one():
    with pytest.raises(ValueError, match="Unknown data set 'folder/living_9', expected one of"):
        catalog.image_format("folder/living_9")


@pytest.mark.parametrize("grouping", ["", "../../x", "a b", "living_9:1.0.0", "é"])
def test_groupings_that_name_no_folder_are_refused(grouping):
    with pytest.raises(ValueError, match=r"after the slash, expected letters, digits and undersco"):
        catalog.image_format(f"superclass_imagenet/{grouping}")
