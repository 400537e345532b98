"""Exports a run: as one model that runs without ss_tf in TensorFlow, or for devices.

python export.py --run_dir=runs/demo                          into runs/demo/export/saved_model
python export.py --run_dir=runs/demo --routing=soft --output=models/soft
python export.py --run_dir=runs/demo --format=tflite          into runs/demo/export/tflite

The model takes images as floats, as pixels or as encoded files: docs/EXPORT.md. The bundle for
devices is described in docs/edge_format.md.
"""

from ss_tf import command_line, inference_flags, run_flags

command_line.show_flags("run_dir", "format", "output", "plain", "routing")


def main(argv: list[str]) -> None:
    """Exports the run of --run_dir."""
    command_line.refuse_arguments(argv)
    config, run = run_flags.open_run()

    # After the flags: --help need not wait for TensorFlow.
    from ss_tf.export import edge_bundle, export_run, plain_tflite

    routing, output = inference_flags.routing(), inference_flags.export_output()
    if inference_flags.is_plain():
        print(plain_tflite.export_plain(config, run, output=output))
    elif inference_flags.export_format() == "tflite":
        print(edge_bundle.export_bundle(config, run, routing=routing, output=output))
    else:
        print(export_run.export_saved_model(config, run, routing=routing, output=output))


if __name__ == "__main__":
    command_line.run(main)
