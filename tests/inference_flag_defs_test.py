import os
import pathlib
import subprocess
import sys

import pytest
from absl import flags

from ss_tf import inference_flag_defs, run_flags

_ROOT = pathlib.Path(__file__).parents[1]


def test_unknown_routing_is_refused(parse_flags):
    with pytest.raises(flags.IllegalFlagValueError, match="routing"):
        parse_flags("--routing=medium")


@pytest.mark.parametrize("value", ["0", "-1", "some", "1.5"])
def test_other_numbers_of_labels_are_refused(parse_flags, value):
    with pytest.raises(flags.IllegalFlagValueError, match="top_k"):
        parse_flags(f"--top_k={value}")


@pytest.mark.parametrize(("script", "is_shown"), [("predict.py", True), ("train.py", False)])
def test_help_shows_the_flags_of_the_script_without_tensorflow(script, is_shown):
    code = (
        "import runpy, sys; sys.modules['tensorflow'] = None; sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, _ROOT / script, "--helpshort"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )
    assert "--run_dir" in result.stdout, result.stderr
    for name in ("--top_k", "--[no]json", "--routing"):
        assert (name in result.stdout) == is_shown


def test_flags_of_a_call_are_not_kept_with_a_run(parse_flags):
    parse_flags("--routing=soft", "--output=y", "--format=saved_model")
    kept = run_flags.run_flagfile()
    for flag in flags.FLAGS.get_flags_for_module(inference_flag_defs.__name__):
        assert f"--{flag.name}" not in kept
