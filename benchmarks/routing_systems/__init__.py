"""Systems of two-stage inference, each in a process of its own, and what each of them takes."""

import ss_tf  # noqa: F401  (before TensorFlow, as it chooses Keras 2)
