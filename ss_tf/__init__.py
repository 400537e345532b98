"""Two-stage (Super-Sub) image classification on TensorFlow."""

import os

# tfmot quantizes Keras 2 models only, and tf.keras decides between Keras 2 and 3 when it is first
# touched. Hence this line runs before any import of TensorFlow inside the package.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

__version__ = "0.1.0"
