from __future__ import annotations

import os
import pathlib
import unicodedata

import numpy as np
import pytest
from PIL import Image

from ss_tf import config
from ss_tf.data import catalog, folder


def _load(root, **changes):
    arguments = {
        "name": "folder",
        "data_dir": root,
        "image_size": 8,
        "minival_fraction": 0.0,
        "skip_unreadable": False,
    }
    return folder.load(config.DataConfig(**(arguments | changes)), catalog.image_format("folder"))


def _pets(make_tree, per_subclass=5):
    return make_tree(
        *[
            f"{subclass}/{index}.png"
            for subclass in ("dog/pug", "dog/boxer", "cat/lion")
            for index in range(per_subclass)
        ]
    )


def test_classes_are_sorted_and_labels_follow_them(make_tree):
    dataset = _load(_pets(make_tree))
    assert dataset.superclass_map.superclass_names == ("cat", "dog")
    assert dataset.superclass_map.label_names == ("cat/lion", "dog/boxer", "dog/pug")
    for path, label in zip(dataset.train.images, dataset.train.labels, strict=True):
        parent = pathlib.Path(path).parent
        assert dataset.superclass_map.label_names[label] == f"{parent.parent.name}/{parent.name}"


def test_a_fifth_of_every_subclass_becomes_validation_and_nothing_is_lost(make_tree):
    root = _pets(make_tree, per_subclass=10)
    dataset = _load(root, minival_fraction=0.25)
    # Of 10, 2 for validation; of the 8 others, 2 for minival.
    for examples, count in ((dataset.train, 6), (dataset.minival, 2), (dataset.validation, 2)):
        np.testing.assert_array_equal(np.bincount(examples.labels), [count] * 3)
    keys = [*dataset.train.keys, *dataset.minival.keys, *dataset.validation.keys]
    assert sorted(keys) == sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))


def test_the_split_does_not_depend_on_where_the_folder_lies(make_tree, tmp_path):
    root = _pets(make_tree)
    before = _load(root)
    moved = root.rename(tmp_path / "moved")
    after = _load(moved)
    np.testing.assert_array_equal(after.validation.keys, before.validation.keys)
    np.testing.assert_array_equal(after.train.keys, before.train.keys)


def test_a_relative_folder_is_read(make_tree, monkeypatch):
    monkeypatch.chdir(_pets(make_tree))
    assert "dog/pug/0.png" in {*_load(".").train.keys, *_load(".").validation.keys}


def test_home_is_expanded(make_tree, monkeypatch):
    monkeypatch.setenv("HOME", str(_pets(make_tree).parent))
    assert len(_load(pathlib.Path("~/photos")).train) == 12


def test_given_splits_are_kept(make_tree):
    root = make_tree(
        *[f"train/dog/pug/{index}.png" for index in range(4)],
        "train/cat/lion/0.png",
        "validation/dog/pug/9.png",
    )
    dataset = _load(root, minival_fraction=0.25)
    assert dataset.validation.keys.tolist() == ["validation/dog/pug/9.png"]
    assert len(dataset.minival) == 1
    assert len(dataset.train) == 4


def test_single_image_is_trained_on_and_single_subclass_is_allowed(make_tree):
    dataset = _load(make_tree("dog/pug/0.png", "cat/lion/0.png", "cat/lion/1.png"))
    assert dataset.superclass_map.labels_in(1) == (1,)
    assert "dog/pug/0.png" in dataset.train.keys
    assert len(dataset.validation) == 1


def test_one_subclass_name_may_occur_in_two_superclasses(make_tree):
    dataset = _load(make_tree("cat/wild/0.png", "cat/wild/1.png", "dog/wild/0.png"))
    assert dataset.superclass_map.label_names == ("cat/wild", "dog/wild")


def test_only_one_superclass_is_refused(make_tree):
    with pytest.raises(ValueError, match=r"only one superclass, 'dog', expected at least two"):
        _load(make_tree("dog/pug/0.png", "dog/boxer/1.png"))


def test_subclass_without_training_images_is_named(make_tree):
    root = make_tree("train/a/x/0.png", "train/b/y/0.png", "validation/a/new/0.png")
    with pytest.raises(ValueError, match=r"Subclass 'a/new' .* no readable image to train on"):
        _load(root)


def test_empty_subclass_is_named_before_any_image_is_read(make_tree, capsys):
    root = _pets(make_tree)
    (root / "dog" / "akita").mkdir()
    with pytest.raises(ValueError, match=r"Subclass 'dog/akita'"):
        _load(root)
    assert "Checking images" not in capsys.readouterr().err


def test_nothing_left_for_validation_is_refused(make_tree):
    with pytest.raises(ValueError, match=r"has no image left for validation"):
        _load(make_tree("dog/pug/0.png", "cat/lion/0.png"))


def test_unreadable_image_stops_with_path_reason_and_advice_on_one_line(make_tree):
    root = _pets(make_tree)
    (root / "dog" / "pug" / "bad.jpg").write_text("no image")
    with pytest.raises(ValueError, match=r"pug/bad\.jpg: not an image.*--skip_unreadable") as info:
        _load(root)
    assert "\n" not in str(info.value)
    assert "others" not in str(info.value)


def test_number_of_other_unreadable_images_is_given(make_tree):
    root = _pets(make_tree)
    for index in range(3):
        (root / "dog" / "pug" / f"bad{index}.jpg").touch()
    with pytest.raises(ValueError, match=r"bad0\.jpg: the file is empty \(and 2 others\)"):
        _load(root)


def test_skipped_images_are_left_out_and_listed(make_tree):
    root = _pets(make_tree)
    (root / "dog" / "pug" / "bad.jpg").touch()
    dataset = _load(root, skip_unreadable=True)
    assert [reason for _, reason in dataset.unreadable] == ["the file is empty"]
    assert len(dataset.train) + len(dataset.validation) == 15
    bad = str(root / "dog" / "pug" / "bad.jpg")
    assert bad not in [*dataset.train.images, *dataset.validation.images]


def test_skipped_images_are_listed_without_the_place_of_the_folder(make_tree, monkeypatch):
    root = _pets(make_tree)
    os.close(os.open(os.fsencode(root / "dog" / "pug") + b"/caf\xe9.jpg", os.O_CREAT))
    (root / "dog" / "pug" / unicodedata.normalize("NFD", "ü.jpg")).touch()
    expected = {"dog/pug/\u00fc.jpg", r"dog/pug/caf\xe9.jpg"}
    monkeypatch.chdir(root.parent)
    for data_dir in (root, "photos", "./photos/../photos"):
        dataset = _load(data_dir, skip_unreadable=True)
        assert {path for path, _ in dataset.unreadable} == expected


def test_refused_image_is_shown_with_a_path_that_can_be_opened(make_tree, monkeypatch):
    root = _pets(make_tree)
    (root / "dog" / "pug" / "bad.jpg").touch()
    monkeypatch.chdir(root.parent)
    for data_dir in (root, "photos"):
        with pytest.raises(ValueError, match=r"bad\.jpg: the file is empty") as info:
            _load(data_dir)
        path = str(info.value).removeprefix("Unreadable image ").partition(": ")[0]
        assert pathlib.Path(path).is_file()


def test_subclass_emptied_by_skipping_is_named(make_tree):
    root = _pets(make_tree)
    (root / "dog" / "akita").mkdir()
    (root / "dog" / "akita" / "bad.jpg").touch()
    with pytest.raises(ValueError, match=r"Subclass 'dog/akita' .* no readable image"):
        _load(root, skip_unreadable=True)


def test_extension_that_is_no_images_counts_as_unreadable(make_tree):
    root = _pets(make_tree)
    (root / "dog" / "pug" / "photo.heic").write_bytes(b"ftypheic")
    with pytest.raises(ValueError, match=r"photo\.heic: extension '\.heic' is not an image's"):
        _load(root)


def test_extensions_may_be_upper_case(make_tree):
    root = _pets(make_tree)
    Image.new("RGB", (9, 9)).save(root / "dog" / "pug" / "PHOTO.JPEG")
    assert len(_load(root).train) + len(_load(root).validation) == 16


def test_a_pipe_is_unreadable_and_does_not_block(make_tree):
    root = _pets(make_tree)
    os.mkfifo(root / "dog" / "pug" / "pipe.jpg")
    with pytest.raises(ValueError, match=r"pipe\.jpg: not a regular file"):
        _load(root)


def test_broken_link_is_unreadable(make_tree):
    root = _pets(make_tree)
    (root / "dog" / "pug" / "link.jpg").symlink_to(root / "nowhere.jpg")
    with pytest.raises(ValueError, match=r"link\.jpg: No such file or directory"):
        _load(root)


def test_file_name_that_is_not_utf8_is_read_and_escaped(make_tree):
    root = _pets(make_tree)
    odd = os.fsencode(root / "dog" / "pug") + b"/caf\xe9.png"
    os.rename(root / "dog" / "pug" / "0.png", odd)
    dataset = _load(root)
    keys = [*dataset.train.keys, *dataset.validation.keys]
    assert r"dog/pug/caf\xe9.png" in keys


def test_progress_is_shown(make_tree, capsys):
    _load(_pets(make_tree))
    assert "Checking images: 100%" in capsys.readouterr().err


def test_missing_data_dir_is_asked_for():
    with pytest.raises(ValueError, match="needs --data_dir, got none"):
        _load(None)
