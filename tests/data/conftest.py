"""Photo trees, and a small ImageNet, for the tests of the data room."""

from __future__ import annotations

import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image

from ss_tf import config


@pytest.fixture
def data_config():
    """Returns a function that makes the DataConfig of a data set, with changes."""

    def make(name, **changes):
        settings = {
            "data_dir": None,
            "image_size": 32,
            "minival_fraction": 0.0,
            "skip_unreadable": False,
        }
        return config.DataConfig(name=name, **(settings | changes))

    return make


@pytest.fixture
def make_tree(tmp_path):
    """Returns a function that writes one small image per path and returns the root."""

    def make(*paths):
        root = tmp_path / "photos"
        root.mkdir(exist_ok=True)
        for index, path in enumerate(paths):
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.full((12, 10, 3), index % 256, np.uint8)
            Image.fromarray(pixels).save(file)
        return root

    return make


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """Returns the data_dir of superclass_imagenet/two_groups: elephants and bicycles, 12 images."""
    import tensorflow_datasets as tfds

    from tfds_superclass.superclass_imagenet import superclass_imagenet_dataset_builder as imagenet

    data_dir = tmp_path_factory.mktemp("tfds")
    roots = ("n02503517", "n02834778")
    builder = imagenet.Builder(
        data_dir=data_dir, config=imagenet.GroupingConfig(name="two_groups", roots=roots)
    )
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            manual_dir=pathlib.Path(imagenet.__file__).parent / "dummy_data"
        )
    )
    return data_dir


@pytest.fixture
def two_groups(prepared, tmp_path):
    """Returns the builder of a fresh copy of `prepared`, which a test may damage."""
    import tensorflow_datasets as tfds

    copy = tmp_path / "tfds"
    shutil.copytree(prepared, copy, ignore=shutil.ignore_patterns("*.index.safetensors"))
    return tfds.builder_from_directory(copy / "superclass_imagenet" / "two_groups" / "1.0.0")
