import numpy as np
import pytest

from ss_tf.evaluation import accuracy, verdict
from ss_tf.evaluation.results import NOT_EVALUATED

TRUE = np.ones(100, int)


def right(count):
    """Decisions of which the first `count` are right."""
    return (np.arange(100) < count).astype(int)


def say(**labels):
    top1 = {name: NOT_EVALUATED for name in accuracy.SYSTEMS}
    top1 |= {name: float(np.mean(decided)) for name, decided in labels.items()}
    return verdict.sentence(top1, verdict.compare(labels, true=TRUE))


def test_differences_are_in_percentage_points():
    comparisons = verdict.compare({"hard": right(80), "flat": right(60)}, true=TRUE)
    comparison = comparisons["hard"]["flat"]
    assert comparison["difference"] == pytest.approx(20)
    # 20 against 0 discordant pairs, with half a pair more each: centre 20 / 102, variance
    # (21 / 102 - (20 / 102)**2) / 102, half width 1.96 * 0.040514 = 0.079406.
    assert comparison["low"] == pytest.approx(19.6078 - 7.9406, abs=1e-3)
    assert comparison["high"] == pytest.approx(19.6078 + 7.9406, abs=1e-3)
    assert comparison["outcome"] == "better"


def test_what_did_not_run_is_not_compared():
    comparisons = verdict.compare({"hard": right(80), "flat": right(60)}, true=TRUE)
    assert comparisons["hard"]["flat_equal_compute"] == NOT_EVALUATED
    assert comparisons["vanilla"] == {"flat": NOT_EVALUATED, "flat_equal_compute": NOT_EVALUATED}


def test_sentence_says_that_two_stage_beats_one_and_loses_to_the_other():
    assert say(hard=right(70), flat=right(50), flat_equal_compute=right(90)) == (
        "Two-stage (hard, 70.00 %) beats flat by 20.00 points "
        "(it has 50.00 %; 95 % interval +11.67 to +27.55), "
        "and loses to flat at equal compute by 20.00 points "
        "(it has 90.00 %; 95 % interval -27.55 to -11.67)."
    )


def test_sentence_admits_that_there_is_no_clear_difference():
    told = say(hard=right(71), flat=right(70))
    assert "shows no clear difference from flat: +1.00 points (it has 70.00 %" in told
    assert told.endswith("was not compared with flat at equal compute (not evaluated).")


def test_sentence_speaks_of_vanilla_where_there_is_no_hard():
    assert say(vanilla=right(80), flat=right(50)).startswith("Two-stage (vanilla, 80.00 %) beats")


def test_sentence_without_two_stage_says_so():
    assert say(flat=right(50)) == "Two-stage: not evaluated."
