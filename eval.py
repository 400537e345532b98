"""Evaluates a run on its validation images, and writes DIR/report/results.json and report.md.

python eval.py --run_dir=runs/demo
"""

import shlex
import sys

from ss_tf import command_line, run_flags

command_line.show_flags("run_dir", "data_dir")


def main(argv: list[str]) -> None:
    """Evaluates the run of --run_dir."""
    command_line.refuse_arguments(argv)
    config, run = run_flags.open_run()

    from ss_tf.evaluation import evaluate  # After the flags: --help need not wait for TensorFlow.

    print(evaluate.evaluate_run(config, run, command=shlex.join(sys.argv)))


if __name__ == "__main__":
    command_line.run(main)
