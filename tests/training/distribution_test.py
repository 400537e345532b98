import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
import tensorflow as tf

from ss_tf import config
from ss_tf.data.input_pipeline import WHOLE
from ss_tf.training import distribution

_ROOT = pathlib.Path(__file__).parents[2]


def _start(strategy="default"):
    return distribution.start(
        config.DeviceConfig(strategy=strategy, mixed_precision=False, jit_compile=False)
    )


def _tf_config(cluster, **task):
    return json.dumps({"cluster": cluster, "task": task})


def test_one_device_is_the_chief_and_reads_everything():
    devices = _start()
    shards = []

    def build(shard):
        shards.append(shard)
        return tf.data.Dataset.range(3)

    assert [int(number) for number in devices.batches(build)] == [0, 1, 2]
    assert shards == [WHOLE]
    assert devices.is_chief
    assert not devices.has_workers
    assert devices.num_devices == 1


def test_one_device_agrees_with_itself_and_shares_nothing():
    devices = _start()
    variable = tf.Variable(3.0)
    devices.sharer([variable])()
    assert devices.read([variable]) == [3.0]
    assert devices.agree(True)
    assert not devices.agree(False)
    assert devices.from_chief([1, 2.5]) == [1, 2.5]
    assert all(devices.is_meeting(step) for step in range(20))


def test_a_single_gpu_or_cpu_needs_no_strategy(monkeypatch):
    assert _start("mirrored").num_devices == 1
    alone = _tf_config({"worker": ["localhost:1"]}, type="worker", index=0)
    monkeypatch.setenv("TF_CONFIG", alone)
    assert not _start("multi_worker").has_workers


@pytest.mark.parametrize(
    "text",
    [
        None,
        "no JSON",
        "[]",
        "{}",
        _tf_config({"worker": ["a:1", "b:1"]}, type="worker", index=2),
        _tf_config({"worker": ["a:1", "b:1"]}, type="ps", index=0),
        _tf_config({"worker": ["a:1"], "ps": ["b:1"]}, type="worker", index=0),
        _tf_config({"worker": ["a:1", "a:1"]}, type="worker", index=0),
        _tf_config({"worker": ["a:1", "b:1"]}, type="worker"),
    ],
)
def test_workers_without_a_good_tf_config_are_refused_with_an_example(monkeypatch, text):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match=r'TF_CONFIG is .*expected.*"worker": \["host1:2222"'):
        _start("multi_worker")


def test_workers_that_cannot_meet_are_one_line(monkeypatch):
    def fail():
        raise tf.errors.UnknownError(None, None, "Could not start gRPC server")

    together = _tf_config({"worker": ["localhost:1", "localhost:2"]}, type="worker", index=0)
    monkeypatch.setenv("TF_CONFIG", together)
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", fail)
    with pytest.raises(ValueError, match="did not come together: Could not start gRPC server"):
        _start("multi_worker")


@pytest.mark.parametrize(
    ("told", "who"),
    [
        ("unhealthy tasks: /job:worker/replica:0/task:3.", "worker 3"),
        ("/job:worker/replica:0/task:0 says: unhealthy /job:worker/task:3.", "worker 3"),
        ("/job:worker/replica:0/task:0 gave up.", "one of the others"),
    ],
)
def test_a_lost_worker_is_named_with_what_to_do(monkeypatch, told, who):
    monkeypatch.setenv("TF_CONFIG", _tf_config({"worker": ["a:1", "b:1"]}, type="worker", index=0))
    message = f"{told} Restart your program."
    with (
        pytest.raises(ValueError, match=rf"lost a worker \({who}\).*the same --run_dir"),
        distribution.lost_workers_explained(),
    ):
        raise tf.errors.UnavailableError(None, None, message)


def test_a_batch_that_cannot_be_shared_out_is_refused(monkeypatch):
    monkeypatch.setattr(distribution.Devices, "num_devices", 2)
    devices = _start()
    devices.check_batch(4)
    with pytest.raises(ValueError, match="--batch_size is 3, expected a multiple of 2"):
        devices.check_batch(3)


def test_errors_without_workers_stay_what_they_are(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(tf.errors.CancelledError), distribution.lost_workers_explained():
        raise tf.errors.CancelledError(None, None, "x")


@pytest.mark.slow
def test_two_devices_of_one_process_end_with_equal_networks(tmp_path):
    """Their images differ, and so do the extremes that quantizers of activations see."""
    script = _ROOT / "tests" / "training" / "worker_script.py"
    result = subprocess.run(
        [sys.executable, script, tmp_path, "1", "mirrored", "super", "sub/a"],
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    digests = re.findall(r"^\[.*: (\w{64}) (\w{64})$", result.stdout, re.MULTILINE)
    assert len(digests) == 4, result.stdout  # Float and quantization-aware, of both.
    for one, other in digests:
        assert one == other
