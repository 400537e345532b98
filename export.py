"""Exports a run as one model that runs without ss_tf, in TensorFlow or TensorFlow Serving.

python export.py --run_dir=runs/demo                          into runs/demo/export/saved_model
python export.py --run_dir=runs/demo --routing=soft --output=models/soft

The model takes images as floats, as pixels or as encoded files: docs/EXPORT.md.
"""

from absl import flags

from ss_tf import command_line, run_flags

for name in ("run_dir", "format", "output", "routing"):
    flags.declare_key_flag(name)


def main(argv: list[str]) -> None:
    """Exports the run of --run_dir."""
    command_line.refuse_arguments(argv)
    config, run = run_flags.open_run()

    from ss_tf.export import export_run  # After the flags: --help need not wait for TensorFlow.

    routing, output = run_flags.routing(), run_flags.export_output()
    print(export_run.export_saved_model(config, run, routing=routing, output=output))


if __name__ == "__main__":
    command_line.run(main)
