import dataclasses

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar

from ss_tf.evaluation import diagnosis
from ss_tf.evaluation.results import NOT_EVALUATED, UNDEFINED


@pytest.fixture
def diagnosed(decisions, superclass_map):
    return diagnosis.diagnose(decisions, superclass_map)


def test_error_budget_is_that_counted_by_hand(diagnosed):
    # Example 3, a canoe, is taken for a bird, and its own sub network knows it; example 5, a
    # ferry, is taken for a canoe.
    assert diagnosed["error_budget"]["hard"] == {
        "right": 6,
        "routing_only": 1,
        "sub_only": 1,
        "both": 0,
        "recoverable_by_oracle": 1,
    }
    assert diagnosed["error_budget"]["soft"]["sub_only"] == 1
    # There are no decisions of its oracle.
    assert diagnosed["error_budget"]["vanilla"] == NOT_EVALUATED


def test_a_wrong_superclass_that_the_oracle_does_not_mend_is_both(decisions, superclass_map):
    # Example 5 is a ferry: taken for a taxi, and for a canoe by the oracle.
    hard = decisions.labels["hard"].copy()
    hard[5] = 3
    labels = {**decisions.labels, "hard": hard}
    budget = diagnosis.diagnose(dataclasses.replace(decisions, labels=labels), superclass_map)
    counts = budget["error_budget"]["hard"]
    assert (counts["both"], counts["sub_only"], counts["routing_only"]) == (1, 0, 1)
    assert sum(counts.values()) - counts["recoverable_by_oracle"] == 8


def test_calibration_has_the_errors_counted_by_hand(diagnosed):
    hard = diagnosed["calibration"]["hard"]
    # Labels: 4 of the 6 with 0.7 are right, and those with 0.5 and 0.05.
    expected = (6 * (0.7 - 4 / 6) + 0.5 + 0.95) / 8
    assert hard["subclass"]["ece"] == pytest.approx(expected)
    # Superclasses: 5 of the 6 with 0.9 are right, and those with 0.5 and 1.
    assert hard["superclass"]["ece"] == pytest.approx((6 * (0.9 - 5 / 6) + 0.5) / 8)
    assert hard["subclass"]["bins"]["count"] == [1, 1, 6]
    assert diagnosed["calibration"]["flat"] == NOT_EVALUATED


def test_hierarchical_metrics_are_those_counted_by_hand(diagnosed):
    found = diagnosed["hierarchical"]["hard"]
    assert found["wordnet"] == NOT_EVALUATED
    of_tree = found["two_level"]
    # Two mistakes: example 3 outside the superclass, example 5 inside.
    assert of_tree["mistake_severity"] == 1.5
    assert of_tree["distance_at_k"]["1"] == 3 / 8
    # Two labels each: (0 + 1) / 2 but for example 3, 2, and example 6, whose superclass has one.
    assert of_tree["distance_at_k"]["5"] == (6 * 0.5 + 2 + 0) / 8
    # Of 16 nodes, example 3 shares none and example 5 its superclass.
    assert of_tree["precision"] == of_tree["recall"] == of_tree["f"] == 13 / 16
    assert of_tree["consistency"] == 7 / 8
    assert diagnosed["hierarchical"]["flat"]["two_level"] == NOT_EVALUATED


def test_without_mistakes_severity_is_undefined(decisions, superclass_map):
    perfect = dataclasses.replace(
        decisions,
        labels={"hard": decisions.true},
        top={"hard": np.column_stack([decisions.true, np.full((8, 4), -1)])},
    )
    found = diagnosis.diagnose(perfect, superclass_map)["hierarchical"]["hard"]["two_level"]
    assert found["mistake_severity"] == UNDEFINED
    assert found["distance_at_k"]["1"] == 0


def test_every_pair_of_systems_is_tested_as_statsmodels_does(diagnosed, decisions):
    rows = diagnosed["mcnemar"]
    ran = [name for name in ("flat", "oracle", "vanilla", "hard", "soft")]
    assert len(rows) == len(ran) * (len(ran) - 1) / 2
    for row in rows:
        first, second = (
            decisions.labels[row[side]] == decisions.true for side in ("first", "second")
        )
        table = [[np.sum(first & second), np.sum(first & ~second)],
                 [np.sum(~first & second), np.sum(~first & ~second)]]  # fmt: skip
        assert (row["only_first"], row["only_second"]) == (table[0][1], table[1][0])
        assert row["p_value"] == pytest.approx(mcnemar(table, exact=True).pvalue)
        assert row["difference"] == pytest.approx(100 * (first.mean() - second.mean()))


def test_worst_pairs_come_first_with_names_and_counts(diagnosed):
    # Owl for wren twice (examples 0 and 7); ferry for canoe, and taxi for ferry, once.
    assert diagnosed["worst_pairs"]["flat"] == [
        {"true": "wren", "decided": "owl", "count": 2, "of": 2, "inside_superclass": True},
        {"true": "canoe", "decided": "ferry", "count": 1, "of": 1, "inside_superclass": True},
        {"true": "ferry", "decided": "taxi", "count": 1, "of": 2, "inside_superclass": False},
    ]
    assert diagnosed["worst_pairs"]["flat_equal_compute"] == NOT_EVALUATED
