"""Evaluates a run on its validation images, and writes DIR/report: index.html, results.json, ...

python eval.py --run_dir=runs/demo
python eval.py --run_dir=runs/demo --require=hard,oracle      exit code 1 if one is missing
python eval.py --predictions=runs/demo/report/predictions.npz    the report again, in seconds
python eval.py --compare=runs/demo,runs/other                 two evaluated runs, with significance
"""

import shlex
import sys

from absl import flags

from ss_tf import command_line, report_flags, run_flags
from ss_tf.report import comparison, folder

for name in ("run_dir", "data_dir", "predictions", "require", "compare"):
    flags.declare_key_flag(name)


def main(argv: list[str]) -> None:
    """Evaluates the run of --run_dir, or what is in --predictions; or compares two runs."""
    command_line.refuse_arguments(argv)
    if runs := report_flags.compared_runs():
        print(comparison.write(*runs))
        return
    required, path = report_flags.required_systems(), report_flags.predictions()
    if path is None:
        config, run = run_flags.open_run()

        from ss_tf.evaluation import evaluate  # After the flags: TensorFlow takes seconds.

        path = evaluate.evaluate_run(config, run, command=shlex.join(sys.argv))
    print(folder.write(path))
    folder.require(path.parent, required)


if __name__ == "__main__":
    command_line.run(main)
