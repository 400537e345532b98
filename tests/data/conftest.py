"""Photo trees for the tests of the data room."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image


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
