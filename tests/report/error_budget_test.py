import pytest
from matplotlib import colors

from ss_tf.report import error_budget, style

BUDGETS = {
    "hard": {"sub_only": 0.25, "routing_only": 0.04, "both": 0.01},
    "flat": {"sub_only": 0.2, "across": 0.05},
}


def test_bars_are_cut_into_causes_and_as_long_as_the_error():
    axes = error_budget.draw(BUDGETS).axes[0]
    by_row = {}
    for bar in axes.patches:
        by_row.setdefault(round(bar.get_y() + bar.get_height() / 2), []).append(bar)
    assert [bar.get_width() for bar in by_row[0]] == pytest.approx([20, 5])
    assert [bar.get_width() for bar in by_row[1]] == pytest.approx([25, 4, 1])
    assert [bar.get_x() for bar in by_row[1]] == pytest.approx([0, 25, 29])
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["flat", "hard (efficient)"]


def test_severe_errors_have_one_colour_and_differ_by_hatch():
    bars = error_budget.draw({"hard": BUDGETS["hard"]}).axes[0].patches
    _, routing_only, both = bars
    assert colors.to_hex(routing_only.get_facecolor()) == style.VERMILLION.lower()
    assert routing_only.get_facecolor() == both.get_facecolor()
    assert routing_only.get_hatch() != both.get_hatch()


def test_totals_stand_behind_the_bars():
    texts = {text.get_text() for text in error_budget.draw(BUDGETS).axes[0].texts}
    assert {
        "25.00, of which 5.00 wrong superclass",
        "30.00, of which 5.00 wrong superclass",
    } <= texts


def test_the_legend_has_only_causes_that_occur():
    (legend,) = error_budget.draw({"flat": BUDGETS["flat"]}).legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "right superclass, wrong subclass",
        "wrong superclass",
    ]


def test_unknown_causes_are_refused():
    with pytest.raises(ValueError, match=r"causes \['bad luck'\], expected some of \['sub_only'"):
        error_budget.draw({"hard": {"bad luck": 0.1}})
