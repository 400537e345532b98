"""A bundle beside full .tflite files that are all kept: sizes, times and memory on a device."""
