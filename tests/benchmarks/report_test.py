"""Tests of what the benchmark of reports draws and counts; never of its times."""

import report

from ss_tf.evaluation import accuracy, measure
from ss_tf.evaluation.results import NOT_EVALUATED


def test_drawn_predictions_have_every_system_and_lie_in_wordnet():
    measured, decisions = measure.measure(report.draw(200, 50))
    assert set(decisions.labels) == set(accuracy.SYSTEMS)
    for system in accuracy.SYSTEMS:
        assert measured["hierarchical"][system]["wordnet"] != NOT_EVALUATED
        # Not by chance, which is 0.02.
        assert measured["top1"][system] > 0.3


def test_a_small_report_is_measured(tmp_path):
    found = report.measure(tmp_path, num_images=100, num_classes=50)
    assert (tmp_path / "report.md").is_file()
    assert found["seconds"] > 0
    # A Python with numpy takes more than a hundredth of a gigabyte, and less than 4.
    assert 0.01 < found["peak_gb"] < 4
    assert found["predictions_gb"] == (tmp_path / "predictions.npz").stat().st_size / 1e9
