import pathlib

import pytest
from absl import flags

from ss_tf import inference_flags


def test_routing_is_hard_unless_asked(parse_flags):
    parse_flags()
    assert inference_flags.routing() == "hard"
    parse_flags("--routing=soft")
    assert inference_flags.routing() == "soft"


def test_one_label_as_text_unless_asked(parse_flags):
    parse_flags()
    assert (inference_flags.top_k(), inference_flags.as_json()) == (1, False)
    parse_flags("--top_k=5", "--json")
    assert (inference_flags.top_k(), inference_flags.as_json()) == (5, True)


def test_an_export_goes_into_the_run_unless_told(parse_flags):
    parse_flags("--run_dir=runs/x")
    assert inference_flags.export_output() == pathlib.Path("runs/x/export/saved_model")
    parse_flags("--run_dir=runs/x", "--output=y/z")
    assert inference_flags.export_output() == pathlib.Path("y/z")
    parse_flags("--run_dir=runs/x", "--format=tflite", "--plain")
    assert inference_flags.export_output() == pathlib.Path("runs/x/export/tflite_plain")
    # A folder that is there, and so refused: a shell's variable was not set.
    parse_flags("--run_dir=runs/x", "--output=")
    assert inference_flags.export_output() == pathlib.Path(".")


def test_nothing_is_cached_unless_asked(parse_flags):
    parse_flags()
    assert inference_flags.cache_bytes() == 0
    parse_flags("--cache_mb=30")
    assert inference_flags.cache_bytes() == 30_000_000
    with pytest.raises(flags.IllegalFlagValueError, match="cache_mb"):
        parse_flags("--cache_mb=-1")


def test_full_files_are_those_of_tflite_alone(parse_flags):
    parse_flags("--format=tflite")
    assert (inference_flags.export_format(), inference_flags.is_plain()) == ("tflite", False)
    parse_flags("--format=tflite", "--plain")
    assert inference_flags.is_plain()
    parse_flags("--plain")
    with pytest.raises(ValueError, match="--plain is given with --format=saved_model"):
        inference_flags.is_plain()
    parse_flags("--format=tflite", "--plain", "--routing=soft")
    with pytest.raises(ValueError, match="--plain is given with --routing=soft, expected one"):
        inference_flags.is_plain()
