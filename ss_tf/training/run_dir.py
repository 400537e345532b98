"""RunDir: where each file of a run lives."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import TYPE_CHECKING

from ss_tf import files
from ss_tf.hierarchy import superclass_map

if TYPE_CHECKING:  # The scripts import this module before they start TensorFlow.
    from ss_tf.data.examples import Dataset

FLAT = "flat"
FLAT_EQUAL_COMPUTE = "flat_equal_compute"
SUPER = "super"


def sub(superclass_name: str) -> str:
    """Returns the network name of the sub network of a superclass."""
    return f"sub/{superclass_name}"


@dataclasses.dataclass(frozen=True)
class RunDir:
    """The folder of one run. Stages meet only here, so each can be rerun alone.

    ```
    flags.flags                   the run's flags, as a flagfile
    superclass_map.json           the partition of its labels
    data.json                     numbers of images, and images left out
    networks/NAME/                NAME: flat, flat_equal_compute, super, sub/SUPERCLASS
      float.safetensors           the trained float network
      int8.safetensors            its canonical int8 form (base and sub networks)
      *_checkpoint.safetensors    state of an unfinished phase
      metrics.jsonl, tensorboard/ one record per epoch
    bank/SUPERCLASS.safetensors   compressed delta of each sub network to the base
    report/                       results.json, report.md
    ```
    """

    path: pathlib.Path

    @property
    def flags_file(self) -> pathlib.Path:
        return self.path / "flags.flags"

    @property
    def map_file(self) -> pathlib.Path:
        return self.path / "superclass_map.json"

    @property
    def data_file(self) -> pathlib.Path:
        return self.path / "data.json"

    @property
    def bank_dir(self) -> pathlib.Path:
        return self.path / "bank"

    @property
    def report_dir(self) -> pathlib.Path:
        return self.path / "report"

    def network_dir(self, name: str) -> pathlib.Path:
        return self.path / "networks" / name

    def float_file(self, name: str) -> pathlib.Path:
        return self.network_dir(name) / "float.safetensors"

    def int8_file(self, name: str) -> pathlib.Path:
        return self.network_dir(name) / "int8.safetensors"

    def checkpoint_file(self, name: str, phase: str) -> pathlib.Path:
        return self.network_dir(name) / f"{phase}_checkpoint.safetensors"

    def superclass_map(self) -> superclass_map.SuperclassMap:
        """Reads the run's superclass map.

        Raises:
          ValueError: if the folder is not a run.
        """
        if not self.map_file.is_file():
            raise ValueError(
                f"{self.path} is not a run: {self.map_file.name} is missing. "
                "Expected a folder that train.py --run_dir wrote."
            )
        return superclass_map.SuperclassMap.load(self.map_file)

    def open(self, dataset: Dataset, *, flagfile: str) -> None:
        """Creates the folder, or checks that an existing one belongs to the same labels.

        Args:
          dataset: what the run trains on.
          flagfile: text of the run's flags, kept if the run is new.

        Raises:
          ValueError: if the labels have changed since the run began.
        """
        if self.map_file.is_file() and self.superclass_map() != dataset.superclass_map:
            raise ValueError(
                f"{self.path} was trained on other classes than {dataset.name} has now "
                f"({self.superclass_map().num_labels} then, {dataset.superclass_map.num_labels} "
                "now, or other names). Give another --run_dir."
            )
        if not self.flags_file.is_file():
            files.write_atomically(self.flags_file, flagfile.encode())
        files.write_atomically(self.map_file, dataset.superclass_map.to_json().encode())
        files.write_atomically(self.data_file, _describe(dataset).encode())


def _describe(dataset: Dataset) -> str:
    """Returns the numbers of images, and what was left out, as JSON."""
    splits = ("train", "minival", "validation")
    facts = {
        "dataset": dataset.name,
        "num_examples": {split: len(getattr(dataset, split)) for split in splits},
        "unreadable": [list(pair) for pair in dataset.unreadable],
    }
    return json.dumps(facts, ensure_ascii=False, indent=1)
