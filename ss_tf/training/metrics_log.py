"""One record per epoch, as JSON lines for programs and as TensorBoard events for people."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Mapping

import tensorflow as tf
import tf_keras as keras

from ss_tf import files
from ss_tf.models import int8_grid
from ss_tf.models.delta_grid import DeltaGrid

FILE_NAME = "metrics.jsonl"


def read(network_dir: pathlib.Path) -> list[dict[str, object]]:
    """Returns the records of a network in the order they were written; none if never trained."""
    path = network_dir / FILE_NAME
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


class MetricsLog:
    """Writes the records of one phase of a network."""

    def __init__(self, network_dir: pathlib.Path, *, phase: str):
        self._network_dir, self._phase = network_dir, phase
        self._events = tf.summary.create_file_writer(str(network_dir / "tensorboard"))

    def record(self, epoch: int, values: Mapping[str, float | None]) -> None:
        """Adds the record of one finished epoch; None stands for what was not measured.

        An epoch that was recorded, but lost its checkpoint to a crash, is trained again: its old
        record, and any later one of the phase, is replaced. The file is rewritten whole, so a
        crash leaves no half line.
        """
        kept = [
            record
            for record in read(self._network_dir)
            if record["phase"] != self._phase or record["epoch"] < epoch
        ]
        records = [*kept, {"phase": self._phase, "epoch": epoch, **values}]
        text = "".join(json.dumps(record, allow_nan=False) + "\n" for record in records)
        files.write_atomically(self._network_dir / FILE_NAME, text.encode())
        with self._events.as_default(step=epoch):
            for name, value in values.items():
                if value is not None:
                    tf.summary.scalar(f"{self._phase}/{name}", value)
        self._events.flush()


def recorder(
    network_dir: pathlib.Path, model: keras.Model, *, phase: str, grid: DeltaGrid | None
) -> Callable[[int, Mapping[str, float | None]], None]:
    """Returns what records an epoch, together with what is read off the model.

    Args:
      network_dir: where the record goes.
      model: that is trained.
      phase: "float" or "qat".
      grid: of the sub network in training, whose step is recorded, or None.
    """
    log = MetricsLog(network_dir, phase=phase)

    def record(epoch, values):
        if phase == "qat":
            # Weights beyond their range have no gradient: a share that grows says that the
            # learning rate is too high for the base's grid.
            values = {**values, "clipped_share": int8_grid.clipped_share(model)}
        if grid:
            values = {**values, "delta_step": float(grid.step.numpy())}
        log.record(epoch, values)

    return record
