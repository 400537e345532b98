import os
import pathlib
import subprocess
import sys

import pytest

_ROOT = pathlib.Path(__file__).parents[1]
_SCRIPT = """
from ss_tf import command_line
def main(argv):
    {body}
command_line.run(main)
"""


def _run(tmp_path, body, *arguments):
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT.format(body=body))
    return subprocess.run(
        [sys.executable, script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )


def test_a_value_error_is_one_line_and_exit_code_1(tmp_path):
    result = _run(tmp_path, "raise ValueError('width is 0, expected 1')")
    assert result.returncode == 1
    assert result.stderr == "script.py: error: width is 0, expected 1\n"


def test_verbosity_shows_where_it_came_from(tmp_path):
    result = _run(tmp_path, "raise ValueError('x')", "--verbosity=1")
    assert "Traceback" in result.stderr


def test_other_errors_keep_their_traceback(tmp_path):
    result = _run(tmp_path, "raise KeyError('bug')")
    assert result.returncode != 0
    assert "Traceback" in result.stderr


def test_an_interrupt_says_how_to_go_on(tmp_path):
    result = _run(tmp_path, "raise KeyboardInterrupt")
    assert result.returncode == 130
    assert "The same command continues a training" in result.stderr


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_is_mains(tmp_path, code):
    assert _run(tmp_path, f"return {code}").returncode == code


def test_files_that_cannot_be_opened_are_one_line(tmp_path):
    result = _run(tmp_path, "open('/no/such/file')")
    assert result.returncode == 1
    assert result.stderr == (
        "script.py: error: [Errno 2] No such file or directory: '/no/such/file'\n"
    )


def test_an_image_that_cannot_be_decoded_is_one_line(tmp_path):
    body = """
    import sys, types
    explain = {"decode": "shard has a damaged image."}.get
    sys.modules["ss_tf.data.image_batches"] = types.SimpleNamespace(
        explain=lambda error: explain(str(error))
    )
    raise RuntimeError(argv[1])"""
    result = _run(tmp_path, body, "decode")
    assert result.returncode == 1
    assert result.stderr == "script.py: error: shard has a damaged image.\n"
    assert "Traceback" in _run(tmp_path, body, "bug").stderr


@pytest.mark.parametrize(
    ("script", "argument", "name"),
    [
        ("export.py", "--cache_mb=500", "cache_mb"),
        ("export.py", "--top_k=3", "top_k"),
        ("train.py", "--routing=soft", "routing"),
        ("eval.py", "--top_k=3", "top_k"),
        ("train.py", "--require=hard", "require"),
        ("predict.py", "--output=x", "output"),
    ],
)
def test_a_flag_of_another_script_is_refused(tmp_path, script, argument, name):
    result = subprocess.run(
        [sys.executable, _ROOT / script, argument, f"--run_dir={tmp_path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr == f"{script}: error: --{name} is no flag of {script}.\n"


def test_a_flag_of_its_own_is_taken(tmp_path):
    arguments = ["--cache_mb=500", "--top_k=3", "--routing=soft", f"--run_dir={tmp_path}/none"]
    result = subprocess.run(
        [sys.executable, _ROOT / "predict.py", *arguments, "x.png"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "is no flag of" not in result.stderr
