"""Names the superclass and the subclass of images, with their probabilities.

python predict.py --run_dir=runs/demo photo.jpg another.png

For a run on the bundled typefaces, images show white characters on black.
"""

import pathlib

from absl import flags

from ss_tf import command_line, run_flags
from ss_tf.training.run_dir import RunDir

flags.declare_key_flag("run_dir")
flags.declare_key_flag("cache_mb")


def main(argv: list[str]) -> int:
    """Predicts the images on the command line; returns 1 if one could not be read."""
    if len(argv) < 2:
        raise ValueError("no image given, expected at least one file.")
    run = RunDir(run_flags.run_dir())
    run_flags.adopt_run_flags(run.flags_file)
    config = run_flags.run_config()

    from ss_tf.evaluation import predict  # After the flags: --help need not wait for TensorFlow.

    paths = [pathlib.Path(path) for path in argv[1:]]
    return predict.print_predictions(config, run, paths, cache_bytes=run_flags.cache_bytes())


if __name__ == "__main__":
    command_line.run(main)
