import re

import pytest

from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.report import compare_page


def _row(metric, a, b, low=NOT_EVALUATED, high=NOT_EVALUATED, p_value=NOT_EVALUATED):
    difference = NOT_EVALUATED if isinstance(a, str) or isinstance(b, str) else b - a
    return {
        "metric": metric,
        "a": a,
        "b": b,
        "difference": difference,
        "low": low,
        "high": high,
        "p_value": p_value,
    }


@pytest.fixture
def compared():
    """Flat is worse, hard better, soft the same; vanilla is in one run only."""
    return {
        "num_images": 1200,
        "only_a": 3,
        "only_b": 0,
        "rows": [
            _row("top1.flat", 0.70, 0.68, -0.04, -0.005, 0.01),
            _row("top1.vanilla", 0.71, NOT_EVALUATED),
            _row("top1.hard", 0.70, 0.73, 0.02, 0.04, 1e-9),
            _row("top1.soft", 0.70, 0.70, -0.01, 0.01, 1.0),
            _row("macs_per_image.flat", 2_000_000, 3_000_000),
        ],
    }


def test_systems_that_both_runs_have_are_told_apart(compared):
    flat, hard, soft = compare_page.differences(compared)
    assert (flat.label, flat.difference, flat.outcome) == ("flat", "-2.00", "worse")
    assert (hard.first, hard.second, hard.interval) == ("70.00", "73.00", "+2.00 to +4.00")
    assert (hard.outcome, hard.p_value) == ("better", "< 0.0001")
    assert (soft.outcome, soft.p_value) == ("no clear difference", "= 1")


def test_strips_share_one_scale_with_zero_in_the_middle(compared):
    flat, hard, soft = compare_page.differences(compared)
    # The largest end, 0.04, reaches to 1 / 1.1 of a half.
    assert flat.low == pytest.approx(50 - 50 / 1.1)
    assert hard.high == pytest.approx(50 + 50 / 1.1)
    assert soft.middle == 50


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        (("flat", "hard", "soft"), "B is better in some systems and worse in others than A"),
        (("flat",), "B is worse than A"),
        (("hard", "soft"), "B is better than A in some systems"),
        (("soft",), "No clear difference between A and B"),
        (("vanilla",), "A and B have no system in common"),
    ],
)
def test_headline(compared, kept, expected):
    compared["rows"] = [row for row in compared["rows"] if row["metric"][5:] in kept]
    found = compare_page.differences(compared)
    assert compare_page.headline(found, a="A", b="B") == expected


def test_page_has_every_row_and_escapes_names(compared, tmp_path):
    path = tmp_path / "compared.html"
    compare_page.write(path, compared, a="<A>", b="B")
    text = path.read_text(encoding="utf-8")
    assert "<A>" not in text
    assert "&lt;A&gt;" in text
    assert "1,200 images in both runs" in text
    assert "3 images in &lt;A&gt; alone" in text
    body = re.search(r'<table id="metric-table".*?<tbody>(.*?)</tbody>', text, re.DOTALL)[1]
    names = re.findall(r'<th scope="row"[^>]*>([^<]+)<', body)
    assert names == [row["metric"] for row in compared["rows"]]
    assert 'data-value="3000000"' in body
