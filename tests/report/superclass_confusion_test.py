import numpy as np
import pytest
from matplotlib import colors

from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.report import superclass_confusion
from ss_tf.report.superclass_confusion import COLORS, Meaning

COUNTS = np.array([[97, 1, 2], [0, 0, 0], [0, 3, 1]])
NAMES = ("bird", "boat", "car")


def _cells(figure, row, column, size=3):
    """Returns the colour of a cell of the drawn matrix."""
    mesh = figure.axes[0].collections[0]
    return colors.to_hex(mesh.to_rgba(mesh.get_array()).reshape(size, size, 4)[row, column])


def test_rows_sum_to_100_percent_and_one_without_images_has_none():
    percent = superclass_confusion.row_percent(COUNTS)
    np.testing.assert_allclose(percent[[0, 2]].sum(axis=1), 100)
    assert np.isnan(percent[1]).all()
    assert percent[2, 1] == 75


def test_meanings_follow_the_threshold():
    percent = np.array([[96.0, 1.99, 2.0], [0.0, 100.0, 0.0], [np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(
        superclass_confusion.meanings(percent),
        [
            [Meaning.RIGHT, Meaning.MILD, Meaning.SEVERE],
            [Meaning.NONE, Meaning.RIGHT, Meaning.NONE],
            [Meaning.NONE, Meaning.NONE, Meaning.NONE],
        ],
    )


def test_one_of_50_images_is_severe_and_one_of_51_is_mild():
    for images, meaning in ((50, Meaning.SEVERE), (51, Meaning.MILD)):
        percent = superclass_confusion.row_percent(np.array([[images - 1, 1], [0, 1]]))
        assert superclass_confusion.meanings(percent)[0, 1] == meaning


def test_cells_have_the_colour_of_their_meaning_and_their_number():
    figure = superclass_confusion.draw(COUNTS, NAMES, title="Stage 1")
    for place, meaning in {
        (0, 0): Meaning.RIGHT,
        (0, 1): Meaning.MILD,
        (0, 2): Meaning.SEVERE,
        (1, 1): Meaning.NONE,
    }.items():
        assert _cells(figure, *place) == COLORS[meaning].lower()
    told = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    assert told == {(0, 0): "97.0", (1, 0): "1.0", (2, 0): "2.0", (1, 2): "75.0", (2, 2): "25.0"}


def test_a_rare_confusion_is_not_shown_as_0():
    counts = np.array([[9999, 1], [0, 1]])
    figure = superclass_confusion.draw(counts, NAMES[:2], title="")
    assert "<0.1" in [text.get_text() for text in figure.axes[0].texts]


def test_many_superclasses_show_numbers_where_they_matter():
    counts = 100 * np.eye(50, dtype=int)
    counts[0, 1], counts[0, 2] = 1, 5
    names = tuple(f"class {index}" for index in range(50))
    figure = superclass_confusion.draw(counts, names, title="")
    told = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    assert len(told) == 51  # The diagonal and one severe cell, not the mild one.
    assert told[2, 0] == "5"


def test_wrong_subclasses_are_counted_inside_the_right_superclass():
    superclass_map = SuperclassMap.from_groups({"bird": "abc", "boat": "de", "car": "f"})
    true = np.array([0, 0, 0, 1, 3])
    decided = np.array([0, 1, 3, 1, 4])
    percent = superclass_confusion.wrong_subclass_percent(decided, true, superclass_map)
    np.testing.assert_array_equal(percent, [25, 100, np.nan])


def test_bars_of_wrong_subclasses_stand_beside_rows_with_images():
    figure = superclass_confusion.draw(
        COUNTS, NAMES, title="", wrong_subclass=np.array([30.0, np.nan, 0.0])
    )
    bars = figure.axes[1].patches
    assert [bar.get_width() for bar in bars] == [30.0, 0.0]
    assert [bar.get_y() + bar.get_height() / 2 for bar in bars] == pytest.approx([0, 2])


def test_counts_of_other_superclasses_are_refused():
    with pytest.raises(ValueError, match=r"shape \(3, 3\), expected \(2, 2\)"):
        superclass_confusion.draw(COUNTS, NAMES[:2], title="")
