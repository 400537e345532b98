import json
import subprocess
import sys

import numpy as np
import pytest

from ss_tf.evaluation import accuracy, measure, results
from ss_tf.evaluation.results import NOT_EVALUATED


@pytest.mark.parametrize("base_kind", ["super", "flat"])
def test_whatever_has_logits_is_measured(draw, base_kind):
    measured, decisions = measure.measure(draw(base_kind=base_kind))
    results.check(measured)
    missing = {"flat_int8"} if base_kind == "super" else set()
    assert set(decisions.labels) == set(accuracy.SYSTEMS) - missing
    for system, labels in decisions.labels.items():
        assert measured["top1"][system] == np.mean(labels == decisions.true)
        assert measured["top5"][system] >= measured["top1"][system]
        assert measured["calibration"][system]["subclass"]["ece"] >= 0
        severity = measured["hierarchical"][system]["two_level"]["mistake_severity"]
        assert 1 <= severity <= 2
    assert measured["stage1"] == base_kind
    assert measured["routing"]["policy"]["tau"] == 0.75
    assert measured["training_passes"]["hard"] > measured["training_passes"]["vanilla"]


def test_measured_is_json_and_the_same_every_time(predictions):
    first, second = (json.dumps(measure.measure(predictions)[0]) for _ in range(2))
    assert first == second


def test_two_stages_that_route_hard_decide_from_the_root_down(predictions):
    measured, _ = measure.measure(predictions)
    for system in ("hard", "vanilla", "oracle", "oracle_vanilla"):
        assert measured["hierarchical"][system]["two_level"]["consistency"] == 1


def test_the_oracle_bounds_hard_routing(predictions):
    measured, _ = measure.measure(predictions)
    budget = measured["error_budget"]["hard"]
    n = measured["num_examples"]
    assert budget["routing_only"] == budget["recoverable_by_oracle"]
    assert (budget["right"] + budget["routing_only"]) / n == measured["top1"]["oracle"]


def test_networks_that_are_missing_are_not_evaluated(predictions, replace):
    measured, _ = measure.measure(replace(predictions, logits={}, subs={}, policy=None))
    results.check(measured)
    assert set(measured["top1"].values()) == {NOT_EVALUATED}
    assert set(measured["calibration"].values()) == {NOT_EVALUATED}
    assert measured["mcnemar"] == []


def test_no_tensorflow_is_needed():
    code = "import sys; sys.modules['tensorflow'] = None; import ss_tf.report.folder"
    subprocess.run([sys.executable, "-c", code], check=True)
