"""Evaluates a run on its validation images, and writes DIR/report/results.json and report.md.

python eval.py --run_dir=runs/demo
"""

import shlex
import sys

from absl import flags

from ss_tf import command_line, run_flags
from ss_tf.training.run_dir import RunDir

flags.declare_key_flag("run_dir")
flags.declare_key_flag("data_dir")


def main(argv: list[str]) -> None:
    """Evaluates the run of --run_dir."""
    if len(argv) > 1:
        raise ValueError(f"unexpected argument {argv[1]!r}, expected --flags only (--helpshort).")
    run = RunDir(run_flags.run_dir())
    run_flags.adopt_run_flags(run.flags_file)
    config = run_flags.run_config()

    from ss_tf.evaluation import evaluate  # After the flags: --help need not wait for TensorFlow.

    print(evaluate.evaluate_run(config, run, command=shlex.join(sys.argv)))


if __name__ == "__main__":
    command_line.run(main)
