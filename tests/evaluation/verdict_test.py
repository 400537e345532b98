import numpy as np
import pytest

from ss_tf.evaluation import accuracy, verdict
from ss_tf.evaluation.results import NOT_EVALUATED

TRUE = np.ones(100, int)


def right(count):
    """Decisions of which the first `count` are right."""
    return (np.arange(100) < count).astype(int)


def say(*, ratio=1.0, passes=(1.0, 1.0), starts=None, **labels):
    """Returns the sentence; `passes` are those of two-stage and of flat."""
    top1 = {name: NOT_EVALUATED for name in accuracy.SYSTEMS}
    top1 |= {name: float(np.mean(decided)) for name, decided in labels.items()}
    two_stage, flat = passes
    return verdict.sentence(
        {
            "top1": top1,
            "comparisons": verdict.compare(labels, true=TRUE),
            "macs_per_image": {"flat_equal_compute_ratio": ratio},
            "starts_from": starts or {"flat": "random weights"},
            "training_passes": {"flat": flat, "vanilla": two_stage, "hard": two_stage},
        }
    )


def test_differences_are_in_percentage_points():
    comparisons = verdict.compare({"hard": right(80), "flat": right(60)}, true=TRUE)
    comparison = comparisons["hard"]["flat"]
    assert comparison["difference"] == pytest.approx(20)
    # 20 against 0 discordant pairs, with half a pair more each: centre 20 / 102, variance
    # (21 / 102 - (20 / 102)**2) / 102, half width 1.96 * 0.040514 = 0.079406.
    assert comparison["low"] == pytest.approx(19.6078 - 7.9406, abs=1e-3)
    assert comparison["high"] == pytest.approx(19.6078 + 7.9406, abs=1e-3)
    assert comparison["outcome"] == "better"
    # Twenty flips of a coin that all fall on one side, either.
    assert comparison["p_value"] == 2 / 2**20


def test_what_did_not_run_is_not_compared():
    comparisons = verdict.compare({"hard": right(80), "flat": right(60)}, true=TRUE)
    assert comparisons["hard"]["flat_equal_compute"] == NOT_EVALUATED
    for system in ("soft", "vanilla"):
        assert set(comparisons[system].values()) == {NOT_EVALUATED}


def test_sentence_says_that_two_stage_beats_one_and_loses_to_the_other():
    labels = {"hard": right(70), "flat": right(50), "flat_equal_compute": right(90)}
    assert say(ratio=1.049, **labels) == (
        "Two-stage (hard, 70.00 %) beats flat by 20.00 points "
        "(it has 50.00 %; 95 % interval +11.67 to +27.55), "
        "and loses to flat at equal compute (1.05x that of two stages) by 20.00 points "
        "(it has 90.00 %; 95 % interval -27.55 to -11.67)."
    )


def test_sentence_admits_that_there_is_no_clear_difference():
    told = say(ratio=NOT_EVALUATED, hard=right(71), flat=right(70))
    assert "shows no clear difference from flat: +1.00 points (it has 70.00 %" in told
    assert told.endswith("was not compared with flat at equal compute (not evaluated).")


def test_sentence_speaks_of_hard_where_there_is_soft_as_well():
    told = say(soft=right(90), hard=right(80), flat=right(50))
    assert told.startswith("Two-stage (hard, 80.00 %) beats")


def test_sentence_speaks_of_vanilla_where_there_is_no_hard():
    assert say(vanilla=right(80), flat=right(50)).startswith("Two-stage (vanilla, 80.00 %) beats")


@pytest.mark.parametrize(
    ("ratio", "called"),
    [
        (0.4, "the second flat network (0.40x the compute of two stages)"),
        (0.849, "the second flat network (0.85x the compute of two stages)"),
        (0.85, "flat at equal compute (0.85x that of two stages)"),
        (1.15, "flat at equal compute (1.15x that of two stages)"),
        (1.16, "the second flat network (1.16x the compute of two stages)"),
    ],
)
def test_compute_is_called_equal_only_where_it_is(ratio, called):
    told = say(ratio=ratio, hard=right(70), flat=right(50), flat_equal_compute=right(90))
    assert f"loses to {called} by 20.00 points" in told


def test_sentence_tells_that_two_stage_was_trained_for_more_passes():
    told = say(passes=(14.5, 10.0), hard=right(70), flat=right(50))
    assert told.startswith(
        "Two-stage (hard, 70.00 %), after 14.5 passes over the training images against 10.0, "
        "beats flat by"
    )


@pytest.mark.parametrize("passes", [(10.0, 10.0), (9.0, 10.0), (10.0, NOT_EVALUATED)])
def test_sentence_is_silent_about_passes_that_are_not_more(passes):
    assert "passes" not in say(passes=passes, hard=right(70), flat=right(50))


def test_sentence_tells_that_networks_started_unlike():
    starts = {"flat": "weights 12ab", "flat_equal_compute": "random weights", "super": "weights 12"}
    told = say(starts=starts, hard=right(70), flat=right(50))
    assert told.endswith(
        "This is no fair comparison: flat_equal_compute started from random weights, flat and "
        "super from pretrained ones."
    )


@pytest.mark.parametrize("start", ["random weights", "weights 12ab"])
def test_sentence_is_silent_about_starts_that_are_alike(start):
    starts = {"flat": start, "flat_equal_compute": NOT_EVALUATED, "super": start}
    assert "fair" not in say(starts=starts, hard=right(70), flat=right(50))


def test_sentence_without_two_stage_says_so():
    assert say(flat=right(50)) == "Two-stage: not evaluated."
