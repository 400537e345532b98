import pytest

from ss_tf.evaluation import accuracy_section


def rows_of(measured):
    return accuracy_section.markdown(measured)[1].splitlines()


def test_rows_have_accuracies_intervals_and_errors_of_calibration(measured):
    lines = rows_of(measured)
    (hard,) = (line for line in lines if line.startswith("| two-stage, hard |"))
    *shown, of_superclass, of_label = [cell.strip() for cell in hard.strip("|").split("|")][1:]
    # 6 of 8 right, Wilson (0.40928, 0.92852); top-5 7 of 8; balanced: labels 0, 2, 3 and 5 all
    # right, 1 not, 4 half: 4.5 / 6.
    assert shown == ["75.00", "40.93 to 92.85", "87.50", "75.00"]
    # Counted in the test of the diagnosis.
    assert float(of_superclass) == pytest.approx(11.25, abs=0.01)
    assert float(of_label) == pytest.approx(20.625, abs=0.01)


def test_what_was_not_evaluated_says_so(measured):
    lines = rows_of(measured)
    # Labels of vanilla are there, probabilities are not.
    assert "| flat, equal compute | not evaluated |  |  |  |  |  |" in lines
    (vanilla,) = (line for line in lines if line.startswith("| two-stage, vanilla"))
    assert vanilla.endswith("| not evaluated | 66.67 | not evaluated | not evaluated |")


def test_an_interval_that_is_missing_is_told():
    assert accuracy_section.interval("not evaluated") == "not evaluated"
    assert accuracy_section.interval([0.5, 0.625]) == "50.00 to 62.50"
