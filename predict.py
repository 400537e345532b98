"""Names the superclass and the subclass of images, with their probabilities.

python predict.py --run_dir=runs/demo photo.jpg another.png
python predict.py --run_dir=runs/demo --top_k=3 PHOTOS          all images below a folder
python predict.py --run_dir=runs/demo --routing=soft --json PHOTOS > predictions.jsonl

Of each image it prints one line, "PATH: SUPERCLASS 98.1 %, LABEL 74.0 %": the second probability
is given the superclass. A line of --json has the fields path, superclass, superclass_probability,
subclass, subclass_probability, opened and top, or path and error. The exit code is 1 if an image
cannot be read.

For a run on the bundled typefaces, images show white characters on black.
"""

from ss_tf import command_line, inference_flags, run_flags

command_line.show_flags("run_dir", "routing", "top_k", "json", "cache_mb")


def main(argv: list[str]) -> int:
    """Predicts the images on the command line; returns 1 if one could not be read."""
    if len(argv) < 2:
        raise ValueError("no image given, expected at least one file or folder.")
    config, run = run_flags.open_run()

    from ss_tf.evaluation import predict  # After the flags: --help need not wait for TensorFlow.

    return predict.print_predictions(
        config,
        run,
        argv[1:],
        routing=inference_flags.routing(),
        top_k=inference_flags.top_k(),
        as_json=inference_flags.as_json(),
        cache_bytes=inference_flags.cache_bytes(),
    )


if __name__ == "__main__":
    command_line.run(main)
