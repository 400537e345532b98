import numpy as np
import pytest

from ss_tf.report import delta_histograms
from ss_tf.report.weights import LARGEST_DELTA


def _counts(**by_step):
    counts = np.zeros(2 * LARGEST_DELTA + 1, np.int64)
    for step, count in by_step.items():
        counts[int(step[1:].replace("m", "-")) + LARGEST_DELTA] = count
    return counts


def test_shares_are_those_of_the_weights_and_zeros_are_told():
    figure = delta_histograms.draw({"bird": _counts(s0=60, sm3=30, s2=10)})
    axes = figure.axes[0]
    values, edges, _ = axes.patches[0].get_data()
    drawn = {edge + 0.5: value for edge, value in zip(edges[:-1], values, strict=True) if value}
    assert drawn == {-3: 30, 0: 60, 2: 10}
    assert [text.get_text() for text in axes.texts] == ["60 % zero"]


def test_all_panels_reach_as_far_as_the_widest_but_for_a_thousandth():
    wide = _counts(s0=100_000, sm7=200, s200=3)
    figure = delta_histograms.draw({"bird": _counts(s0=5), "boat": wide})
    assert [axes.get_xlim() for axes in figure.axes] == [(-7.5, 7.5)] * 2


def test_a_bank_of_sub_networks_like_the_base_can_be_drawn():
    figure = delta_histograms.draw({"bird": _counts(s0=5)})
    assert figure.axes[0].get_xlim() == (-1.5, 1.5)


@pytest.mark.parametrize("count", [1, 2, 5, 6, 17])
def test_each_superclass_has_a_panel(count):
    figure = delta_histograms.draw({f"class {index}": _counts(s1=3) for index in range(count)})
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.axison]
    assert titles == [f"class {index}" for index in range(count)]
