"""Two-stage inference on a device: LiteRT and numpy, without TensorFlow and Keras."""
