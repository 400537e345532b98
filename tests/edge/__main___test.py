import importlib
import importlib.metadata
import os
import pathlib
import subprocess
import venv

import pytest
from packaging.requirements import Requirement
from PIL import Image

_ROOT = pathlib.Path(__file__).parents[2]
# Of the extra `edge` and of every installation; tests/installation_test.py checks that.
_REQUIRED = ("ai-edge-litert", "numpy", "pillow")
_CODE = """
import importlib.util, runpy
for name in ("absl", "isal", "keras", "safetensors", "tensorflow", "tf_keras"):
    assert importlib.util.find_spec(name) is None, name
runpy.run_module("ss_tf.edge", run_name="__main__")
"""


def _distributions(names):
    """Returns installed distributions, and those that they need themselves."""
    found, wanted = {}, list(names)
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = importlib.metadata.distribution(name)
            required = map(Requirement, found[name].requires or ())
            # Those of extras have a marker, and nobody asked for an extra.
            needed = (r for r in required if r.marker is None or r.marker.evaluate({"extra": ""}))
            wanted += [requirement.name for requirement in needed]
    return found.values()


def _environment(names, folder):
    """Makes a virtual environment of distributions, linked, and of this project."""
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "ss_tf").symlink_to(_ROOT / "ss_tf")
    for distribution in _distributions(names):
        for top in {file.parts[0] for file in distribution.files} - {"..", "__pycache__"}:
            link = packages / top
            if not link.exists():
                link.symlink_to(distribution.locate_file(top))
    return folder


def _run(environment, *arguments):
    """Runs the command line in a virtual environment."""
    return subprocess.run(
        # Without PYTHONPATH and the present folder.
        [environment / "bin" / "python", "-I", "-c", _CODE, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )


@pytest.fixture
def image(images, tmp_path):
    """Returns the path of an image file."""
    path = tmp_path / "image.png"
    Image.fromarray(images[0, ..., 0]).save(path)
    return str(path)


def test_runs_with_what_the_extra_edge_brings_alone(make_bundle, image, tmp_path):
    environment = _environment(_REQUIRED, tmp_path / "venv")
    done = _run(environment, str(make_bundle().path), image)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{image}: ")


def test_stopped_while_packages_are_imported(monkeypatch):
    def stop(name, *rest):
        raise KeyboardInterrupt

    entry = importlib.import_module("ss_tf.edge.__main__")
    monkeypatch.setattr("builtins.__import__", stop)
    assert entry._main() == 130


@pytest.mark.parametrize(
    ("missing", "package"), [("ai-edge-litert", "ai_edge_litert"), ("pillow", "PIL")]
)
def test_a_missing_package_is_one_line(make_bundle, image, tmp_path, missing, package):
    names = [name for name in _REQUIRED if name != missing]
    done = _run(_environment(names, tmp_path / "venv"), str(make_bundle().path), image)
    assert done.returncode == 1
    assert done.stderr == (
        f"ss_tf.edge: error: the package {package} is not installed. Run pip install -e '.[edge]' "
        "in the folder of setup.cfg first.\n"
    )
