import sys

import pytest

from ss_tf.models import tfmot


def test_keras_3_cannot_be_imported_meanwhile_and_can_afterwards(monkeypatch):
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    with tfmot._keras_3_hidden(), pytest.raises(ModuleNotFoundError):
        import keras  # noqa: F401
    assert "keras" not in sys.modules


def test_keras_3_that_is_imported_already_stays(monkeypatch):
    other = object()
    monkeypatch.setitem(sys.modules, "keras", other)
    with tfmot._keras_3_hidden():
        assert sys.modules["keras"] is other
    assert sys.modules["keras"] is other
