import pytest

from ss_tf.report import size_ratios

RATIOS = {
    "fp16_7z": {"bird": 0.5, "boat": 0.4, "car": 0.45},
    "int8_delta": {"bird": 0.1, "boat": 0.3, "car": 0.11},
}


def test_each_form_has_a_bar_per_superclass():
    figure = size_ratios.draw(RATIOS)
    for axes, by_name in zip(figure.axes, RATIOS.values(), strict=True):
        assert [bar.get_width() for bar in axes.patches] == list(by_name.values())
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["bird", "boat", "car"]


def test_the_dashed_line_is_the_mean():
    for axes, mean in zip(size_ratios.draw(RATIOS).axes, (0.45, 0.17), strict=True):
        (line,) = axes.lines
        assert list(line.get_xdata()) == pytest.approx([mean, mean])
        assert line.get_linestyle() == "--"
        assert line.get_label() == f"mean {mean:.3f}"


def test_the_papers_mean_is_dotted_beside_its_form():
    figure = size_ratios.draw(RATIOS, paper={"int8_delta": 0.2})
    without, with_paper = (axes.lines for axes in figure.axes)
    assert len(without) == 1
    assert with_paper[1].get_linestyle() == ":"
    assert with_paper[1].get_label() == "paper 0.200"


def test_one_form_of_one_superclass_can_be_drawn():
    (axes,) = size_ratios.draw({"int8_delta": {"bird": 0.2}}).axes
    assert axes.get_title(loc="left") == "with QAT: int8 delta / int8"
