"""Tests of the tool that writes archives of ImageNet's form."""

import collections
import io
import pathlib
import tarfile

import fake_imagenet
import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from ss_tf.hierarchy import groupings

_ELEPHANTS_AND_BICYCLES = ("n02503517", "n02834778")


def _unpack(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


@pytest.fixture(scope="module", name="archives")
def _archives(tmp_path_factory):
    """Returns wnid -> name -> training image, and name -> validation image."""
    directory = tmp_path_factory.mktemp("imagenet") / "made"
    fake_imagenet.write(directory, images_per_class=3, validation_per_class=2, side=24)
    assert sorted(path.name for path in directory.iterdir()) == [
        "ILSVRC2012_img_train.tar",
        "ILSVRC2012_img_val.tar",
    ]
    outer = _unpack((directory / "ILSVRC2012_img_train.tar").read_bytes())
    train = {name.removesuffix(".tar"): _unpack(data) for name, data in outer.items()}
    return train, _unpack((directory / "ILSVRC2012_img_val.tar").read_bytes())


def test_classes_are_those_of_superclassing_and_three_others(archives):
    train, _ = archives
    inside = set(groupings.by_name("superclassing").names)
    assert len(inside) == 253
    assert inside < set(train)
    assert len(train) == 256


def test_training_images_are_named_as_imagenets(archives):
    train, _ = archives
    for wnid, images in train.items():
        assert len(images) == 3
        for name in images:
            stem, _, suffix = name.partition(".")
            assert stem.partition("_")[0] == wnid
            assert int(stem.partition("_")[2]) > 0
            assert suffix == "JPEG"


def test_validation_numbers_have_the_class_that_imagenet_gave_them(archives):
    train, validation = archives
    path = tfds.core.tfds_path("datasets/imagenet2012/validation_labels.txt")
    labels = path.read_text().splitlines()
    assert len(labels) == 50_000
    counts = collections.Counter(labels[int(name[15:23]) - 1] for name in validation)
    assert counts == dict.fromkeys(train, 2)


def test_images_have_the_height_and_varied_widths(archives):
    train, validation = archives
    sizes = set()
    for images in [*train.values(), validation]:
        sizes |= {Image.open(io.BytesIO(data)).size for data in images.values()}
    widths, heights = zip(*sizes, strict=True)
    assert set(heights) == {24}
    assert min(widths) >= 24
    assert max(widths) <= 48
    assert len(set(widths)) > 5


def test_known_defects_of_imagenet_are_there(archives):
    train, _ = archives
    odd = {
        name: (image.format, image.mode)
        for images in train.values()
        for name, image in ((n, Image.open(io.BytesIO(data))) for n, data in images.items())
        if (image.format, image.mode) != ("JPEG", "RGB")
    }
    assert odd == {
        "n02105855_2933.JPEG": ("PNG", "RGB"),
        "n02492035_15739.JPEG": ("JPEG", "CMYK"),
        "n13037406_4650.JPEG": ("JPEG", "CMYK"),
    }


def test_colours_tell_the_superclasses_apart(archives):
    """The mean colour of each superclass in training is nearest to those of its validation."""
    train, validation = archives
    groups = groupings.by_name("superclassing").groups
    labels = tfds.core.tfds_path(fake_imagenet.VALIDATION_LABELS).read_text().split()

    def colour(data):
        return np.float32(Image.open(io.BytesIO(data)).convert("RGB")).mean(axis=(0, 1))

    centres = [
        np.mean([colour(data) for wnid in wnids for data in train[wnid].values()], axis=0)
        for wnids in groups.values()
    ]
    superclass_of = {wnid: index for index, wnids in enumerate(groups.values()) for wnid in wnids}
    hits = [
        np.argmin(np.linalg.norm(centres - colour(data), axis=1)) == superclass_of[wnid]
        for name, data in validation.items()
        if (wnid := labels[int(name[15:23]) - 1]) in superclass_of
    ]
    assert len(hits) == 2 * 253
    assert np.mean(hits) > 0.95


def test_no_two_images_are_the_same(archives):
    train, validation = archives
    images = [data for images in [*train.values(), validation] for data in images.values()]
    assert len(set(images)) == len(images) == 256 * 5


def test_same_arguments_give_the_same_bytes_also_by_command_line(tmp_path):
    fake_imagenet.write(tmp_path / "a", images_per_class=1, roots=_ELEPHANTS_AND_BICYCLES, side=8)
    arguments = fake_imagenet.parse_arguments(
        [str(tmp_path / "b"), "--images_per_class=1", "--roots=n02503517,n02834778", "--side=8"]
    )
    fake_imagenet.write(**vars(arguments))
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.parametrize("name", ["living_9", "geirhos_16"])
def test_another_grouping_gets_its_own_classes_and_three_others(tmp_path, name):
    arguments = [str(tmp_path), f"--grouping={name}", "--images_per_class=1", "--side=8"]
    fake_imagenet.write(**vars(fake_imagenet.parse_arguments(arguments)))
    train = set(_unpack((tmp_path / "ILSVRC2012_img_train.tar").read_bytes()))
    inside = {f"{wnid}.tar" for wnid in groupings.by_name(name).names}
    assert inside < train
    assert len(train) == len(inside) + 3


def test_a_grouping_and_roots_at_once_are_refused(capsys):
    with pytest.raises(SystemExit):
        fake_imagenet.parse_arguments(["D", "--grouping=living_9", "--roots=n02503517"])
    assert "not allowed with" in capsys.readouterr().err


def test_committed_dummy_archives_are_what_the_tool_writes(tmp_path):
    """But for the image's bytes, which depend on Pillow's version."""
    fake_imagenet.write(tmp_path, images_per_class=2, side=8, roots=_ELEPHANTS_AND_BICYCLES)
    dummy = pathlib.Path(fake_imagenet.__file__).parents[1] / "tfds_superclass"
    for path in tmp_path.iterdir():
        committed = dummy / "superclass_imagenet" / "dummy_data" / path.name
        assert list(_unpack(path.read_bytes())) == list(_unpack(committed.read_bytes()))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"images_per_class": 0}, "images_per_class 0, expected 1 to"),
        ({"validation_per_class": 51}, "validation_per_class 51, expected 1 to 50"),
        ({"side": 0}, "side 0, expected 1 to"),
        ({"grouping": "livng_9"}, "Unknown grouping 'livng_9', expected one of superclassing, "),
    ],
)
def test_impossible_settings_are_refused_before_anything_is_written(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        fake_imagenet.write(tmp_path / "none", **settings)
    assert not (tmp_path / "none").exists()
