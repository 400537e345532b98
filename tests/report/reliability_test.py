import pytest

from ss_tf.report import reliability
from ss_tf.report.reliability import Calibration

SURE = Calibration(0.125, [0.3, 0.5, 0.9], [0.2, 0.4, 0.8], [9, 10, 500])


def test_bins_with_enough_images_are_drawn_at_their_means():
    axes = reliability.draw({"subclass": {"hard": SURE}}).axes[0]
    diagonal, line = axes.lines
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata())
    assert list(line.get_xdata()) == pytest.approx([50, 90])
    assert list(line.get_ydata()) == pytest.approx([40, 80])


def test_marks_grow_with_the_share_of_images():
    axes = reliability.draw({"subclass": {"hard": SURE}}).axes[0]
    few, many = axes.collections[0].get_sizes()
    assert few < many


def test_levels_have_panels_and_systems_their_error_in_percent():
    figure = reliability.draw({"superclass": {"flat": SURE}, "subclass": {"soft": SURE}})
    panels, keys = figure.axes[:2], figure.axes[2:]
    assert [axes.get_title(loc="left") for axes in panels] == ["superclass level", "subclass level"]
    told = [key.get_legend().get_texts()[0].get_text() for key in keys]
    assert told == ["flat: 12.5", "soft: 12.5"]
