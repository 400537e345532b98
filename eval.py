"""Evaluates a run on its validation images, and writes DIR/report: index.html, results.json, ...

python eval.py --run_dir=runs/demo
python eval.py --run_dir=runs/demo --require=hard,oracle      exit code 1 if one is missing
python eval.py --predictions=runs/demo/report/predictions.npz    the report again, in seconds
python eval.py --compare=runs/demo,runs/other                 two evaluated runs, with significance
python eval.py --run_dir=runs/demo --edge_bundle=runs/demo/export/tflite

The last one compares a bundle for devices with the run instead: DIR/report/edge_results.json.
"""

import pathlib
import shlex
import sys

from ss_tf import command_line, report_flags, run_flags
from ss_tf.report import comparison, folder

command_line.show_flags("run_dir", "data_dir", "predictions", "require", "compare", "edge_bundle")


def main(argv: list[str]) -> None:
    """Evaluates the run of --run_dir, what is in --predictions, or a bundle; or compares runs."""
    command_line.refuse_arguments(argv)
    if runs := report_flags.compared_runs():
        print(comparison.write(*runs))
    elif bundle := report_flags.edge_bundle():
        print(_evaluate_bundle(bundle))
    else:
        required = report_flags.required_systems()
        path = report_flags.predictions() or _evaluate_run()
        print(folder.write(path))
        folder.require(path.parent, required)


def _evaluate_run() -> pathlib.Path:
    config, run = run_flags.open_run()

    from ss_tf.evaluation import evaluate  # After the flags: TensorFlow takes seconds.

    return evaluate.evaluate_run(config, run, command=shlex.join(sys.argv))


def _evaluate_bundle(bundle: pathlib.Path) -> str:
    config, run = run_flags.open_run()

    from ss_tf.evaluation import edge  # After the flags, too.

    return edge.evaluate_bundle(config, run, bundle_dir=bundle, command=shlex.join(sys.argv))


if __name__ == "__main__":
    command_line.run(main)
