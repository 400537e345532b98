import pytest

from ss_tf.report import style, superclass_accuracy
from ss_tf.report.superclass_accuracy import Accuracy

OVERALL = {name: Accuracy(0.7, 0.65, 0.75) for name in ("hard", "flat", "oracle")}


def _rows(count):
    return {f"class {index}": dict(OVERALL) for index in range(count)}


def _marks(axes):
    """Returns label -> x values of the marks in one panel."""
    return {line.get_label(): list(line.get_xdata()) for line in axes.lines}


def test_there_is_one_mark_per_superclass_and_system_and_one_overall():
    by_superclass = _rows(3)
    by_superclass["class 1"]["hard"] = Accuracy(0.5, 0.4, 0.6)
    top, panel = superclass_accuracy.draw(OVERALL, by_superclass).axes
    assert _marks(top) == {look: [70.0] for look in ("flat", "hard (efficient)", "oracle")}
    assert _marks(panel)["hard (efficient)"] == pytest.approx([70, 50, 70])
    assert _marks(panel)["oracle"] == pytest.approx([70, 70, 70])


def test_systems_stand_in_the_order_of_the_style_and_say_their_number():
    top = superclass_accuracy.draw(OVERALL, _rows(2)).axes[0]
    assert [label.get_text() for label in top.get_yticklabels()] == [
        style.SYSTEMS[name].label for name in ("flat", "hard", "oracle")
    ]
    assert [text.get_text() for text in top.texts] == ["70.00"] * 3


def test_lines_reach_from_low_to_high():
    panel = superclass_accuracy.draw(OVERALL, _rows(1)).axes[1]
    for collection in panel.collections:
        for (left, _), (right, _) in collection.get_segments():
            assert (left, right) == pytest.approx((65, 75))


def test_a_superclass_without_images_has_a_row_and_no_mark():
    figure = superclass_accuracy.draw(OVERALL, {**_rows(1), "empty": {}})
    panel = figure.axes[1]
    assert [label.get_text() for label in panel.get_yticklabels()] == ["class 0", "empty"]
    assert all(len(marks) == 1 for marks in _marks(panel).values())


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (20, 1), (21, 2), (50, 3)])
def test_many_superclasses_stand_in_columns_each_once(count, columns):
    panels = superclass_accuracy.draw(OVERALL, _rows(count)).axes[1:]
    assert len(panels) == columns
    names = [label.get_text() for axes in panels for label in axes.get_yticklabels()]
    assert names == list(_rows(count))


def test_unknown_systems_and_none_are_refused():
    with pytest.raises(ValueError, match=r"\['easy'\], expected some of flat"):
        superclass_accuracy.draw({"easy": Accuracy(1, 1, 1)}, {})
    with pytest.raises(ValueError, match=r"none, expected some of flat"):
        superclass_accuracy.draw({}, {})
