import pytest
from absl import flags

from ss_tf import flagfiles


@pytest.fixture
def values():
    """Returns parsed flags of every kind we use."""
    values = flags.FlagValues()
    flags.DEFINE_integer("width", 16, "", flag_values=values)
    flags.DEFINE_bool("fast", True, "", flag_values=values)
    flags.DEFINE_list("blocks", ["1", "2"], "", flag_values=values)
    flags.DEFINE_string("place", None, "", flag_values=values)
    flags.DEFINE_string("flagfile", "", "", flag_values=values)
    values(["", "--width=24", "--nofast", "--blocks="])
    return values


NAMES = ("width", "fast", "blocks", "place")


def test_what_is_written_is_read(values, tmp_path):
    path = tmp_path / "a.flags"
    path.write_text(flagfiles.write(values, NAMES))
    assert path.read_text() == "--width=24\n--nofast\n--blocks=\n"
    read = flagfiles.read(path, like=values)
    assert flagfiles.differences(values, read, NAMES) == ()


def test_what_the_file_leaves_out_is_a_default_and_the_origin_stays(values, tmp_path):
    path = tmp_path / "a.flags"
    path.write_text("--place=here\n")
    read = flagfiles.read(path, like=values)
    assert (read["width"].value, read["blocks"].value) == (16, ["1", "2"])
    assert (values["width"].value, values["place"].value) == (24, None)
    assert flagfiles.differences(values, read, NAMES) == NAMES


def test_unknown_flags_are_named(values, tmp_path):
    path = tmp_path / "a.flags"
    path.write_text("--depth=3\n")
    with pytest.raises(flags.UnrecognizedFlagError, match="depth"):
        flagfiles.read(path, like=values)


def test_flags_are_shown_as_typed(values):
    shown = [flagfiles.shown(values[name]) for name in NAMES]
    assert shown == ["--width=24", "--nofast", "--blocks=", "no --place"]


def test_what_the_command_line_leaves_out_is_adopted(values, tmp_path):
    path = tmp_path / "a.flags"
    path.write_text("--place=here\n--blocks=3\n")
    stored = flagfiles.read(path, like=values)
    values(["", "--blocks=4"])
    for name in ("width", "fast"):
        values[name].unparse()
    flagfiles.adopt(values, stored, ["width", "place", "blocks"], free=["blocks"], run=tmp_path)
    assert values["place"].value == "here"
    assert values["blocks"].value == ["4"]
    with pytest.raises(
        ValueError, match=r"with --blocks=3, got --blocks=4\. Give another --run_dir"
    ):
        flagfiles.adopt(values, stored, ["blocks"], free=[], run=tmp_path)
