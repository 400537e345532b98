"""State of an unfinished training phase, as one file that is replaced whole."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from ss_tf import files


@dataclasses.dataclass(frozen=True)
class Position:
    """How far a phase has come.

    Attributes:
      epoch: number of the epoch, from 0.
      step: batches of that epoch that are done.
      seconds: time that the epoch took so far.
    """

    epoch: int
    step: int
    seconds: float


def save(
    path: pathlib.Path,
    values: Sequence[np.ndarray],
    position: Position,
    *,
    origin: str,
) -> None:
    """Writes values of variables and the position, replacing an older checkpoint atomically.

    Values are stored by their place in the sequence: optimizer slots have no stable names.

    Args:
      path: the file.
      values: of everything that the phase changes.
      position: how far it has come.
      origin: names what the phase started from; `restore` asks for the same.
    """
    tensors = {f"{index:05d}": value for index, value in enumerate(values)}
    position_text = json.dumps(dataclasses.asdict(position))
    files.write_tensors(path, tensors, metadata={"position": position_text, "origin": origin})


def restore(path: pathlib.Path, variables: Sequence[tf.Variable], *, origin: str) -> Position:
    """Assigns what `save` wrote, and returns the position.

    Raises:
      ValueError: if the file is damaged or belongs to another network; it names the file. The
        variables are then unchanged.
    """
    try:
        tensors, metadata = files.read_tensors(path)
        position = Position(**json.loads(metadata["position"]))
        if metadata["origin"] != origin:
            raise ValueError(f"{path} started from {metadata['origin']}, expected {origin}.")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"No checkpoint: {error} Delete {path} to train this phase anew."
        ) from error
    values = [tensors[name] for name in sorted(tensors)]
    got = [value.shape for value in values]
    if got != [tuple(variable.shape) for variable in variables]:
        raise ValueError(
            f"{path} holds {len(got)} tensors that do not fit the {len(variables)} expected: it "
            "belongs to another network. Delete it to train this phase anew."
        )
    for variable, value in zip(variables, values, strict=True):
        # What is assigned is not read back, which among several workers would be a collective.
        variable.assign(value, read_value=False)
    return position
