import pytest

from ss_tf.evaluation import intervals
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.report import drawn_values, style


def test_accuracies_are_those_of_the_results_with_wilsons_interval(measured, decisions):
    overall, by_superclass = drawn_values.accuracies(measured)
    assert set(overall) == set(style.SHOWN)
    right = int((decisions.labels["soft"] == decisions.true).sum())
    assert overall["soft"] == pytest.approx((right / 240, *intervals.wilson(right, 240)))
    assert list(by_superclass) == ["bird $x_{", "boat <&>", "car"]
    row = by_superclass["boat <&>"]["flat"]
    assert row == pytest.approx((row.share, *intervals.wilson(round(row.share * 80), 80)))


def test_systems_and_superclasses_that_were_not_evaluated_are_left_out(measured):
    measured["top1"]["vanilla"] = NOT_EVALUATED
    measured["per_superclass"]["car"]["hard"] = NOT_EVALUATED
    overall, by_superclass = drawn_values.accuracies(measured)
    assert "vanilla" not in overall
    assert "vanilla" not in by_superclass["car"]
    assert "hard" not in by_superclass["car"]
    assert "hard" in by_superclass["boat <&>"]


def test_ratios_are_there_if_every_sub_network_has_one(measured):
    assert drawn_values.ratios(measured) == {
        "fp16_7z": {"bird $x_{": 0.45, "boat <&>": 0.43},
        "int8_delta": {"bird $x_{": 0.1, "boat <&>": 0.2},
    }
    # The sub networks share the entry of one, so a new one is put in its place.
    subs = measured["sizes"]["per_superclass"]
    ratios = {"fp16_7z": NOT_EVALUATED, "int8_delta": 0.2}
    measured["sizes"] = {"per_superclass": {**subs, "boat <&>": {"size_ratio": ratios}}}
    assert list(drawn_values.ratios(measured)) == ["int8_delta"]


def test_calibration_is_that_of_systems_which_decide_the_superclass(measured):
    levels = drawn_values.calibrations(measured)
    assert set(levels) == {"superclass", "subclass"}
    assert set(levels["subclass"]) == set(style.SHOWN) - {"oracle"}
    assert levels["subclass"]["hard"].ece == measured["calibration"]["hard"]["subclass"]["ece"]
    assert sum(levels["superclass"]["flat"].count) == 240


def test_causes_sum_to_the_errors_of_each_system(measured):
    budgets = drawn_values.budgets(measured)
    assert set(budgets) == {"flat", "hard", "soft", "vanilla"}
    for system, parts in budgets.items():
        assert sum(parts.values()) == pytest.approx(1 - measured["top1"][system])


def test_results_of_stage_1_alone_give_nothing(measured):
    for entry in ("top1", "calibration", "error_budget"):
        measured[entry] = dict.fromkeys(measured[entry], NOT_EVALUATED)
    measured["flat_errors"] = NOT_EVALUATED
    assert drawn_values.accuracies(measured)[0] == {}
    assert drawn_values.calibrations(measured) == {}
    assert drawn_values.budgets(measured) == {}
