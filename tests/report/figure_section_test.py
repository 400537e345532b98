import pathlib

from ss_tf.report import figure_section, scaling, table_1
from ss_tf.report.figure_set import Written

FIGURES = [
    Written("Accuracy", "Marks are top-1.", pathlib.Path("runs/a/report/figures/accuracy.svg")),
    Written("Weights", "Filters.", None),
]


def test_counts_scaling_and_figures_have_sections_in_order(measured):
    text = figure_section.markdown(measured, FIGURES)
    places = [text.index(f"\n## {title}\n\n") for title in ("Counts", "Scaling", "Figures")]
    assert places == sorted(places)
    assert table_1.markdown(measured) in text
    assert scaling.markdown({"this": measured}) in text


def test_figures_are_linked_relative_to_the_report(measured):
    text = figure_section.markdown(measured, FIGURES)
    assert (
        "\n![Accuracy](figures/accuracy.png)\n\n"
        "**Accuracy** ([SVG](figures/accuracy.svg)). Marks are top-1.\n" in text
    )


def test_a_figure_that_was_not_drawn_says_so(measured):
    text = figure_section.markdown(measured, FIGURES)
    assert text.endswith("\n**Weights**: not evaluated.\n")
    assert "![Weights]" not in text
