"""What the flags of eval.py alone ask for."""

from __future__ import annotations

import pathlib

from ss_tf import flag_defs
from ss_tf import inference_flag_defs as defs
from ss_tf.evaluation.accuracy import SYSTEMS


def predictions() -> pathlib.Path | None:
    """Returns the file that a report is computed from; None if networks are to be run.

    Raises:
      ValueError: if --run_dir is given as well.
    """
    if defs.PREDICTIONS.value is None:
        return None
    if flag_defs.RUN_DIR.value is not None:
        raise ValueError(
            f"--predictions={defs.PREDICTIONS.value} came with --run_dir, expected one of them: "
            "the report is written beside the file."
        )
    return pathlib.Path(defs.PREDICTIONS.value)


def required_systems() -> tuple[str, ...]:
    """Returns the systems that --require names.

    Raises:
      ValueError: naming one that there is not.
    """
    for name in defs.REQUIRE.value:
        if name not in SYSTEMS:
            raise ValueError(f"--require has {name!r}, expected any of {', '.join(SYSTEMS)}.")
    return tuple(defs.REQUIRE.value)


def compared_runs() -> tuple[pathlib.Path, ...]:
    """Returns the folders of the two runs of --compare, or nothing.

    Raises:
      ValueError: if it is one, or more than two, or comes with another of these flags or
        --run_dir.
    """
    paths = tuple(pathlib.Path(path) for path in defs.COMPARE.value)
    if paths and len(paths) != 2:
        raise ValueError(f"--compare names {len(paths)} runs, expected two: RUN_A,RUN_B.")
    others = (flag_defs.RUN_DIR, defs.PREDICTIONS, defs.REQUIRE, defs.EDGE_BUNDLE)
    given = [f"--{flag.name}" for flag in others if flag.value]
    if paths and given:
        raise ValueError(f"--compare came with {' and '.join(given)}, expected it alone.")
    return paths


def edge_bundle() -> pathlib.Path | None:
    """Returns the bundle that is evaluated instead of a report being made; None for a report.

    Raises:
      ValueError: if it is empty, or comes with --predictions or --require.
    """
    if defs.EDGE_BUNDLE.value is None:
        return None
    # As a variable of the shell that is not set leaves it; a report would be written over.
    if not defs.EDGE_BUNDLE.value:
        raise ValueError("--edge_bundle is empty, expected the folder of a bundle.")
    given = [f"--{flag.name}" for flag in (defs.PREDICTIONS, defs.REQUIRE) if flag.value]
    if given:
        raise ValueError(f"--edge_bundle came with {' and '.join(given)}, expected --run_dir.")
    return pathlib.Path(defs.EDGE_BUNDLE.value)
