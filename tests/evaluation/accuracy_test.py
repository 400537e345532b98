import dataclasses

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from ss_tf.evaluation import accuracy, intervals
from ss_tf.evaluation.results import NOT_EVALUATED, UNDEFINED


@pytest.fixture
def summary(decisions, superclass_map):
    return accuracy.summarize(decisions, superclass_map)


def test_accuracies_are_those_counted_by_hand(summary):
    assert summary["num_examples"] == 8
    assert summary["top1"] == {
        "flat": 4 / 8,
        "flat_int8": NOT_EVALUATED,
        "flat_equal_compute": NOT_EVALUATED,
        "oracle": 7 / 8,
        "oracle_vanilla": NOT_EVALUATED,
        "vanilla": 5 / 8,
        "hard": 6 / 8,
        "soft": 7 / 8,
    }
    assert summary["super_top1"] == 7 / 8
    assert summary["super_top1_float"] == 6 / 8


def test_gains_are_relative_to_flat(summary):
    gains = summary["relative_gain_percent"]
    # 6 / 4 and 5 / 4 of the right decisions of flat.
    assert gains["hard"] == pytest.approx(50)
    assert gains["vanilla"] == pytest.approx(25)
    assert gains["flat_equal_compute"] == NOT_EVALUATED


def test_superclasses_have_accuracies_of_their_own(summary):
    assert list(summary["per_superclass"]) == ["bird", "boat", "car"]
    bird, boat, car = summary["per_superclass"].values()
    assert (bird["num_subclasses"], bird["num_examples"]) == (3, 4)
    assert (boat["num_subclasses"], boat["num_examples"]) == (2, 3)
    assert (car["num_subclasses"], car["num_examples"]) == (1, 1)
    assert (bird["super"], boat["super"], car["super"]) == (1, 2 / 3, 1)
    assert (bird["super_float"], bird["flat"], bird["hard"]) == (3 / 4, 2 / 4, 1)
    assert (boat["flat"], boat["hard"], boat["oracle"]) == (1 / 3, 1 / 3, 2 / 3)
    assert car["flat_equal_compute"] == NOT_EVALUATED


def test_superclass_without_images_has_no_accuracy(decisions, superclass_map):
    without_car = np.flatnonzero(decisions.true != 3)
    less = accuracy.Decisions(
        true=decisions.true[without_car],
        stage1={form: made[without_car] for form, made in decisions.stage1.items()},
        labels={system: made[without_car] for system, made in decisions.labels.items()},
    )
    car = accuracy.summarize(less, superclass_map)["per_superclass"]["car"]
    assert (car["num_examples"], car["super"], car["hard"]) == (0, NOT_EVALUATED, NOT_EVALUATED)


def test_confusion_is_of_the_int8_stage_1(summary):
    assert summary["confusion"] == {
        "stage1": "int8",
        "superclasses": ["bird", "boat", "car"],
        "counts_by_true_then_decided": [[4, 0, 0], [1, 2, 0], [0, 0, 1]],
    }


def test_confusion_is_of_the_float_stage_1_where_there_is_no_other(decisions, superclass_map):
    float_only = dataclasses.replace(decisions, stage1={"float": decisions.stage1["float"]})
    confusion = accuracy.summarize(float_only, superclass_map)["confusion"]
    assert confusion["stage1"] == "float"
    assert confusion["counts_by_true_then_decided"] == [[3, 0, 1], [1, 2, 0], [0, 0, 1]]


def test_flat_errors_inside_the_superclass_are_counted(summary):
    # Example 5, a ferry, is taken for a taxi; the other three errors stay inside.
    assert summary["flat_errors"] == {
        "errors": 4,
        "inside_superclass": 3,
        "share_inside_superclass": 3 / 4,
    }


def test_flat_without_errors_has_no_share_of_errors(decisions, superclass_map):
    perfect = dataclasses.replace(decisions, labels={"flat": decisions.true})
    errors = accuracy.summarize(perfect, superclass_map)["flat_errors"]
    assert errors["share_inside_superclass"] == UNDEFINED


def test_gain_over_a_flat_network_that_is_never_right_is_undefined(decisions, superclass_map):
    wrong = (decisions.true + 1) % 6
    hopeless = dataclasses.replace(decisions, labels={**decisions.labels, "flat": wrong})
    gains = accuracy.summarize(hopeless, superclass_map)["relative_gain_percent"]
    assert gains["hard"] == UNDEFINED
    assert gains["flat_equal_compute"] == NOT_EVALUATED


def test_run_without_networks_is_not_evaluated(decisions, superclass_map):
    nothing = accuracy.Decisions(true=decisions.true, stage1={}, labels={})
    summary = accuracy.summarize(nothing, superclass_map)
    assert set(summary["top1"].values()) == {NOT_EVALUATED}
    for entry in ("super_top1", "super_top1_float", "confusion", "flat_errors"):
        assert summary[entry] == NOT_EVALUATED


def test_unknown_system_is_refused(decisions):
    with pytest.raises(ValueError, match=r"Unknown system 'mild', expected one of flat, "):
        dataclasses.replace(decisions, labels={"mild": decisions.true})
    with pytest.raises(ValueError, match=r"Unknown system 'mild', expected one of flat, "):
        dataclasses.replace(decisions, opened={"mild": np.ones((8, 3), bool)})


def test_unknown_form_is_refused(decisions):
    with pytest.raises(ValueError, match=r"Unknown form 'fp16' of stage 1, expected int8 or float"):
        dataclasses.replace(decisions, stage1={"fp16": decisions.true})


def test_decision_too_few_is_refused(decisions, superclass_map):
    short = dataclasses.replace(decisions, labels={"flat": decisions.true[:7]})
    with pytest.raises(ValueError, match=r"shape \(7,\) and truths \(8,\)"):
        accuracy.summarize(short, superclass_map)


def test_every_accuracy_has_wilsons_interval(summary):
    assert summary["intervals"]["hard"] == list(intervals.wilson(6, 8))
    assert summary["intervals"]["super"] == list(intervals.wilson(7, 8))
    assert summary["intervals"]["flat_equal_compute"] == NOT_EVALUATED
    boat = summary["per_superclass"]["boat"]["intervals"]
    assert boat["oracle"] == list(intervals.wilson(2, 3))
    assert boat["super_float"] == list(intervals.wilson(2, 3))
    assert boat["flat_int8"] == NOT_EVALUATED


def test_a_truth_among_the_five_most_probable_labels_counts_for_top_5(summary):
    # Hard has the second label of example 5 right, and none of example 3.
    assert summary["top5"]["hard"] == 7 / 8
    assert summary["top5_intervals"]["hard"] == list(intervals.wilson(7, 8))
    assert summary["top5"]["flat"] == summary["top5_intervals"]["flat"] == NOT_EVALUATED


def test_balanced_accuracy_is_that_of_scikit_learn(summary, decisions):
    for system, labels in decisions.labels.items():
        expected = balanced_accuracy_score(decisions.true, labels)
        assert summary["balanced_top1"][system] == pytest.approx(expected)
        low, high = summary["balanced_top1_intervals"][system]
        assert low <= expected <= high
    assert summary["balanced_top1"]["flat_int8"] == NOT_EVALUATED
