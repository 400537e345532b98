"""The part of tensorflow-model-optimization (tfmot) that is used. Its only importer."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def _keras_3_hidden() -> Iterator[None]:
    """Keeps Keras 3 from being imported, unless it is already."""
    is_hidden = "keras" not in sys.modules
    if is_hidden:
        sys.modules["keras"] = None
    try:
        yield
    finally:
        if is_hidden:
            del sys.modules["keras"]


# tfmot would import it, for more than a second, to look for a class that is not there, and go on.
with _keras_3_hidden():
    import tensorflow_model_optimization

quantization = tensorflow_model_optimization.quantization.keras
