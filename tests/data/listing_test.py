from __future__ import annotations

import os
import pathlib

import pytest

from ss_tf.data import listing


@pytest.fixture
def make_files(tmp_path):
    """Returns a function that makes empty files in a new folder, and returns the folder."""

    def make(*names):
        root = tmp_path / "photos"
        root.mkdir(exist_ok=True)
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        return root

    return make


def _names(root, paths):
    return [path.relative_to(root).as_posix() for path in paths]


def test_entries_are_sorted_without_what_systems_leave(make_files):
    root = make_files("b.png", ".hidden.png", "a/1.png", "Thumbs.db", "__MACOSX/x.png")
    assert [entry.name for entry in listing.entries(root)] == ["a", "b.png"]


def test_a_folder_that_cannot_be_listed_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"missing cannot be listed: No such file or directory\."):
        listing.entries(tmp_path / "missing")


def test_images_of_all_folders_below_are_found_by_extension_and_sorted(make_files):
    root = make_files(
        *("z.JPG", "b/2.png", "b/10.png", "b/deep/er/x.webp", "a.tiff", "größe/1.jpeg"),
        *("notes.txt", "b/no_extension", ".hidden.png", ".git/x.png", "__MACOSX/x.png", "png"),
    )
    expected = ["a.tiff", "b/10.png", "b/2.png", "b/deep/er/x.webp", "größe/1.jpeg", "z.JPG"]
    assert _names(root, listing.images_below(root)) == expected


def test_a_folder_without_images_is_named_in_one_line(make_files):
    root = make_files("notes.txt", "deep/.hidden.png")
    with pytest.raises(ValueError, match=r"photos holds no image, expected .*\*\.jpg") as caught:
        listing.images_below(root)
    assert "\n" not in str(caught.value)


@pytest.mark.timeout(10)
def test_links_are_followed_once_and_loops_end(make_files, tmp_path):
    root = make_files("a/1.png", "b/2.png")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "3.png").touch()
    (elsewhere / "back").symlink_to(root)
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "to_b").symlink_to(root / "b")
    (root / "c").symlink_to(elsewhere)
    (root / "d").symlink_to(elsewhere)
    assert _names(root, listing.images_below(root)) == ["a/1.png", "b/2.png", "c/3.png"]
    # So is a link that is the folder asked for.
    assert _names(root, listing.images_below(root / "a" / "up"))[-1] == "a/up/c/3.png"


@pytest.mark.timeout(10)
def test_links_that_lead_nowhere_are_listed_and_pipes_are_not(make_files):
    root = make_files("folder.png/1.png")
    (root / "lost.png").symlink_to(root / "missing.png")
    (root / "itself.png").symlink_to(root / "itself.png")
    os.mkfifo(root / "pipe.png")
    expected = ["folder.png/1.png", "itself.png", "lost.png"]
    assert _names(root, listing.images_below(root)) == expected


def test_folders_are_replaced_by_their_images_in_place(make_files):
    root = make_files("b/2.png", "b/1.png", "notes.txt")
    given = [root / "missing.png", str(root / "b"), root / "notes.txt", root / "b" / "2.png"]
    expected = ["missing.png", "b/1.png", "b/2.png", "notes.txt", "b/2.png"]
    assert _names(root, listing.expand_folders(given)) == expected
    assert listing.expand_folders(["x.png"]) == [pathlib.Path("x.png")]
    assert listing.expand_folders([]) == []


def test_names_that_are_no_text_are_found_and_shown(make_files):
    root = make_files()
    folder = os.fsencode(root) + b"/\xff"
    os.mkdir(folder)
    with pytest.raises(ValueError, match=r"photos/\\xff holds no image"):
        listing.images_below(pathlib.Path(os.fsdecode(folder)))
    with open(folder + b"/\xfe.png", "wb"):
        assert [path.name for path in listing.images_below(root)] == ["\udcfe.png"]
