"""The licence lookup, checked on copyright files that are written here."""

import pytest
from typefaces import licences

_SOURCE_FOLDERS = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
License: GPL-2+

Files: debian/*
License: ISC

Files: fonts/One.sfd, fonts/Two*.ttf
Copyright: someone
License: OFL-1.1
 with words

Files: latex/* appstream/*
License: LPPL

Files: gladia/*
License: MIT
"""


@pytest.fixture(name="package")
def _package(tmp_path, monkeypatch):
    """Returns a function that installs a copyright file for the package fonts-example."""
    monkeypatch.setattr(licences, "_DOCUMENTATION", tmp_path)
    (tmp_path / "fonts-example").mkdir()
    return (tmp_path / "fonts-example" / "copyright").write_text


def test_paragraph_on_the_font_beats_the_one_on_all_files():
    assert licences.declared_licence(_SOURCE_FOLDERS, "Two-Bold.ttf") == "OFL-1.1"
    reverse = "Files: One.ttf\nLicense: OFL-1.1\n\nFiles: *\nLicense: GPL-2+\n"
    assert licences.declared_licence(reverse, "One.ttf") == "OFL-1.1"
    assert licences.declared_licence(reverse, "Two.ttf") == "GPL-2+"


def test_paragraph_on_the_source_speaks_of_the_font():
    assert licences.declared_licence(_SOURCE_FOLDERS, "One.ttf") == "OFL-1.1"


def test_folder_counts_only_for_fonts_named_after_it():
    assert licences.declared_licence(_SOURCE_FOLDERS, "Three.ttf") == "GPL-2+"
    assert licences.declared_licence(_SOURCE_FOLDERS, "GladiaCLM-Bold.otf") == "MIT"


def test_packaging_is_never_the_font():
    text = "Files: debian/* debian/One.ttf\nLicense: ISC\n"
    assert licences.declared_licence(text, "One.ttf") == ""
    assert licences.declared_licence(text, "debian.ttf") == ""


def test_last_of_equally_specific_paragraphs_wins():
    text = "Files: *\nLicense: GPL-3+\n\nFiles: */*.ttf\nLicense: GPL-3+ with exception\n"
    assert licences.declared_licence(text, "One.ttf") == "GPL-3+ with exception"


def test_other_kinds_of_files_are_not_fonts():
    text = "Files: *\nLicense: OFL-1.1\n\nFiles: *.metainfo.xml One.py\nLicense: CC0-1.0\n"
    assert licences.declared_licence(text, "One.ttf") == "OFL-1.1"


@pytest.mark.parametrize("name", ["SIL-1.1", "SIL-OFL-1.1", "SIL_Open_Font_License_1.1", "OFL-1.1"])
def test_spellings_of_one_licence_become_one(package, name):
    package(f"Files: *\nLicense: {name}\n")
    assert licences.licence("fonts-example", "One.ttf") == "OFL-1.1"


def test_override_comes_first():
    assert licences.licence("fonts-lmodern", "any.otf") == "LicenseRef-GUST-Font-License"


@pytest.mark.parametrize("text", ["Free for all.", "Files: *\nLicense: custom\n"])
def test_licence_without_a_known_name_is_refused(package, text):
    package(text)
    with pytest.raises(ValueError, match=r"package fonts-example: got licence '.*' for One\.ttf"):
        licences.licence("fonts-example", "One.ttf")
