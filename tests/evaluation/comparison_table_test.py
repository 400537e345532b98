import pytest

from ss_tf.evaluation import comparison_table
from ss_tf.evaluation.results import NOT_EVALUATED


def row(metric, a, b, **tested):
    difference = NOT_EVALUATED if NOT_EVALUATED in (a, b) else b - a
    return {
        "metric": metric,
        "a": a,
        "b": b,
        "difference": difference,
        **{key: tested.get(key, NOT_EVALUATED) for key in ("low", "high", "p_value")},
    }


@pytest.fixture
def compared():
    return {
        "num_images": 12650,
        "only_a": 0,
        "only_b": 3,
        "rows": [
            row("top1.hard", 0.5, 0.625, low=0.11, high=0.14, p_value=0.000123),
            row("top1.flat", 0.5, NOT_EVALUATED),
            row("top1.soft", NOT_EVALUATED, NOT_EVALUATED),
            row("macs_per_image.flat", 34_000_000, 33_000_000),
            row("training_passes.hard", 18.0, 16.5),
        ],
    }


def test_markdown_has_points_intervals_and_costs(compared):
    lines = comparison_table.markdown(compared, a="first", b="second").splitlines()
    assert lines[0] == "# first and second"
    assert lines[2].startswith("12,650 images are in both runs, 0 in first alone and 3 in second")
    assert lines[4] == "| metric | first | second | difference | 95 % interval | p |"
    assert lines[6:] == [
        "| top1.hard | 50.00 | 62.50 | +12.50 | +11.00 to +14.00 | 0.00012 |",
        "| top1.flat | 50.00 | not evaluated | not evaluated |  |  |",
        "| macs_per_image.flat | 34,000,000 | 33,000,000 | -1,000,000 |  |  |",
        "| training_passes.hard | 18.000 | 16.500 | -1.500 |  |  |",
    ]


def test_text_has_the_same_rows(compared):
    text = comparison_table.text(compared, a="first", b="second")
    assert "top1.hard" in text
    assert "+11.00 to +14.00" in text
    assert "soft" not in text
    assert text.splitlines()[-1].startswith("12,650 images are in both runs")
