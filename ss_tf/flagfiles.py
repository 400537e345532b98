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


def shown(flag: flags.Flag) -> str:
    """Returns a flag as one would type it."""
    return flag.serialize() or f"no --{flag.name}"
