"""One record per epoch, as JSON lines for programs and as TensorBoard events for people."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping

import tensorflow as tf

from ss_tf import files

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
