import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar

from ss_tf.evaluation import measure, metrics, run_comparison
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.hierarchy.superclass_map import SuperclassMap


@pytest.fixture
def other(draw):
    """The same images, and networks of another run."""
    return draw(seed=1)


def by_metric(compared):
    rows = {row["metric"]: row for row in compared["rows"]}
    assert len(rows) == len(compared["rows"])
    return rows


def some_images(predictions, replace, rows):
    """Leaves the images `rows`, in that order, of a run without sub networks."""
    return replace(
        predictions,
        labels=predictions.labels[rows],
        keys=tuple(predictions.keys[row] for row in rows),
        logits={key: logits[rows] for key, logits in predictions.logits.items()},
        subs={},
    )


def test_differences_are_second_minus_first_and_tested_in_pairs(predictions, other):
    compared = run_comparison.compare(predictions, other)
    assert (compared["num_images"], compared["only_a"], compared["only_b"]) == (60, 0, 0)
    rows = by_metric(compared)
    (first, of_first), (second, of_second) = map(measure.measure, (predictions, other))
    for system in ("flat", "hard", "oracle"):
        row = rows[f"top1.{system}"]
        assert (row["a"], row["b"]) == (first["top1"][system], second["top1"][system])
        assert row["difference"] == pytest.approx(row["b"] - row["a"])
        assert row["low"] <= row["difference"] <= row["high"]
        a, b = (of.labels[system] == of.true for of in (of_first, of_second))
        table = [[0, np.sum(b & ~a)], [np.sum(a & ~b), 0]]
        assert row["p_value"] == pytest.approx(mcnemar(table, exact=True).pvalue)
        balanced = rows[f"balanced_top1.{system}"]
        assert balanced["b"] == pytest.approx(second["balanced_top1"][system])
        assert balanced["low"] <= balanced["difference"] <= balanced["high"]
    assert rows["super_top1"]["a"] == first["super_top1"]
    ece = rows["calibration.hard.subclass.ece"]
    assert ece["b"] == second["calibration"]["hard"]["subclass"]["ece"]
    assert ece["p_value"] == NOT_EVALUATED
    macs = rows["macs_per_image.two_stage"]
    assert macs["difference"] == second["macs_per_image"]["two_stage"] - macs["a"]


def test_a_run_and_itself_do_not_differ(predictions):
    for row in run_comparison.compare(predictions, predictions)["rows"]:
        assert row["difference"] in (0, NOT_EVALUATED)
        assert row["p_value"] in (1, NOT_EVALUATED)


def test_only_images_in_common_count_whatever_their_order(predictions, other, replace):
    rows_a, rows_b = np.arange(40), np.arange(59, 9, -1)
    a, b = (some_images(p, replace, r) for p, r in ((predictions, rows_a), (other, rows_b)))
    compared = run_comparison.compare(a, b)
    assert (compared["num_images"], compared["only_a"], compared["only_b"]) == (30, 10, 20)
    right = [
        p.logits["flat", "float"][10:40].argmax(axis=1) == p.labels[10:40]
        for p in (predictions, other)
    ]
    paired = metrics.paired_difference(right[1], right[0], true=np.ones(30, bool))
    row = by_metric(compared)["top1.flat"]
    assert (row["a"], row["b"]) == (right[0].mean(), right[1].mean())
    assert (row["low"], row["high"], row["p_value"]) == (paired.low, paired.high, paired.p_value)


def test_what_one_run_lacks_is_not_compared(predictions, other, replace):
    flat_only = replace(other, logits={("flat", "float"): other.logits["flat", "float"]}, subs={})
    rows = by_metric(run_comparison.compare(predictions, flat_only))
    assert rows["top1.hard"]["b"] == NOT_EVALUATED
    assert rows["top1.hard"]["a"] != NOT_EVALUATED
    assert rows["top1.hard"]["difference"] == rows["top1.hard"]["low"] == NOT_EVALUATED
    assert rows["top1.flat"]["p_value"] <= 1


def test_labels_may_be_numbered_otherwise(predictions, other, superclass_map, replace):
    # The same labels backwards, all in one superclass.
    names = superclass_map.label_names[::-1]
    backwards = replace(
        other,
        superclass_map=SuperclassMap(("all",), names, (0,) * 6),
        base_kind="flat",
        labels=5 - other.labels,
        logits={("flat", "float"): np.ascontiguousarray(other.logits["flat", "float"][:, ::-1])},
        subs={},
        policy=None,
        facts={**other.facts, "network_macs": {**other.facts["network_macs"], "subs": {"all": 1}}},
    )
    plain = by_metric(run_comparison.compare(predictions, other))["top1.flat"]
    found = by_metric(run_comparison.compare(predictions, backwards))["top1.flat"]
    assert found == plain


def test_runs_on_other_data_are_refused(predictions, other, superclass_map, replace):
    labels = other.labels.copy()
    labels[3] = 0
    with pytest.raises(ValueError, match="'image 3' is 'taxi' in the first run and 'wren' in the"):
        run_comparison.compare(predictions, replace(other, labels=labels))
    keys = tuple(f"photo {row}" for row in range(60))
    with pytest.raises(ValueError, match="no image in common, such as 'image 0' and 'photo 0'"):
        run_comparison.compare(predictions, replace(other, keys=keys))
    names = (*superclass_map.label_names[:5], "heron")
    renamed = replace(superclass_map, label_names=names)
    with pytest.raises(ValueError, match="other labels: 1 are in the first alone, 1 in the second"):
        run_comparison.compare(predictions, replace(other, superclass_map=renamed))
