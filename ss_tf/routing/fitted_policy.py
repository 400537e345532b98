"""The routing policy of a run, in its routing.json, with what tells whose networks it is for."""

from __future__ import annotations

import json
import pathlib

from ss_tf import files
from ss_tf.config import RunConfig
from ss_tf.routing import int8_networks
from ss_tf.routing.fit_policy import FEWEST_IMAGES
from ss_tf.routing.policy import HARD, LARGEST_BYTES, RoutingPolicy, read_object
from ss_tf.training.run_dir import RunDir

_NETWORKS = "networks"


def store(policy: RoutingPolicy | None, run: RunDir, *, networks: str) -> None:
    """Writes a policy as the run's routing.json, whole or not at all.

    Where none was fitted, an older one is removed: the networks that it was fitted to would have
    given one again, so these are others, and for others its thresholds mean nothing.

    Args:
      policy: what was fitted, if anything.
      run: its folder.
      networks: digest of those that it was fitted to, of `int8_networks`.
    """
    if policy is None:
        run.routing_file.unlink(missing_ok=True)
        return
    fields = {_NETWORKS: networks, **json.loads(policy.to_json())}
    text = json.dumps(fields, ensure_ascii=False, indent=1)
    files.write_atomically(run.routing_file, text.encode())


def load(config: RunConfig, run: RunDir, routing: str) -> RoutingPolicy:
    """Returns the policy of --routing: "hard", or the run's fitted one.

    Raises:
      ValueError: if none was fitted, the file is no policy, or it was fitted to other networks than
        the run has now, or a network is damaged; the message says what to do.
    """
    if routing == "hard":
        return HARD
    if not run.routing_file.is_file():
        raise ValueError(
            f"--routing={routing} needs {run.routing_file}, which is missing. "
            f"Run eval.py --run_dir={run.path} first: it fits the policy, to a whole bank and on "
            f"{FEWEST_IMAGES} minival images at least."
        )
    policy, fitted_to = _read(run.routing_file)
    if fitted_to is None:
        raise ValueError(
            f"{run.routing_file} does not say which networks it was fitted to: it is of an earlier "
            f"version. Run eval.py --run_dir={run.path} again: it fits the policy anew."
        )
    if fitted_to != int8_networks.stored_digest(run, run.superclass_map(), base=config.base):
        raise ValueError(
            f"{run.routing_file} was fitted to other networks than {run.path} has now. "
            f"Run eval.py --run_dir={run.path} again: it fits the policy anew."
        )
    return policy


def _read(path: pathlib.Path) -> tuple[RoutingPolicy, str | None]:
    """Reads the policy, and the digest of the networks if it is there.

    Raises:
      ValueError: naming the file, if it is no policy.
    """
    with open(path, "rb") as file:
        # Not all of it: a file of a stranger can be larger than memory.
        data = file.read(LARGEST_BYTES + 1)
    if len(data) > LARGEST_BYTES:
        raise ValueError(f"{path} is over {LARGEST_BYTES} bytes, too long for a policy.")
    try:
        fields = read_object(data.decode("utf-8"))
        fitted_to = fields.pop(_NETWORKS, None)
        return RoutingPolicy.from_fields(fields), fitted_to
    except ValueError as error:
        raise ValueError(f"{path} is no routing policy: {error}") from error
