"""Two processes on this machine train one run together."""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys

import pytest

from ss_tf.training import metrics_log
from ss_tf.training.run_dir import RunDir

_ROOT = pathlib.Path(__file__).parents[2]
_SCRIPT = _ROOT / "tests" / "training" / "worker_script.py"
_NETWORKS = ("super", "sub/a")
_SUPER_EPOCHS = 3
_STEPS_PER_EPOCH = 5


def _train_together(run_dir, *, dying_steps=None):
    """Returns exit codes and outputs of both; the second dies after some steps, if given."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("localhost", 0))
        other.bind(("localhost", 0))
        addresses = [f"localhost:{free.getsockname()[1]}" for free in (one, other)]
    workers = []
    for index in range(2):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "PYTHONPATH": str(_ROOT), "TF_CONFIG": json.dumps(task)}
        if index == 1 and dying_steps:
            environment["DIE_AFTER_STEPS"] = str(dying_steps)
        workers.append(
            subprocess.Popen(
                [sys.executable, _SCRIPT, run_dir, str(_SUPER_EPOCHS), "multi_worker", *_NETWORKS],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        outputs = [worker.communicate(timeout=240) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    return [worker.returncode for worker in workers], outputs


@pytest.mark.slow
def test_two_workers_stop_together_resume_and_end_with_equal_networks(tmp_path):
    run = RunDir(tmp_path)
    # In the third epoch; the last checkpoint is from the end of the second.
    codes, outputs = _train_together(tmp_path, dying_steps=2 * _STEPS_PER_EPOCH + 2)
    assert codes == [1, -9], outputs
    last_line = outputs[0][1].splitlines()[-1]
    assert re.search(r"error: lost a worker \(worker 1\).*with the same --run_dir", last_line)
    assert run.checkpoint_file("super", "float").is_file()
    records = metrics_log.read(run.network_dir("super"))
    assert [record["epoch"] for record in records] == [0, 1]

    codes, outputs = _train_together(tmp_path)
    assert codes == [0, 0], outputs
    digests = [re.findall(r"^\[.*: \w{64}$", out, re.MULTILINE) for out, _ in outputs]
    assert len(digests[0]) == 4, outputs  # Super and sub, float and quantization-aware.
    assert digests[0] == digests[1]
    # What was done before the death was not done again.
    again = metrics_log.read(run.network_dir("super"))
    assert again[0] == records[0]
    assert (run.bank_dir / "a.safetensors").is_file()
    assert "images/s" not in outputs[1][1]  # The chief shows progress.
    assert not list(tmp_path.rglob("*checkpoint*"))
