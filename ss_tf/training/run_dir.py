"""RunDir: where each file of a run lives."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import pathlib
from typing import TYPE_CHECKING

from ss_tf import files
from ss_tf.hierarchy import superclass_map

if TYPE_CHECKING:  # The scripts import this module before they start TensorFlow.
    from ss_tf.data.examples import Dataset, Examples

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
    data.json                     numbers and digests of images, and images left out
    networks/NAME/                NAME: flat, flat_equal_compute, super, sub/SUPERCLASS
      float.safetensors           the trained float network
      int8.safetensors            its canonical int8 form (base and sub networks)
      *_checkpoint.safetensors    state of an unfinished phase
      metrics.jsonl, tensorboard/ one record per epoch
    bank/SUPERCLASS.safetensors   compressed delta of each sub network to the base
    routing.json                  policy that eval.py fitted on minival, and to which networks
    report/                       predictions.npz and what is computed from it: results.json, ...
    export/FORMAT/                what export.py made of the run: saved_model, tflite, tflite_plain
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
    def routing_file(self) -> pathlib.Path:
        return self.path / "routing.json"

    @property
    def report_dir(self) -> pathlib.Path:
        return self.path / "report"

    @property
    def predictions_file(self) -> pathlib.Path:
        return self.report_dir / "predictions.npz"

    def export_dir(self, file_format: str) -> pathlib.Path:
        return self.path / "export" / file_format

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
        """Creates the folder, or checks that an existing one belongs to the same images.

        Processes that train parts of one run may all do so at once.

        Args:
          dataset: what the run trains on.
          flagfile: text of the run's flags, kept if the run is new.

        Raises:
          ValueError: if the images or their labels have changed since the run began.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.path / ".lock", "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # Freed as the file is closed.
            if not self.map_file.is_file():
                self._create(dataset, flagfile)
        self.check_data(dataset)

    def _create(self, dataset: Dataset, flagfile: str) -> None:
        files.write_atomically(self.flags_file, flagfile.encode())
        facts = json.dumps(_describe(dataset), ensure_ascii=False, indent=1)
        files.write_atomically(self.data_file, facts.encode())
        # Last, for it marks the folder as a run.
        files.write_atomically(self.map_file, dataset.superclass_map.to_json().encode())

    def check_data(self, dataset: Dataset) -> None:
        """Checks that a data set is the one the run was trained with.

        Raises:
          ValueError: naming what differs, or if the folder is no run.
        """
        if self.superclass_map() != dataset.superclass_map:
            raise ValueError(
                f"{self.path} was trained on other classes than {dataset.name} has now "
                f"({self.superclass_map().num_labels} then, {dataset.superclass_map.num_labels} "
                "now, or other names). Give another --run_dir."
            )
        then, now = self.data_facts(), _describe(dataset)
        for split, count in now["num_examples"].items():
            if then["digests"][split] != now["digests"][split]:
                raise ValueError(
                    f"{self.path} was trained on other {split} images than {dataset.name} has now "
                    f"({then['num_examples'][split]} then, {count} now). Give another --run_dir, "
                    "or restore the images."
                )

    def data_facts(self) -> dict[str, object]:
        """Reads what is kept about the data: dataset, num_examples, digests, unreadable."""
        return json.loads(self.data_file.read_text(encoding="utf-8"))


def _describe(dataset: Dataset) -> dict[str, object]:
    """Returns numbers and digests of the images, and what was left out."""
    splits = {name: getattr(dataset, name) for name in ("train", "minival", "validation")}
    return {
        "dataset": dataset.name,
        "num_examples": {name: len(examples) for name, examples in splits.items()},
        "digests": {name: examples_digest(examples) for name, examples in splits.items()},
        "unreadable": [list(pair) for pair in dataset.unreadable],
    }


def examples_digest(examples: Examples) -> str:
    """Returns the SHA-256, in hex, of all keys and labels, whatever their order."""
    lines = sorted(
        f"{key}\t{label}" for key, label in zip(examples.keys, examples.labels, strict=True)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
