import numpy as np
import pytest
import tensorflow as tf

from ss_tf.training import checkpoint
from ss_tf.training.checkpoint import Position

POSITION = Position(epoch=2, step=17, seconds=1.5)
LATER = Position(epoch=2, step=18, seconds=1.6)
ORIGIN = "base 123"


def _values(value):
    return [np.full((2, 3), value, np.float32), np.int64(value)]


def _variables(value):
    return [tf.Variable(array) for array in _values(value)]


def test_restored_state_equals_the_saved_one(tmp_path):
    path = tmp_path / "new folder" / "float_checkpoint.safetensors"
    checkpoint.save(path, _values(3), POSITION, origin=ORIGIN)
    variables = _variables(0)
    assert checkpoint.restore(path, variables, origin=ORIGIN) == POSITION
    for restored, saved in zip(variables, _values(3), strict=True):
        np.testing.assert_array_equal(restored.numpy(), saved)


def test_a_write_that_is_cut_short_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.save(path, _values(1), POSITION, origin=ORIGIN)

    def lose_power(*_):
        raise OSError("power lost")

    monkeypatch.setattr("os.replace", lose_power)
    with pytest.raises(OSError, match="power lost"):
        checkpoint.save(path, _values(2), LATER, origin=ORIGIN)
    variables = _variables(0)
    assert checkpoint.restore(path, variables, origin=ORIGIN) == POSITION
    np.testing.assert_array_equal(variables[0].numpy(), 1)


@pytest.mark.parametrize("keep", [0, 5, 100])
def test_truncated_file_is_refused_and_changes_nothing(tmp_path, keep):
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.save(path, _values(1), POSITION, origin=ORIGIN)
    path.write_bytes(path.read_bytes()[:keep])
    variables = _variables(7)
    with pytest.raises(ValueError, match=r"Delete .*checkpoint.safetensors to train this phase"):
        checkpoint.restore(path, variables, origin=ORIGIN)
    np.testing.assert_array_equal(variables[0].numpy(), 7)


def test_checkpoint_of_another_network_is_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.save(path, _values(1), POSITION, origin=ORIGIN)
    with pytest.raises(ValueError, match=r"holds 2 tensors that do not fit the 1 expected"):
        checkpoint.restore(path, _variables(1)[:1], origin=ORIGIN)


def test_checkpoint_of_another_origin_is_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.save(path, _values(1), POSITION, origin="base 456")
    with pytest.raises(ValueError, match=r"started from base 456, expected base 123\. Delete"):
        checkpoint.restore(path, _variables(1), origin=ORIGIN)
