import configparser
import pathlib
import re
import subprocess
import sys

import pytest

from ss_tf import installation

_ROOT = pathlib.Path(__file__).parents[1]
# Runs a script where some packages cannot be found.
_WITHOUT = """
import importlib.abc, runpy, sys

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {refused!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refuse())
sys.argv = {arguments!r}
sys.path.insert(0, {root!r})
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def _run(script, *arguments, refused):
    command = [str(_ROOT / script), *arguments]
    code = _WITHOUT.format(refused=refused, arguments=command, root=str(_ROOT))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def _required(extra):
    """Returns the names that an extra brings, by those that it includes, and those of all."""
    config = configparser.ConfigParser()
    config.read(_ROOT / "setup.cfg")
    extras = config["options.extras_require"]
    lines = [*config["options"]["install_requires"].split("\n"), *extras[extra].split("\n")]
    found = set()
    for line in filter(None, map(str.strip, lines)):
        if included := re.fullmatch(r"ss_tf\[(.*)\]", line):
            for name in included[1].split(","):
                found |= _required(name)
        else:
            found.add(line.split()[0])
    return found


def test_a_device_needs_no_tensorflow():
    assert _required("edge") == {"numpy", "ai-edge-litert", "pillow"}


@pytest.mark.parametrize("extra", ["test", "parity", "bench", "range", "fonts"])
def test_other_extras_are_for_who_trains(extra):
    assert _required(extra) > _required("tensorflow") > {"tensorflow", "absl-py", "numpy"}


@pytest.mark.parametrize("script", ["train.py", "eval.py", "predict.py", "export.py"])
@pytest.mark.parametrize("arguments", [[], ["--helpshort"]])
def test_scripts_say_what_to_install_on_a_device(script, arguments):
    done = _run(script, *arguments, refused=("absl", "tensorflow"))
    assert done.returncode == 1
    assert done.stderr == (
        f"{script}: error: the package absl is not installed. Run pip install -e '.[tensorflow]' "
        "in the folder of setup.cfg first.\n"
    )


@pytest.mark.parametrize("script", ["train.py", "eval.py", "predict.py", "export.py"])
def test_scripts_say_what_to_install_where_tensorflow_is_missing(script, tmp_path):
    arguments = [f"--run_dir={tmp_path}", *(["x.png"] if script == "predict.py" else [])]
    done = _run(script, *arguments, refused=("tensorflow", "tf_keras"))
    assert done.returncode == 1
    assert re.fullmatch(
        rf"{script}: error: the package (tensorflow|tf_keras) is not installed\. Run .*\n",
        done.stderr,
    )


def test_litert_is_of_the_extra_edge():
    error = ModuleNotFoundError("No module", name="ai_edge_litert")
    assert "pip install -e '.[tensorflow,edge]'" in installation.explain(error)
    assert "pip install -e '.[edge]'" in installation.explain(error, extras="edge")


@pytest.mark.parametrize("name", [None, "ss_tf.missing", "lzma", "_lzma", "numpy.missing"])
def test_what_no_extra_mends_is_not_explained(name):
    assert installation.explain(ModuleNotFoundError("No module", name=name)) is None
