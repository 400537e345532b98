"""What the flags of scripts that use a trained run ask for."""

from __future__ import annotations

import pathlib

from ss_tf import inference_flag_defs as defs
from ss_tf import run_flags
from ss_tf.training.run_dir import RunDir


def routing() -> str:
    """Returns "hard" or "soft"."""
    return defs.ROUTING.value


def top_k() -> int:
    """Returns how many labels per image to show at most, 1 or more."""
    return defs.TOP_K.value


def as_json() -> bool:
    """Returns whether to print JSON instead of text."""
    return defs.JSON.value


def export_format() -> str:
    """Returns "saved_model" or "tflite"."""
    return defs.FORMAT.value


def export_output() -> pathlib.Path:
    """Returns the folder that export.py makes; raises as `is_plain`."""
    if defs.OUTPUT.value is not None:
        return pathlib.Path(defs.OUTPUT.value)
    kind = f"{defs.FORMAT.value}_plain" if is_plain() else defs.FORMAT.value
    return RunDir(run_flags.run_dir()).export_dir(kind)


def is_plain() -> bool:
    """Returns whether export.py makes full .tflite files instead of a bundle.

    Raises:
      ValueError: if it is asked to, but makes something else, or for a routing.
    """
    if defs.PLAIN.value and defs.FORMAT.value != "tflite":
        got = defs.FORMAT.value
        raise ValueError(f"--plain is given with --format={got}, expected --format=tflite.")
    if defs.PLAIN.value and routing() != "hard":
        raise ValueError(
            f"--plain is given with --routing={routing()}, expected one of them: full .tflite "
            "files have no routing."
        )
    return defs.PLAIN.value


def cache_bytes() -> int:
    """Returns what --cache_mb allows, in bytes."""
    return 1_000_000 * defs.CACHE_MB.value
