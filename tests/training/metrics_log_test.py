import pytest

from ss_tf.training import metrics_log


def _record(directory, *, phase="float", epoch, loss):
    metrics_log.MetricsLog(directory, phase=phase).record(epoch, {"loss": loss})


def _epochs(directory):
    return [(record["phase"], record["epoch"]) for record in metrics_log.read(directory)]


def test_records_come_back_in_order(tmp_path):
    for epoch in range(2):
        _record(tmp_path, epoch=epoch, loss=2.0 - epoch)
    _record(tmp_path, phase="qat", epoch=0, loss=0.5)
    assert _epochs(tmp_path) == [("float", 0), ("float", 1), ("qat", 0)]
    assert [record["loss"] for record in metrics_log.read(tmp_path)] == [2.0, 1.0, 0.5]


def test_an_epoch_trained_again_replaces_its_record_and_later_ones(tmp_path):
    for epoch in range(3):
        _record(tmp_path, epoch=epoch, loss=9.0)
    _record(tmp_path, epoch=1, loss=1.0)
    assert [record["loss"] for record in metrics_log.read(tmp_path)] == [9.0, 1.0]


def test_tensorboard_gets_an_event_file(tmp_path):
    _record(tmp_path, epoch=0, loss=1.0)
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert events.stat().st_size > 0


def test_a_network_never_trained_has_no_records(tmp_path):
    assert metrics_log.read(tmp_path) == []


def test_what_was_not_measured_is_null(tmp_path):
    log = metrics_log.MetricsLog(tmp_path, phase="float")
    log.record(0, {"minival_top1": None})
    assert metrics_log.read(tmp_path)[0]["minival_top1"] is None
    with pytest.raises(ValueError, match="not JSON compliant"):
        log.record(1, {"loss": float("nan")})
