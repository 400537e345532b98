from __future__ import annotations

import os
import pathlib
import unicodedata

import pytest

from ss_tf.data import folder_tree


def _names(tree):
    """Paths reduced to file names."""
    return {
        split: {pair: [pathlib.Path(path).name for path in paths] for pair, paths in groups.items()}
        for split, groups in tree.items()
    }


def test_undivided_tree_lists_every_subclass_sorted(make_tree):
    root = make_tree("dog/pug/2.png", "dog/pug/1.png", "cat/lion/b.png", "cat/ocelot/a.png")
    assert _names(folder_tree.read_tree(root)) == {
        folder_tree.UNDIVIDED: {
            ("cat", "lion"): ["b.png"],
            ("cat", "ocelot"): ["a.png"],
            ("dog", "pug"): ["1.png", "2.png"],
        }
    }


def test_train_and_validation_on_top_are_splits(make_tree):
    root = make_tree("train/dog/pug/1.png", "train/cat/lion/2.png", "validation/dog/pug/3.png")
    assert _names(folder_tree.read_tree(root)) == {
        folder_tree.TRAIN: {("cat", "lion"): ["2.png"], ("dog", "pug"): ["1.png"]},
        folder_tree.VALIDATION: {("dog", "pug"): ["3.png"]},
    }


def test_test_split_beside_the_two_is_not_read(make_tree):
    root = make_tree("train/a/b/1.png", "validation/a/b/2.png", "test/a/only_here/3.png")
    assert set(folder_tree.read_tree(root)) == {folder_tree.TRAIN, folder_tree.VALIDATION}


@pytest.mark.parametrize(("there", "missing"), [("train", "validation"), ("validation", "train")])
def test_one_split_without_the_other_is_refused(make_tree, there, missing):
    root = make_tree(f"{there}/dog/pug/1.png", "truck/van/1.png")
    with pytest.raises(ValueError, match=rf"has {there}/ but no {missing}/, expected both"):
        folder_tree.read_tree(root)


def test_other_folders_beside_the_splits_are_refused(make_tree):
    root = make_tree("train/a/b/1.png", "validation/a/b/2.png", "extra/a/b/3.png")
    with pytest.raises(ValueError, match=r"photos/extra lies beside train/ and validation/"):
        folder_tree.read_tree(root)


def test_what_operating_systems_leave_is_ignored(make_tree):
    root = make_tree("dog/pug/1.png", "dog/pug/.hidden.png", "__MACOSX/pug/1.png", ".git/x/1.png")
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store"):
        (root / "dog" / "pug" / name).touch()
        (root / name).touch()
    assert _names(folder_tree.read_tree(root)) == {"": {("dog", "pug"): ["1.png"]}}


def test_files_above_the_subclasses_are_ignored_unless_they_are_images(make_tree):
    root = make_tree("dog/pug/1.png")
    (root / "LICENSE.txt").touch()
    (root / "dog" / "notes.md").touch()
    assert _names(folder_tree.read_tree(root)) == {"": {("dog", "pug"): ["1.png"]}}
    (root / "dog" / "cover.JPG").touch()
    with pytest.raises(ValueError, match=r"dog/cover\.JPG is an image outside a subclass folder"):
        folder_tree.read_tree(root)


def test_files_of_any_extension_are_listed(make_tree):
    root = make_tree("dog/pug/1.png")
    (root / "dog" / "pug" / "2.HEIC").touch()
    assert _names(folder_tree.read_tree(root))[""][("dog", "pug")] == ["1.png", "2.HEIC"]


def test_one_level_tree_is_shown_the_expected_one(make_tree):
    root = make_tree("dog/1.png", "cat/2.png")
    expected = r"cat/2\.png is an image outside(?s:.*)photos/SUPERCLASS/SUBCLASS/IMAGE, for example"
    with pytest.raises(ValueError, match=expected):
        folder_tree.read_tree(root)


def test_empty_folder_is_shown_the_expected_tree(tmp_path):
    with pytest.raises(ValueError, match=r"holds no folders\.\nExpected\n.*SUPERCLASS/SUBCLASS"):
        folder_tree.read_tree(tmp_path)


def test_superclass_without_subclasses_is_named(make_tree):
    root = make_tree("dog/pug/1.png")
    (root / "cat").mkdir()
    with pytest.raises(ValueError, match=r"photos/cat holds no folders"):
        folder_tree.read_tree(root)


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"data_dir '.*nowhere' is not a folder(?s:.*)SUPERCLASS"):
        folder_tree.read_tree(tmp_path / "nowhere")


def test_third_level_is_refused(make_tree):
    root = make_tree("dog/pug/black/1.png")
    with pytest.raises(ValueError, match=r"dog/pug/black is a folder inside a subclass folder"):
        folder_tree.read_tree(root)


def test_subclass_may_be_empty(make_tree):
    root = make_tree("dog/pug/1.png")
    (root / "dog" / "boxer").mkdir()
    assert folder_tree.read_tree(root)[""][("dog", "boxer")] == []


def test_links_to_folders_elsewhere_are_followed(make_tree, tmp_path):
    root = make_tree("dog/pug/1.png")
    (tmp_path / "elsewhere").mkdir()
    (root / "dog" / "pug" / "1.png").rename(tmp_path / "elsewhere" / "2.png")
    (root / "dog" / "boxer").symlink_to(tmp_path / "elsewhere")
    assert _names(folder_tree.read_tree(root))[""][("dog", "boxer")] == ["2.png"]


def test_link_to_a_folder_that_contains_it_is_refused(make_tree):
    root = make_tree("dog/pug/1.png")
    (root / "dog" / "loop").symlink_to(root)
    with pytest.raises(ValueError, match=r"dog/loop is a link to .*photos, a folder that contains"):
        folder_tree.read_tree(root)


@pytest.mark.parametrize("target", ["self", "nowhere"])
def test_link_that_leads_nowhere_is_refused(make_tree, target):
    root = make_tree("dog/pug/1.png")
    (root / "self").symlink_to(root / target)
    with pytest.raises(ValueError, match=r"photos/self is a link that leads nowhere"):
        folder_tree.read_tree(root)


def test_two_unicode_spellings_of_a_name_are_one_class(make_tree):
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    root = make_tree(f"train/{composed}/x/1.png", f"validation/{decomposed}/x/2.png")
    tree = folder_tree.read_tree(root)
    assert set(tree["train"]) == set(tree["validation"]) == {(composed, "x")}


@pytest.mark.parametrize("parent", ["", "dog/"])
def test_two_unicode_spellings_of_a_name_side_by_side_are_refused(make_tree, parent):
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    below = "" if parent else "x/"
    root = make_tree(*[f"{parent}{name}/{below}1.png" for name in (composed, decomposed)])
    if len(list((root / parent).iterdir())) == 1:
        pytest.skip("This file system takes the two spellings for one name.")
    both = r"photos.* has folders 'cafe\\u0301' and 'caf\\xe9', one name in two Unicode spellings"
    with pytest.raises(ValueError, match=both) as info:
        folder_tree.read_tree(root)
    assert "\n" not in str(info.value)


def test_folder_name_that_is_not_utf8_is_refused(make_tree):
    root = make_tree("dog/pug/1.png")
    os.mkdir(os.fsencode(root) + b"/caf\xe9")
    with pytest.raises(ValueError, match=r"photos/caf\\xe9 is not valid UTF-8"):
        folder_tree.read_tree(root)
