import pathlib

import pytest
from absl import flags

from ss_tf import inference_flag_defs, run_flags


def test_routing_is_hard_unless_asked(parse_flags):
    parse_flags()
    assert run_flags.routing() == "hard"
    parse_flags("--routing=soft")
    assert run_flags.routing() == "soft"


def test_unknown_routing_is_refused(parse_flags):
    with pytest.raises(flags.IllegalFlagValueError, match="routing"):
        parse_flags("--routing=medium")


def test_an_export_goes_into_the_run_unless_told(parse_flags):
    parse_flags("--run_dir=runs/x")
    assert run_flags.export_output() == pathlib.Path("runs/x/export/saved_model")
    parse_flags("--run_dir=runs/x", "--output=y/z")
    assert run_flags.export_output() == pathlib.Path("y/z")


def test_flags_of_a_call_are_not_kept_with_a_run(parse_flags):
    parse_flags("--routing=soft", "--output=y", "--format=saved_model")
    kept = run_flags.run_flagfile()
    for flag in flags.FLAGS.get_flags_for_module(inference_flag_defs.__name__):
        assert f"--{flag.name}" not in kept
