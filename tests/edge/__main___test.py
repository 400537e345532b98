import os
import subprocess
import sys

_WITHOUT = """
import importlib.abc, sys

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {refused!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refuse())
sys.argv[1:] = {arguments!r}
import runpy
runpy.run_module("ss_tf.edge", run_name="__main__")
"""
# What the project needs elsewhere.
_REFUSED = (
    *("absl", "apache_beam", "isal", "keras", "keras_cv", "nltk", "py7zr", "safetensors"),
    *("tensorflow", "tensorflow_datasets", "tensorflow_model_optimization", "tf_keras", "tqdm"),
    "zstandard",
)


def test_runs_with_numpy_litert_and_pillow_alone(make_bundle, images, tmp_path):
    from PIL import Image

    tiny = make_bundle()
    path = tmp_path / "image.png"
    Image.fromarray(images[0, ..., 0]).save(path)
    code = _WITHOUT.format(refused=_REFUSED, arguments=[str(tiny.path), str(path)])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{path}: ")
