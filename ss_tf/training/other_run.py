"""Networks that a run takes over from another one instead of training them."""

from __future__ import annotations

from collections.abc import Sequence

from ss_tf import files
from ss_tf.config import RunConfig
from ss_tf.data.examples import Dataset
from ss_tf.training import metrics_log, plan
from ss_tf.training.run_dir import RunDir


def check(config: RunConfig, run: RunDir, *, dataset: Dataset, names: Sequence[str]) -> None:
    """Checks that --networks_from, if given, can give what is wanted of it.

    Raises:
      ValueError: if it has other data, or lacks a network.
    """
    if config.networks_from is None:
        return
    source = RunDir(config.networks_from)
    source.check_data(dataset)
    for name in names:
        is_wanted = plan.superclass_of(name) is None and not run.float_file(name).is_file()
        if is_wanted and not source.float_file(name).is_file():
            raise ValueError(
                f"{source.path} has no finished {name} network, expected "
                f"{source.float_file(name)}. Train it there first, or leave --networks_from out."
            )


def copy(config: RunConfig, run: RunDir, name: str) -> None:
    """Takes a finished network over, unless the run has it already."""
    if config.networks_from is None or run.float_file(name).is_file():
        return
    source = RunDir(config.networks_from)
    # The float file last: it is what marks a network as finished.
    copies = [metrics_log.FILE_NAME, source.int8_file(name).name, source.float_file(name).name]
    for file_name in copies:
        origin = source.network_dir(name) / file_name
        if origin.is_file():
            files.write_atomically(run.network_dir(name) / file_name, origin.read_bytes())
