"""Flag values as flagfiles: writing, reading, comparing."""

from __future__ import annotations

import copy
import pathlib
from collections.abc import Sequence

from absl import flags


def write(values: flags.FlagValues, names: Sequence[str]) -> str:
    """Returns the named flags as the text of a flagfile; unset ones are left out."""
    lines = [values[name].serialize() for name in names]
    return "".join(line + "\n" for line in lines if line)


def read(path: pathlib.Path, *, like: flags.FlagValues) -> flags.FlagValues:
    """Parses a flagfile.

    Args:
      path: the file.
      like: the flags that may occur; their values are neither used nor changed.

    Returns:
      A copy of `like` with the file's values, and defaults where it says nothing.

    Raises:
      absl.flags.Error: if the file holds an unknown flag or a bad value.
    """
    values = copy.deepcopy(like)
    values.unparse_flags()
    for name in values:
        values[name].unparse()
    values(["", f"--flagfile={path}"])
    return values


def differences(a: flags.FlagValues, b: flags.FlagValues, names: Sequence[str]) -> tuple[str, ...]:
    """Returns those of the names whose values differ."""
    return tuple(name for name in names if a[name].value != b[name].value)


def adopt(
    values: flags.FlagValues,
    stored: flags.FlagValues,
    names: Sequence[str],
    *,
    free: Sequence[str],
    run: pathlib.Path,
) -> None:
    """Gives flags that the command line left out the values stored with a run.

    Args:
      values: the flags of the command line; changed.
      stored: the run's flags.
      names: which flags.
      free: those that the command line may change.
      run: folder of the run, for the message.

    Raises:
      ValueError: if the command line gives another value than the run has.
    """
    for name in differences(values, stored, names):
        given, kept = values[name], stored[name]
        if not given.present:
            given.value = kept.value
        elif name not in free:
            raise ValueError(
                f"{run} was trained with {shown(kept)}, got {shown(given)}. "
                f"Give another --run_dir, or leave --{name} out."
            )


def shown(flag: flags.Flag) -> str:
    """Returns a flag as one would type it."""
    return flag.serialize() or f"no --{flag.name}"
