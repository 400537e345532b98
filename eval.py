"""Evaluates a run on its validation images, and writes DIR/report/results.json and report.md.

python eval.py --run_dir=runs/demo
python eval.py --run_dir=runs/demo --edge_bundle=runs/demo/export/tflite

The second form compares a bundle for devices with the run instead: DIR/report/edge_results.json.
"""

import shlex
import sys

from ss_tf import command_line, inference_flags, run_flags

command_line.show_flags("run_dir", "data_dir", "edge_bundle")


def main(argv: list[str]) -> None:
    """Evaluates the run of --run_dir."""
    command_line.refuse_arguments(argv)
    config, run = run_flags.open_run()
    bundle, command = inference_flags.edge_bundle(), shlex.join(sys.argv)
    # After the flags: --help need not wait for TensorFlow.
    if bundle:
        from ss_tf.evaluation import edge

        print(edge.evaluate_bundle(config, run, bundle_dir=bundle, command=command))
    else:
        from ss_tf.evaluation import evaluate

        print(evaluate.evaluate_run(config, run, command=command))


if __name__ == "__main__":
    command_line.run(main)
